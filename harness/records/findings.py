"""What is found out about one model or submission; frozen parts of a record, without behaviour.

Channels are numbered as in the BadNet's pruned layer (the lab's ``conv_3``); images are counted,
never percentages.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# --- lineage ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """How one layer differs from the BadNet's, apart from pruned channels."""

    layer: str

    zeroed: tuple[int, ...]
    """Output channels whose kernel became 0."""

    values_changed: int
    """How many other values differ."""

    values_now_zero: int
    """How many of ``values_changed`` became 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """A submitted weight set compared with the BadNet's."""

    base: str | None
    """The BadNet it comes from, ``badnet`` for the one it is graded against; None: none known."""

    similarity: float
    """Median cosine of its kernels to the BadNet's, in [-1, 1]."""

    pruned: tuple[int, ...] | None
    """Channels whose kernel is 0 or whose filter was removed; None where this cannot be told."""

    live: tuple[int, ...] = ()
    """Pruned channels that are not dormant in the BadNet."""

    kernels_zeroed: tuple[int, ...] = ()
    """Pruned channels whose filter is still there."""

    biases_zeroed: tuple[int, ...] = ()
    """Channels whose bias became 0, pruned or not."""

    biases_kept: tuple[int, ...] = ()
    """Pruned channels whose bias is not 0."""

    biases_active: tuple[int, ...] = ()
    """Those of ``biases_kept`` whose bias is positive, so that the channel still has an effect."""

    removed: tuple[int, ...] = ()
    """Pruned channels of a net whose pruned layer is narrower than the BadNet's."""

    changes: tuple[LayerChange, ...] = ()
    """What else differs from the BadNet."""

    orders: tuple[str, ...] = ()
    """Every pruning order that the mask follows, most official first."""

    ranking: str | None = None
    """Whether these orders are ``known`` of the BadNet or were ``measured`` on the data."""

    published_points: tuple[float, ...] = ()
    """Every X for which this very mask is published."""

    pruned_layer: str = "conv_3"
    """The BadNet's layer whose channels these are."""

    ranked_layers: tuple[str, ...] = ("pool_3", "conv_3")
    """The layers by whose activations they may be ranked, most official first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A neighbouring step of the pruning."""

    channel: int
    """The channel that lies between this step and the checkpoint."""

    clean_correct: int
    """Clean validation images that the net of this step gets right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbouringSteps:
    """The steps of the pruning around a checkpoint."""

    order: str | None = None
    """The checkpoint's own pruning order."""

    before: Step | None = None
    after: Step | None = None

    reason: str = ""
    """Why a step is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdMargin:
    """Clean validation images that a checkpoint lost, compared with what X asks for."""

    lost: int

    needed: int
    """The smallest loss that is X % of all images or more: the lab's rule."""

    needed_relative: int
    """The smallest loss that is X % or more of the images that the BadNet gets right."""

    margin: int
    """``lost`` - ``needed``; below 0 the threshold is not reached."""

    margin_relative: int
    """``lost`` - ``needed_relative``."""

    lost_before: int | None = None
    """Images lost one step earlier."""

    lost_after: int | None = None
    """Images lost one step later."""


# --- diagnoses --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A mistake that was recognised."""

    code: str

    explanation: str
    """What was seen and what to do, for students."""

    evidence: dict[str, int | float | str | None] = field(default_factory=dict)
    """The numbers behind it, by name."""

    certain: bool = True
    """False: it fits what was seen, but something else might fit too."""

    split: str | None = None
    """The split that it quotes figures of, if it quotes one's."""


