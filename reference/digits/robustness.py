"""The changed trigger on digits of neither published split."""

from __future__ import annotations

from reference.digits.dataset import BACKDOOR, TARGET_LABEL, load_split
from reference.images.robustness import Plan, Victims

IMAGES = 500


def plan(images: int = IMAGES) -> Plan:
    """The first digits of ``train``: there are no others, scikit-learn's are used up.

    Nobody who repairs the BadNet is handed them, but it was itself trained on them.
    """
    train = load_split("train")
    others = train.labels != TARGET_LABEL
    victims, labels = train.images[others][:images], train.labels[others][:images]
    return Plan(
        note=f"the first {len(labels)} digits but zeros that the BadNet was trained on (valid and "
        "test hold all others); clean: the first of all classes",
        images=train.images[:images],
        labels=train.labels[:images],
        victims=[Victims(victims, BACKDOOR.targets(labels), BACKDOOR.stamp)],
        sizes=(33, 67, 100, 133, 167),
        shifts=(0, 1, 2, 3, 4),
    )
