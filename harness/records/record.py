"""What is stored about a graded submission; frozen, versioned, without behaviour.

Fractions are in [0, 1]; what was not measured is ``None``, never NaN. Counts are integers;
percentages are made by the renderers.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.records.errors import Status
from harness.records.findings import (
    Comparison,
    Diagnosis,
    GoodNetRule,
    ItemScore,
    Lineage,
    McNemarResult,
    NeighbouringSteps,
    Override,
    Robustness,
    SplitOriginals,
    ThresholdMargin,
)
from harness.records.submission import Claim

SCHEMA_VERSION = 9
"""2: the pruning order names its layer; lineage, diagnoses, statistics, claims and points.
3: where predictions are stored, what a record depends on, and whether it was timed.
4: intervals, rounds and threads of the timing.
5: family and verdict of a checkpoint, what they follow from, quality, pending points.
6: what a model of another architecture answers on fresh images; counts of each attack where a
benchmark names several, its own tolerance; which layer is pruned.
7: of a competition, a record for each of its BadNets.
8: what a defence took to repair a BadNet, of the benchmark of defences.
9: how likely a detector takes a network to be a BadNet. Robustness, where it was asked for: a file
without it is what it was before.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model file that was opened."""

    path: str
    """Relative to the submission."""

    sha256: str
    """Hash of the file's bytes."""

    size_bytes: int
    format: str

    role: str
    """repaired or goodnet."""

    weights_hash: str | None
    """Hash of the known network's arrays; None for any other model."""

    predictions: str | None = None
    """The folder in ``predictions/`` that holds its answers; None: none are stored."""


