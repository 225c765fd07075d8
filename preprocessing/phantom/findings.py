# SPDX-License-Identifier: MIT
"""The table of the fourteen findings: how each changes the build, what it paints, where it lies."""

import dataclasses
from collections.abc import Callable, Iterable

from preprocessing.phantom import airspace, focal, pleura
from preprocessing.phantom.anatomy import Anatomy
from preprocessing.phantom.lesion import Extent, Lesion, Scene


def cardiomegaly_build(anatomy: Anatomy, lesion: Lesion) -> None:
    """Widens the heart, above all to the left."""
    anatomy.heart_left *= 1.05 + lesion.strength(0.45)
    anatomy.heart_right *= 1.04 + lesion.strength(0.40)


def cardiomegaly_extent(anatomy: Anatomy, _: Lesion) -> Extent:
    """Extent of the heart's shadow."""
    shift = anatomy.heart_shift
    base = 0.5 * (anatomy.dome[-1] + anatomy.dome[1])
    return (shift - anatomy.heart_right, 0.42, shift + anatomy.heart_left, base + 0.10)


def emphysema_build(anatomy: Anatomy, lesion: Lesion) -> None:
    """Makes the lungs dark and long, the diaphragm low and flat, the heart narrow."""
    for side in (-1, 1):
        anatomy.dome[side] += 0.03 + lesion.strength(0.15)
    anatomy.sulcus *= 1.0 - lesion.strength(0.55)
    anatomy.heart_left *= 1.0 - lesion.strength(0.20)
    anatomy.heart_right *= 1.0 - lesion.strength(0.25)
    anatomy.air += lesion.strength(0.10)
    anatomy.vessels *= 1.0 - lesion.strength(0.55)


@dataclasses.dataclass(frozen=True)
class Finding:
    """How one finding is drawn.

    Attributes:
        build: changes the anatomy before it is drawn.
        paint: paints on the layers.
        extent: the rectangle round it, or None where one rectangle cannot hold it. Only the eight
            findings which have boxes in ChestX-ray14 have this function.
    """

    build: Callable[[Anatomy, Lesion], None] | None = None
    paint: Callable[[Scene, Lesion], None] | None = None
    extent: Callable[[Anatomy, Lesion], Extent | None] | None = None


FINDINGS: dict[str, Finding] = {
    "Atelectasis": Finding(
        airspace.atelectasis_build, airspace.atelectasis, airspace.atelectasis_extent
    ),
    "Cardiomegaly": Finding(build=cardiomegaly_build, extent=cardiomegaly_extent),
    "Effusion": Finding(paint=pleura.effusion, extent=pleura.effusion_extent),
    "Infiltration": Finding(paint=airspace.infiltration, extent=airspace.infiltration_extent),
    "Mass": Finding(paint=focal.mass, extent=focal.mass_extent),
    "Nodule": Finding(paint=focal.nodule, extent=focal.nodule_extent),
    "Pneumonia": Finding(paint=airspace.pneumonia, extent=airspace.pneumonia_extent),
    "Pneumothorax": Finding(paint=pleura.pneumothorax, extent=pleura.pneumothorax_extent),
    "Consolidation": Finding(paint=airspace.consolidation),
    "Edema": Finding(paint=airspace.edema),
    "Emphysema": Finding(build=emphysema_build),
    "Fibrosis": Finding(build=airspace.fibrosis_build, paint=airspace.fibrosis),
    "Pleural_Thickening": Finding(paint=pleura.pleural_thickening),
    "Hernia": Finding(paint=focal.hernia),
}


def build(anatomy: Anatomy, lesions: Iterable[Lesion]) -> None:
    """Lets every lesion change the anatomy, in place."""
    for lesion in lesions:
        change = FINDINGS[lesion.finding].build
        if change:
            change(anatomy, lesion)


def paint(scene: Scene, lesions: Iterable[Lesion]) -> None:
    """Lets every lesion paint on the layers of a scene.

    Free air in the pleural space comes last: it is lucent whatever the lung looks like.
    """
    for lesion in sorted(lesions, key=lambda one: one.finding == "Pneumothorax"):
        draw = FINDINGS[lesion.finding].paint
        if draw:
            draw(scene, lesion)
