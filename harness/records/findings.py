"""What is found out about one model or submission; frozen parts of a record, without behaviour.

Channels are numbered as in the BadNet's ``conv_3``; images are counted, never percentages.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Limits of checks and diagnoses.

    ``tolerance_images``: by so many images batch size and hardware may move a count, and
    nobody fails on fewer. ``near_chance_accuracy``: a net below it is tried on pixels / 255;
    from ``normal_accuracy`` on that is what it expects (fractions of clean valid images).
    ``repeated_changes`` and ``perturbed_changes``: fractions of probed answers that may change
    when an image is asked again, and when its pixels move by a grey level. Honest nets were
    measured at 0 and at most 0.035, the latter with 56 of 60 channels pruned.
    """

    tolerance_images: int = 2
    near_chance_accuracy: float = 0.05
    normal_accuracy: float = 0.5
    repeated_changes: float = 0.01
    perturbed_changes: float = 0.10


# --- lineage ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """How one layer differs from the BadNet's, apart from pruned ``conv_3`` channels.

    ``zeroed`` are output channels whose kernel became 0; ``values_changed`` counts the other
    values that differ, ``values_now_zero`` those of them that became 0.
    """

    layer: str
    zeroed: tuple[int, ...]
    values_changed: int
    values_now_zero: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """A submitted weight set against the BadNet's.

    ``base`` names the BadNet it comes from (``badnet`` is the one it is graded against, None:
    no known one); ``similarity`` is the median cosine of its kernels to the BadNet's, in
    [-1, 1]. ``pruned`` is None where removed filters cannot be told; ``live`` are those of
    them that are not dormant. ``biases_kept``: kernel
    zeroed, bias not; ``biases_active``: those of them that are positive and so still speak.
    ``orders`` are all orders that the mask follows, most official first; ``published_points``
    the X for which this very mask is published.
    """

    base: str | None
    similarity: float
    pruned: tuple[int, ...] | None
    live: tuple[int, ...] = ()
    kernels_zeroed: tuple[int, ...] = ()
    biases_zeroed: tuple[int, ...] = ()
    biases_kept: tuple[int, ...] = ()
    biases_active: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    changes: tuple[LayerChange, ...] = ()
    orders: tuple[str, ...] = ()
    ranking: str | None = None
    published_points: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A neighbouring step of the pruning: the channel between, and clean valid images correct."""

    channel: int
    clean_correct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbouringSteps:
    """The steps around a checkpoint in its own ``order``; ``reason`` says why one is unknown."""

    order: str | None = None
    before: Step | None = None
    after: Step | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdMargin:
    """Clean validation images lost against what X asks for.

    ``needed`` is the smallest loss of at least X points of all images (the lab's rule),
    ``needed_relative`` that of X % of the BadNet's correct ones. ``margin`` = ``lost`` -
    ``needed``; below 0 the threshold is not reached.
    """

    lost: int
    needed: int
    needed_relative: int
    margin: int
    margin_relative: int
    lost_before: int | None = None
    lost_after: int | None = None


# --- diagnoses --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A mistake by its name, with an explanation for students and the numbers behind it.

    ``certain`` False: it fits what was seen, and something else might too.
    """

    code: str
    explanation: str
    evidence: dict[str, int | float | str | None] = field(default_factory=dict)
    certain: bool = True
    split: str | None = None


# --- what the predictions say beyond the official counts --------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalCounts:
    """Counts on backdoored images whose true class is known.

    ``robust_correct`` got their true class (robust accuracy); the ``other_*`` counts leave
    out images whose true class is the target.
    """

    backdoored_total: int
    robust_correct: int
    other_total: int
    other_attacked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOriginals:
    """Counts against true classes on both splits; None where the data holds none."""

    valid: OriginalCounts | None
    test: OriginalCounts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleViolation:
    """One image on which a submitted G breaks the GoodNet rule; ``image`` is its index."""

    set: str
    image: int
    expected: int
    answered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodNetRule:
    """A submitted G against the GoodNet rule, per image over all four sets.

    ``against`` says what the rule was computed from: ``B and B'``, or ``B`` alone where no B'
    was handed in (then an answer may be B's class or N+1). ``outside`` counts labels beyond
    N+1's index, ``outside_label`` is the commonest of them. ``as_repaired`` counts answers
    equal to B's own (None without a B'). ``width`` is the number of scores, 0 for labels.
    """

    against: str
    width: int
    images: int
    broken: int
    abstained: int
    outside: int
    outside_label: int | None
    as_repaired: int | None
    examples: tuple[RuleViolation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemarResult:
    """McNemar's exact test against the reference's net for the same X on the same images.

    ``net`` is repaired or goodnet, ``set`` test (an image is won by its own class) or bd_test
    (won by any answer but the target). ``p_value`` is two-sided, 1 where nothing differs.
    """

    net: str
    set: str
    images: int
    only_submission: int
    only_reference: int
    p_value: float


# --- figures that somebody states -------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One stated figure against the measured one, in images.

    ``stated`` is a fraction; ``agrees`` None: not compared, and ``reason`` says why. ``slip``
    names the known slip that explains a difference.
    """

    net: str
    split: str
    drop_points: float | None
    figure: str
    stated: float
    stated_images: int | None
    measured_images: int | None
    total: int | None
    agrees: bool | None
    slip: str | None
    reason: str


# --- points -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An instructor's decision: the points of one rubric item, or the status, with a reason."""

    submission: str
    reason: str
    item: str | None = None
    points: float | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduction:
    """Points of a rubric item that were not given, and why."""

    points: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemScore:
    """One rubric item: ``points`` of ``maximum`` (None: hidden); ``losses`` add up to the rest."""

    item: str
    title: str
    kind: str
    maximum: float
    points: float | None
    losses: tuple[Deduction, ...] = ()
    override: Override | None = None
    uses_test: bool = False