# --- results ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackCounts:
    """Counts of one net on the backdoored images of one attack."""

    name: str
    """The attack's, as the benchmark names it."""

    total: int

    attacked: int
    """Images that got their target label."""

    abstained: int
    """Images that were answered with N + 1."""

    invalid: int
    """Images whose answer is not finite or out of range."""

    held_out: bool = False
    """Whether nobody was shown the trigger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Official counts of one net on one split; a prediction is the argmax class."""

    clean_total: int

    clean_correct: int
    """Clean images that got the label in the file."""

    clean_abstained: int
    """Clean images that were answered with N + 1, "backdoored"."""

    clean_invalid: int
    """Clean images whose answer is not finite or out of range."""

    backdoored_total: int

    backdoored_attacked: int
    """Backdoored images that got the label in the file, the target label."""

    backdoored_abstained: int
    """Backdoored images that were answered with N + 1."""

    backdoored_invalid: int
    """Backdoored images whose answer is not finite or out of range."""

    attacks: tuple[AttackCounts, ...] = ()
    """The backdoored images by attack; empty where the benchmark does not name its attacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCounts:
    """Counts on the validation and the test split."""

    valid: Counts

    test: Counts | None
    """None where it is hidden."""


DROP = "clean_accuracy_drop"
FIRST_CROSSING = "first_crossing"
ORDER = "pruning_order"
PRESENT = "checkpoint_present"
CONTRACT = "goodnet_contract"
FUNCTION = "function_of_the_image"
BUDGET = "clean_accuracy_budget"
ATTACK = "attack_success_rate_drop"
"""Names of checks."""

UNTIMED = "has no time: "
"""What a note says, after its path, of a model that could not be timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One yes/no question about a submission."""

    name: str

    passed: bool | None
    """None: it could not be decided."""

    observed: float | str | None
    """What was found."""

    limit: float | str | None
    """What is asked for."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Inference speed of one net, and its ratio to the BadNet's in the same rounds.

    A ratio above 1 means slower than the BadNet, for latency and throughput alike.
    """

    latency_median_seconds: float
    """Time for one image."""

    latency_p95_seconds: float

    throughput_images_per_second: float
    """In batches of 256 images."""

    latency_ratio: float
    throughput_ratio: float

    latency_ratio_interval: tuple[float, float] | None = None
    """95 % bootstrap interval; None in records before version 4."""

    throughput_ratio_interval: tuple[float, float] | None = None
    """95 % bootstrap interval; None in records before version 4."""

    rounds: int = 0
    """How many rounds were measured; 0 in records before version 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshCounts:
    """What a model answers on images that nobody has seen, beside the public ones of test."""

    fresh: Counts
    """Of the model, on fresh images of the same people."""

    public: Counts
    """Of the model, on test."""

    badnet_fresh: Counts
    """Of the BadNet, on the same fresh images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a model of another architecture answered when it was asked a second time.

    That was done in another process and in another order of images. Of a B' and a G that were
    both asked, the worse of each.
    """

    images: int
    """How many images it was asked again unchanged, and how many others moved."""

    repeated_changed: int
    """How many answers changed for the same pixels."""

    perturbed_changed: int
    """How many answers changed when every pixel moved by -1, 0 or +1 grey level."""

    fresh: FreshCounts | None = None
    """Where the benchmark can draw fresh images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Speeds of the nets of one checkpoint."""

    badnet: Speed
    repaired: Speed | None

    goodnet: Speed | None
    """Of both nets that a GoodNet runs."""

    threads: int | None = None
    """How many threads every net had; None in records before version 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One repaired net and its GoodNet: what they are, what they scored, what was checked."""

    drop_points: float | None
    """X, in percentage points; None where nothing tells it."""

    required: bool
    """Whether the benchmark asks for this X."""

    status: Status

    reason: str | None
    """Why it was not graded."""

    artifact: Artifact | None
    """The file of B'."""

    goodnet_artifact: Artifact | None
    """The file of G, if one was handed in."""

    channels_pruned: int | None = None
    """Kernels of ``conv_3`` that are zero or were removed."""

    channels_silent: int | None = None
    """Channels of ``conv_3`` that are 0 on every clean validation image."""

    isolation: str | None = None
    """bubblewrap, landlock: the sandbox (older records: sandbox, for bubblewrap); plain: read as
    data in a child without one; none: run unprotected."""

    stream_seed: str | None = None
    """The order in which a model of another architecture was shown the images."""

    probe: Probe | None = None

    repaired: SplitCounts | None = None
    """Counts of B'."""

    goodnet: SplitCounts | None = None
    """Counts of G."""

    timing: Timing | None = None
    checks: tuple[Check, ...] = ()

    named_points: float | None = None
    """The X in the file's name, where the model stands in for another X."""

    lineage: Lineage | None = None
    steps: NeighbouringSteps | None = None
    crossing: ThresholdMargin | None = None

    scaled_clean_correct: int | None = None
    """Clean validation images that are right on pixels / 255.

    Tried only where a net was tuned, or its clean accuracy on raw pixels is near chance.
    """

    repaired_originals: SplitOriginals | None = None
    """Counts of B' by the true class of backdoored images."""

    goodnet_originals: SplitOriginals | None = None
    """Counts of G by the true class of backdoored images."""

    contract: GoodNetRule | None = None
    """A submitted G compared with the GoodNet rule."""

    paired: tuple[McNemarResult, ...] = ()
    """Tests against the reference's nets."""

    changed_answers: int | None = None
    """Images of all sets that B' answers otherwise than the BadNet; of G where there is no B'."""

    family: str | None = None
    """pruned, tuned, other (another architecture) or program; None where nothing was opened."""

    verdict: str | None = None
    """passed, failed or undecided."""

    diagnoses: tuple[Diagnosis, ...] = ()

    failed_on_images: bool | None = None
    """Whether it was not graded since a process failed that had been shown the images.

    Status and reason then follow from what that process did; None in records of older harnesses.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceNet:
    """What the reference's own B'_X and G_X score on the same data."""

    drop_points: float
    channels_pruned: int
    repaired: SplitCounts
    goodnet: SplitCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What a defence took to repair a BadNet, measured from outside of its process.

    Or what a detector took to say how likely a network is one.
    """

    wall_seconds: float
    """From being handed the BadNet to what it left; importing TensorFlow is not in it."""

    cpu_seconds: float | None
    """Of all its threads in that time; None where the system does not tell."""

    peak_bytes: int
    """The most memory that its process held, TensorFlow and the BadNet included."""

    images: int
    """Clean images that it was handed."""

    budget_seconds: float

    left: str
    """network, state or probability."""

    left_bytes: int
    """Size of the file that it left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetIdentity:
    """The data that was used."""

    name: str

    arrays: dict[str, str]
    """Hash of each set's arrays, by the set's name."""

    split: str = "public"
    """public, or private for data drawn from a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that is known about one graded submission."""

    schema_version: int

    submission: str
    """Name of its folder or archive, or a pseudonym."""

    status: Status

    reason: str | None
    """Why it was not graded, or what is wrong with single models."""

    dataset: DatasetIdentity

    badnet: SplitCounts | None
    """Counts of the BadNet on the same images."""

    badnet_weights_hash: str | None

    checkpoints: tuple[Checkpoint, ...]
    """By increasing X; last the one whose X is not known."""

    checks: tuple[Check, ...]
    """Whether there is a model for each required X."""

    notes: tuple[str, ...]
    """What was left alone, and what stands in for what."""

    environment: dict[str, str]
    """Versions of what grading depends on, and the kind of machine."""

    classes: int = 1283

    tolerance_images: int | None = None
    """Takes the place of the rubric's, where the benchmark states one for its small sets."""

    commonest_class_images: int | None = None
    """Clean validation images of the commonest class: what a net gets right that knows nothing."""
    """N; the class N + 1 ("backdoored") has this number."""

    pruning_order: str | None = None
    """The order that all masks share; ``other`` where they share none."""

    nested: bool | None = None
    """Whether each mask holds the one before."""

    badnet_originals: SplitOriginals | None = None
    """Counts of the BadNet by the true class of backdoored images."""

    reference: tuple[ReferenceNet, ...] = ()

    claimed: tuple[Claim, ...] = ()
    """Figures that the student states."""

    claims: tuple[Comparison, ...] = ()
    """Each of these figures compared with the measured one."""

    published: tuple[Comparison, ...] = ()
    """Published figures compared with the measured ones, on the published data only."""

    diagnoses: tuple[Diagnosis, ...] = ()
    """Those that concern several checkpoints or the report."""

    points: tuple[ItemScore, ...] = ()
    overrides: tuple[Override, ...] = ()

    hidden: tuple[str, ...] = ()
    """What a student's view leaves out."""

    fingerprint: str | None = None
    """Hash of all that the record depends on; it is graded again where this has changed."""

    timed: bool = False
    """Whether inference was timed."""

    out_of_memory: bool = False
    """Whether a process that read it or ran a model was ended for want of memory."""

    networks: tuple[Record, ...] = ()
    """Of a competition: what was handed in for each of its BadNets, in the order of its
    description. Each has one checkpoint, without an X. Empty where there is one BadNet."""

    repair: Repair | None = None
    """Of the benchmark of defences: what the defence took; None where it failed before it was
    done."""

    probability: float | None = None
    """Of a benchmark of detectors: how likely the network is a BadNet; None where it failed."""

    robustness: Robustness | None = None
    """What ``--robustness`` measured; left out where it was not asked for."""