# --- what the predictions say beyond the official counts --------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalCounts:
    """Counts on backdoored images whose true class is known."""

    backdoored_total: int

    robust_correct: int
    """Images that got their true class (robust accuracy)."""

    other_total: int
    """Images whose true class is not the target label."""

    other_attacked: int
    """Those of ``other_total`` that got the target label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOriginals:
    """Counts against true classes on both splits; None where the data holds none."""

    valid: OriginalCounts | None
    test: OriginalCounts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleViolation:
    """One image on which a submitted G breaks the GoodNet rule."""

    set: str

    image: int
    """Its index in the set, from 0."""

    expected: int
    """The class that the rule asks for."""

    answered: int
    """The class that G answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodNetRule:
    """A submitted G compared with the GoodNet rule, image by image over all four sets."""

    against: str
    """What the rule was computed from: ``B and B'``, or ``B`` where no B' was handed in.

    Without a B', an answer may be B's class or N + 1.
    """

    width: int
    """Scores for each image; 0 where G answers labels."""

    images: int

    broken: int
    """Images on which the rule is broken."""

    abstained: int
    """Answers N + 1."""

    outside: int
    """Answers beyond N + 1."""

    outside_label: int | None
    """The commonest of the answers beyond N + 1."""

    as_repaired: int | None
    """Answers that are those of B' alone; None without a B'."""

    examples: tuple[RuleViolation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemarResult:
    """McNemar's exact test against the reference's net for the same X on the same images."""

    net: str
    """repaired or goodnet."""

    set: str
    """test, where a net wins an image by answering its class, or bd_test, by any class but the
    target label."""

    images: int

    only_submission: int
    """Images that the submission's net won and the reference's did not."""

    only_reference: int
    """Images that the reference's net won and the submission's did not."""

    p_value: float
    """Two-sided; 1 where the nets differ on no image."""


# --- figures that somebody states -------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One stated figure compared with the measured one."""

    net: str
    """badnet, repaired or goodnet."""

    split: str
    """valid or test."""

    drop_points: float | None
    """The net's X; None for the BadNet."""

    figure: str
    """clean_accuracy or attack_success_rate."""

    stated: float
    """A fraction."""

    stated_images: int | None
    """The stated fraction of ``total``, in images."""

    measured_images: int | None

    total: int | None
    """All images that the figure is a fraction of."""

    agrees: bool | None
    """None: the figures were not compared."""

    slip: str | None
    """The known slip that explains a difference."""

    reason: str
    """The difference in images, or why nothing was compared."""


# --- points -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An instructor's decision: the points of one rubric item, a checkpoint, or the status."""

    submission: str
    """The name of the submission."""

    reason: str
    """Why; it stays in the record."""

    item: str | None = None
    """The rubric item that ``points`` are for; None where the status is decided."""

    points: float | None = None
    """The points of that item, in place of the rubric's."""

    status: str | None = None
    """The submission's status; None where something else is decided."""

    drop_points: float | None = None
    """The X of the checkpoint that ``verdict`` is for."""

    verdict: str | None = None
    """passed or failed: how a checkpoint that was undecided is settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduction:
    """Points of a rubric item that were not given, and why."""

    points: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemScore:
    """The points for one rubric item."""

    item: str
    title: str
    kind: str
    maximum: float

    points: float | None
    """None where they are hidden."""

    losses: tuple[Deduction, ...] = ()
    """Why points are missing; they add up to what is missing, unless there is an override."""

    override: Override | None = None
    """The instructor's decision that replaced the points of the rubric."""

    uses_test: bool = False
    """Whether figures of the test split decide it."""

    pending: float = 0.0
    """Points that wait for a decision of the instructor; they are not among ``points``."""


# --- robustness -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessPoint:
    """What one net answers where the trigger is changed in one way, so far."""

    kind: str
    """size, opacity, shift, colour, jpeg, or whatever the benchmark names."""

    level: float

    unit: str
    """Of ``level``: % and the like."""

    own: bool
    """Whether it is the trigger as it was trained."""

    net: str
    """badnet, repaired or goodnet."""

    drop_points: float | None
    """The net's X; None for the BadNet, and where nothing tells it."""

    images: str
    """Hash of the set's arrays, under which ``labels/`` and ``predictions/`` hold it."""

    predictions: str | None
    """The folder in ``predictions/`` that holds the net's answers; None for a G that is composed
    of the answers of B and B'."""

    total: int

    attacked: int
    """Images that got their target label."""

    abstained: int
    """Images that were answered with N + 1."""

    invalid: int
    """Images whose answer is not finite or out of range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactivationPoint:
    """What a B' answers after some steps of fine-tuning on a few backdoored images."""

    drop_points: float | None

    step: int
    """0: as it was handed in."""

    images: str
    """Hash of the set with the trigger as it was trained."""

    clean_images: str
    """Hash of the clean set."""

    predictions: str
    """The folder in ``predictions/`` that holds its answers."""

    total: int

    attacked: int
    """Images with the trigger that got their target label."""

    clean_total: int
    clean_correct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """How far a repair holds where the attack is not quite the one that it was made for."""

    points: tuple[RobustnessPoint, ...]
    """By kind, level and net."""

    reactivation: tuple[ReactivationPoint, ...] = ()
    """By X and step."""

    unmeasured: tuple[str, ...] = ()
    """What could not be measured, and why."""
