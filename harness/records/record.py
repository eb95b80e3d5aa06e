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
    SplitOriginals,
    ThresholdMargin,
)
from harness.records.submission import Claim

SCHEMA_VERSION = 4
"""2: the pruning order names its layer; lineage, diagnoses, statistics, claims and points.
3: where predictions are stored, what a record depends on, and whether it was timed.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model file that was opened. ``role`` is repaired or goodnet; ``weights_hash`` addresses
    the canonical arrays of the known network and is None for any other model. ``predictions``
    names the folder of its stored predictions (None: there are none).
    """

    path: str
    sha256: str
    size_bytes: int
    format: str
    role: str
    weights_hash: str | None
    predictions: str | None = None


# --- results ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Official counts of one net on one split; a prediction is the argmax class.

    ``clean_correct`` and ``backdoored_attacked`` compare with the label in the file.
    ``*_abstained`` are answers N + 1; ``*_invalid`` are non-finite or out of range.
    """

    clean_total: int
    clean_correct: int
    clean_abstained: int
    clean_invalid: int
    backdoored_total: int
    backdoored_attacked: int
    backdoored_abstained: int
    backdoored_invalid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCounts:
    """Counts on the validation and the test split; ``test`` is None where it is hidden."""

    valid: Counts
    test: Counts | None


DROP = "clean_accuracy_drop"
FIRST_CROSSING = "first_crossing"
ORDER = "pruning_order"
PRESENT = "checkpoint_present"
CONTRACT = "goodnet_contract"
FUNCTION = "function_of_the_image"
"""Names of checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One yes/no question about a submission; ``passed`` None means that it could not be asked."""

    name: str
    passed: bool | None
    observed: float | str | None
    limit: float | str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Inference speed of one net and its ratio to the BadNet measured in the same rounds.

    Latency is for one image, throughput for batches of 256. A ratio above 1 means slower
    than the BadNet, for latency and throughput alike. The intervals are 95 % bootstrap intervals
    of the ratios over ``rounds`` rounds (None and 0 in records before version 4).
    """

    latency_median_seconds: float
    latency_p95_seconds: float
    throughput_images_per_second: float
    latency_ratio: float
    throughput_ratio: float
    latency_ratio_interval: tuple[float, float] | None = None
    throughput_ratio_interval: tuple[float, float] | None = None
    rounds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a model of another architecture said when it was asked again.

    It was asked in a fresh process and another order.

    Of ``images`` images, how many answers changed for the very same pixels, and how many
    when every pixel moved by -1, 0 or +1 grey level.
    """

    images: int
    repeated_changed: int
    perturbed_changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Speeds of the repaired net and of the GoodNet (which runs both nets).

    ``threads`` is the number of threads that every net had (None in records before version 4).
    """

    badnet: Speed
    repaired: Speed | None
    goodnet: Speed | None
    threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One repaired net (and its GoodNet): what it is, what it scored, what was checked.

    ``named_points`` is the X in the file name where it stands in for another;
    ``scaled_clean_correct`` counts clean validation images that are right on pixels / 255
    (tried only where raw pixels give near-chance accuracy).
    """

    drop_points: float | None
    required: bool
    status: Status
    reason: str | None
    artifact: Artifact | None
    goodnet_artifact: Artifact | None
    channels_pruned: int | None = None
    channels_silent: int | None = None
    isolation: str | None = None
    stream_seed: str | None = None
    probe: Probe | None = None
    repaired: SplitCounts | None = None
    goodnet: SplitCounts | None = None
    timing: Timing | None = None
    checks: tuple[Check, ...] = ()
    named_points: float | None = None
    lineage: Lineage | None = None
    steps: NeighbouringSteps | None = None
    crossing: ThresholdMargin | None = None
    scaled_clean_correct: int | None = None
    repaired_originals: SplitOriginals | None = None
    goodnet_originals: SplitOriginals | None = None
    contract: GoodNetRule | None = None
    paired: tuple[McNemarResult, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceNet:
    """What the reference's own B'_X and G_X score on the same data."""

    drop_points: float
    channels_pruned: int
    repaired: SplitCounts
    goodnet: SplitCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetIdentity:
    """Which data was used: name, public or private split, and the hash of each file's arrays."""

    name: str
    arrays: dict[str, str]
    split: str = "public"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that is known about one graded submission.

    ``pruning_order`` is the order that all masks share, ``nested`` whether each mask holds
    the one before. ``hidden`` names what a view has left out. ``fingerprint`` is the hash of
    all that the record depends on (:mod:`harness.grading.fingerprint`), ``timed`` whether inference
    was timed, ``out_of_memory`` whether a model was ended for want of memory.
    """

    schema_version: int
    submission: str
    status: Status
    reason: str | None
    dataset: DatasetIdentity
    badnet: SplitCounts | None
    badnet_weights_hash: str | None
    checkpoints: tuple[Checkpoint, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    environment: dict[str, str]
    classes: int = 1283
    pruning_order: str | None = None
    nested: bool | None = None
    badnet_originals: SplitOriginals | None = None
    reference: tuple[ReferenceNet, ...] = ()
    claimed: tuple[Claim, ...] = ()
    claims: tuple[Comparison, ...] = ()
    published: tuple[Comparison, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    points: tuple[ItemScore, ...] = ()
    overrides: tuple[Override, ...] = ()
    hidden: tuple[str, ...] = ()
    fingerprint: str | None = None
    timed: bool = False
    out_of_memory: bool = False
