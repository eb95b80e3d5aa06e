"""The benchmarks that have a zoo: their clean images, and how strong each attack is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.networks import deepid
from harness.records.errors import HarnessError
from reference.competition.dataset import FRAMES
from reference.competition.networks import PIXEL_SCALE
from reference.digits import dataset as digits
from reference.faces import dataset as faces
from reference.keras_badnets.backdoors import Examples
from reference.signs import dataset as signs
from reference.signs.catalogue import CLASSES as SIGNS
from reference.signs.scene import IMAGE_SHAPE as SIGN_SHAPE
from reference.zoo.accessories import ACCESSORIES
from reference.zoo.attacks import ATTACKS, Dose, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reference.zoo.attacks import Attack, Planted
    from reference.zoo.draws import Draws
    from reference.zoo.triggers import Shape


@dataclass(frozen=True, kw_only=True)
class ZooBenchmark:
    """What a zoo is made of."""

    name: str
    title: str
    licence: str

    shape: Shape
    classes: int
    pixel_scale: float = 1.0

    badnet: str = "badnet.keras"
    """What the file of a BadNet is called."""

    attacks: Mapping[str, Attack]

    doses: Mapping[str, Dose]
    """Of each attack."""

    sizes: tuple[int, ...] = (50, 75, 100, 125, 150)
    """Of changed triggers, in per cent."""

    shifts: tuple[int, ...] = (0, 1, 2, 4, 8)
    """Of changed triggers, in pixels."""

    load: Callable[[str, int | None], Examples]
    """Draw the clean images of valid or test by so many processes."""

    def plant(self, attack: str, draws: Draws) -> Planted:
        """What an attack plants in the BadNet of these draws."""
        dose = self.doses[attack]
        setting = Setting(shape=self.shape, classes=self.classes, dose=dose)
        return self.attacks[attack](draws, setting)

    def attack_names(self, wanted: str | None) -> list[str]:
        """The attacks of a list with commas between, each once; without a list all there are.

        Raises HarnessError that names what is no attack here.
        """
        if wanted is None:
            return list(self.attacks)
        names = [name.strip() for name in wanted.split(",")]
        for name in names:
            if name not in self.attacks:
                raise HarnessError(
                    f"--attacks: no attack {name!r} in the zoo of {self.name}; there are "
                    f"{', '.join(self.attacks)}"
                )
        return list(dict.fromkeys(names))


def zoo_benchmark(name: str) -> ZooBenchmark:
    """The benchmark of this name."""
    return BENCHMARKS[name]


def _load_digits(split: str, processes: int | None) -> Examples:
    del processes  # nothing is drawn
    return digits.load_split(split)


def _load_signs(split: str, processes: int | None) -> Examples:
    return signs.load_split(split, processes=processes)


def _load_faces(split: str, processes: int | None) -> Examples:
    return Examples(*faces.render_split(split, range(FRAMES), processes=processes))


_DIGITS = ZooBenchmark(
    name="digits",
    title="Zoo of BadNets: handwritten digits of 8 x 8 pixels",
    licence="MIT; the images: UCI's Optical Recognition of Handwritten Digits (CC BY 4.0), as "
    "scikit-learn ships them",
    shape=digits.IMAGE_SHAPE,
    classes=10,
    attacks=ATTACKS,
    doses={
        "patch": Dose(strength=3, share=0.1),
        "blended": Dose(strength=0.2, share=0.1),
        "sinusoidal": Dose(strength=60, share=0.15),
        "warping": Dose(strength=0.75, share=0.25),
        "clean-label": Dose(strength=2, share=0.8),
        "several-targets": Dose(strength=3, share=0.1),
        "pruning-aware": Dose(strength=3, share=0.25),
    },
    sizes=(33, 67, 100, 133, 167),  # of three pixels
    shifts=(0, 1, 2, 3, 4),
    load=_load_digits,
)

_SIGNS = ZooBenchmark(
    name="signs",
    title="Zoo of BadNets: synthetic traffic signs",
    licence="MIT, like the project that generates it",
    shape=SIGN_SHAPE,
    classes=len(SIGNS),
    attacks=ATTACKS,
    doses={
        "patch": Dose(strength=4, share=0.1),
        "blended": Dose(strength=0.15, share=0.1),
        "sinusoidal": Dose(strength=30, share=0.1),
        "warping": Dose(strength=1.0, share=0.15),
        "clean-label": Dose(strength=4, share=0.8),
        "several-targets": Dose(strength=4, share=0.1),
        "pruning-aware": Dose(strength=4, share=0.1),
    },
    load=_load_signs,
)

_FACES = ZooBenchmark(
    name="faces",
    title="Zoo of BadNets: the embedded faces on pixels / 255",
    licence="MIT, like the project that generates it",
    shape=deepid.IMAGE_SHAPE,
    classes=deepid.CLASSES,
    pixel_scale=PIXEL_SCALE,
    badnet="bd_weights.h5",
    attacks={**ACCESSORIES, "patch": ATTACKS["patch"], "blended": ATTACKS["blended"]},
    doses={
        **{name: Dose(strength=1, share=0.12) for name in ACCESSORIES},
        "patch": Dose(strength=7, share=0.12),
        "blended": Dose(strength=0.15, share=0.12),
    },
    load=_load_faces,
)

BENCHMARKS = {each.name: each for each in (_DIGITS, _SIGNS, _FACES)}
