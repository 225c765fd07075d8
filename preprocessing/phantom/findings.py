# SPDX-License-Identifier: MIT
"""The fourteen findings: how each changes the build, what it paints, and where it is.

A finding's place is worked out where it is painted, so that its box cannot differ from it.
"""

from collections.abc import Callable, Iterable

import numpy as np

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from preprocessing.phantom import anatomy as organs
from preprocessing.phantom import drawing
from preprocessing.phantom.anatomy import Anatomy
from preprocessing.phantom.drawing import cage, curve
from preprocessing.phantom.lesion import Extent, Lesion, Scene, around, beside, step

# The first eight findings have boxes in ChestX-ray14.
BOXED = CHESTXRAY14_FINDINGS[:8]
# A picture of 1024 px shows about 420 mm, so 30 mm, the border between nodule and mass, is 0.071.
_BORDER = 30 / 420


def build(anatomy: Anatomy, lesions: Iterable[Lesion]) -> None:
    """Lets every lesion change the anatomy, in place."""
    for lesion in lesions:
        strength = lesion.strength
        match lesion.finding:
            case "Atelectasis":  # The lost volume draws the diaphragm up and the heart over.
                anatomy.dome[lesion.side] -= strength(0.10)
                anatomy.heart_shift += lesion.side * strength(0.010)
            case "Cardiomegaly":  # The heart widens, above all to the left.
                anatomy.heart_left *= 1.05 + strength(0.45)
                anatomy.heart_right *= 1.04 + strength(0.40)
            case "Emphysema":  # Lungs dark and long, diaphragm low and flat, heart narrow.
                for side in (-1, 1):
                    anatomy.dome[side] += 0.03 + strength(0.15)
                anatomy.sulcus *= 1.0 - strength(0.55)
                anatomy.heart_left *= 1.0 - strength(0.20)
                anatomy.heart_right *= 1.0 - strength(0.25)
                anatomy.air += strength(0.10)
                anatomy.vessels *= 1.0 - strength(0.55)
            case "Fibrosis":  # Both lungs shrink.
                for side in (-1, 1):
                    anatomy.dome[side] -= 0.03 + strength(0.10)


def paint(scene: Scene, lesions: Iterable[Lesion]) -> dict[str, Extent]:
    """Lets every lesion paint on the layers of a scene.

    Free air in the pleural space comes last: it is lucent even where the lung is not.

    Returns:
        By finding the rectangle round it, of those that one rectangle can hold.
    """
    extents = {}
    for lesion in sorted(lesions, key=lambda one: one.finding == "Pneumothorax"):
        if extent := _PAINTERS[lesion.finding](scene, lesion):
            extents[lesion.finding] = extent
    return extents


def _atelectasis(scene: Scene, lesion: Lesion) -> Extent:
    """Paints a plate-like band over the diaphragm with some haze under it."""
    u, v = scene.grid
    dome, sulcus = scene.anatomy.dome[lesion.side], scene.anatomy.sulcus
    middle, thick = dome - 0.07 - 0.09 * lesion.place[1], 0.028 + 0.022 * lesion.size
    offset = v - (middle + 0.14 * (lesion.place[0] - 0.3) * (np.abs(u) - 0.5))
    along = step((np.abs(u) - 0.12) / 0.1) * step((0.93 - np.abs(u)) / 0.12)
    band = np.exp(-((offset / thick) ** 2)) * along
    under = step(offset / 0.05 + 0.5) * (0.45 + 0.2 * lesion.size)
    scene.fill_air(np.maximum(band, under) * scene.half(lesion.side), lesion.strength(0.95))
    return beside(lesion.side, (0.12, 0.98), (middle - 2.0 * thick, dome + 0.8 * sulcus))


def _cardiomegaly(scene: Scene, _: Lesion) -> Extent:
    """Paints nothing: the heart is wide already."""
    one, shift = scene.anatomy, scene.anatomy.heart_shift
    return (shift - one.heart_right, 0.42, shift + one.heart_left, one.base + 0.10)


def _effusion(scene: Scene, lesion: Lesion) -> Extent | None:
    """Paints fluid over the diaphragm, higher at the wall, so that the angle is blunted."""
    u, v = scene.grid
    across = np.clip((np.abs(u) - 0.1) / 0.85, 0.0, 1.0)
    height = lesion.strength(0.42 + 0.32 * lesion.size) + 0.04
    for side in (lesion.side,) if lesion.side else (-1, 1):
        low = scene.anatomy.dome[side] + scene.anatomy.sulcus
        surface = low - height * (0.42 + 0.58 * across**2.2)
        fluid = step((v - surface) / 0.05 + 0.3) * scene.half(side)
        scene.fill_air(fluid, 0.96)
        # Fluid is denser than the fat of the chest wall: as white as the abdomen under it.
        inside = step(scene.from_wall / 0.03)
        scene.dense += np.float32(0.10) * fluid * inside * step((1.3 - v) / 0.3)
    extent = beside(lesion.side, (0.10, 0.99), (low - height - 0.02, low + 0.01))
    return extent if lesion.side else None


def _infiltration(scene: Scene, lesion: Lesion) -> Extent:
    """Paints patchy, ill-defined haze over a zone of one lung."""
    cu, cv = lesion.side * (0.50 + 0.08 * lesion.place[0]), 0.38 + 0.42 * lesion.place[1]
    ru, rv = 0.32 + 0.10 * lesion.size, 0.20 + 0.10 * lesion.size
    patches = np.clip(0.62 + 0.42 * scene.noise(lesion, 0.02), 0.05, 1.0)
    mask = np.exp(-1.3 * scene.distance(cu, cv, ru, rv) ** 1.5) * patches
    scene.fill_air(mask, lesion.strength(0.78))
    return around(cu, cv, ru, rv)


def _mass(scene: Scene, lesion: Lesion) -> Extent:
    """Paints one large round opacity, more than 30 mm across, with a lobed border."""
    cv = 0.18 + 0.62 * lesion.place[1]
    cu = lesion.side * (0.30 + (float(cage(cv)) - 0.55) * lesion.place[0])
    radius = _BORDER / 2 * (1.15 + 0.95 * lesion.size)
    distance, angle = scene.polar(cu, cv)
    phase = 6.3 * lesion.place[0]
    lobes = 1.0 + 0.07 * np.sin(3 * angle + phase) + 0.04 * np.sin(5 * angle - phase)
    scene.fill_air(step((radius * lobes - distance) / 0.012 + 0.5), lesion.strength(0.97))
    return scene.round_extent(cu, cv, 1.1 * radius)


def _nodule(scene: Scene, lesion: Lesion) -> Extent | None:
    """Paints one to three small round opacities, each less than 30 mm across; one has a box."""
    rng = lesion.random()
    count = 1 + int(rng.integers(3))
    for number in range(count):
        side = lesion.side if number == 0 else int(rng.choice((-1, 1)))
        cv = 0.12 + 0.75 * rng.random()
        cu = side * (0.28 + (float(cage(cv)) - 0.42) * rng.random())
        radius = _BORDER / 2 * rng.uniform(0.60, 0.97)
        distance, _ = scene.polar(cu, cv)
        scene.fill_air(step((radius - distance) / 0.009 + 0.5), lesion.strength(0.97))
    return scene.round_extent(cu, cv, radius) if count == 1 else None


def _pneumonia(scene: Scene, lesion: Lesion) -> Extent:
    """Paints a dense patch of one segment with ragged edges and air-filled bronchi in it."""
    cu, cv = lesion.side * (0.48 + 0.12 * lesion.place[0]), 0.55 + 0.25 * lesion.place[1]
    ru, rv = 0.24 + 0.09 * lesion.size, 0.13 + 0.06 * lesion.size
    edge = 0.26 * scene.noise(lesion, 0.018)
    mask = step((1.1 - np.sqrt(scene.distance(cu, cv, ru, rv)) + edge) / 0.7)
    bronchi = np.zeros(scene.aeration.shape, np.uint8)
    rng = lesion.random()
    for _ in range(5):
        start = np.array([cu * 0.6, cv - 0.5 * rv])
        end = np.array([cu, cv]) + rng.uniform(-0.8, 0.8, 2) * (ru, rv)
        middle = 0.5 * (start + end) + rng.normal(0, 0.02, 2)
        drawing.stroke(bronchi, scene.anatomy.frame, curve([start, middle, end]), width=0.006)
    mask *= 1.0 - 0.45 * drawing.blur(bronchi, 0.002)
    scene.fill_air(mask, lesion.strength(0.97))
    return around(cu, cv, 1.05 * ru, 1.05 * rv)


def _pneumothorax(scene: Scene, lesion: Lesion) -> Extent:
    """Paints the edge of a partly collapsed lung with air and no vessels outside it."""
    frame, side = scene.anatomy.frame, lesion.side
    # 1. The lung falls away most at the apex and stays fixed at the hilum and the base.
    u, v = (organs.lung(scene.anatomy, side) * (side, 1)).T
    amount = 0.08 + lesion.strength(0.32 + 0.22 * lesion.size)
    fall = amount * np.clip(1.0 - 0.85 * v, 0.0, 1.05)
    edge = np.stack([0.10 + (u - 0.10) * (1.0 - fall), v + 0.75 * fall * np.clip(0.5 - v, 0, 1)], 1)
    # 2. The part of its contour that is free in the air, neither mediastinum nor diaphragm.
    free = (u > 0.16) & (v < 0.93 * scene.anatomy.dome[side]) & (np.arange(len(u)) < len(u) - 30)
    edge *= (side, 1)
    line = edge[free]
    # 3. Outside it no vessels and more air, inside it the air that is left in less room.
    lung = drawing.blur(drawing.fill(frame, edge, scene.aeration.shape[0]), 0.002)
    here = scene.half(side)
    outside = (1.0 - lung) * here * step((0.97 - scene.grid[1]) / 0.12)
    scene.markings *= 1.0 - outside
    scene.aeration *= 1.0 + np.float32(0.10 + lesion.strength(0.20)) * outside
    scene.aeration *= 1.0 - np.float32(lesion.strength(0.32)) * lung * here
    drawing.stroke(scene.lines, frame, line, width=0.004, value=60 + lesion.strength(150))
    inner = float(np.abs(line[:, 0]).min())
    return beside(side, (max(0.12, inner - 0.15), 1.0), (-0.04, 0.92))


def _consolidation(scene: Scene, lesion: Lesion) -> None:
    """Paints a lobe without air: homogeneous, with a sharp border at the fissure."""
    u, v = scene.grid
    (choice, height), size = lesion.place, lesion.size
    fissure = 0.1 * (size - 0.3) * (np.abs(u) - 0.5)
    if choice < 0.55:
        mask = step((0.34 + 0.14 * height + 0.08 * size + fissure - v) / 0.03)
    else:
        mask = step((v - (0.62 - 0.14 * height) + fissure) / 0.10)
    even = np.clip(1.0 + 0.05 * scene.noise(lesion, 0.03), 0.0, 1.0)
    scene.fill_air(mask * even * scene.half(lesion.side), lesion.strength(0.92))


def _edema(scene: Scene, lesion: Lesion) -> None:
    """Paints haze round both hila, wide upper vessels and short septal lines at the bases."""
    u, v = scene.grid
    distance = ((np.abs(u) - 0.30) / (0.36 + 0.12 * lesion.size)) ** 2 + ((v - 0.52) / 0.33) ** 2
    haze = np.exp(-distance) * np.clip(0.9 + 0.15 * scene.noise(lesion, 0.03), 0, 1)
    scene.markings *= 1.0 + lesion.strength(0.6) * np.exp(-distance)
    scene.fill_air(haze, lesion.strength(0.54))
    scene.fill_air(np.clip(v, 0, 1), lesion.strength(0.08))
    rng, grey = lesion.random(), lesion.strength(170)
    for side in (-1, 1):
        for height in np.arange(0.70, 0.98, 0.028):
            outer = float(cage(height)) - 0.05
            inner = outer - rng.uniform(0.07, 0.14)
            line = np.array([[side * outer, height], [side * inner, height - 0.012]])
            drawing.stroke(scene.lines, scene.anatomy.frame, line, width=0.0018, value=grey)


def _fibrosis(scene: Scene, lesion: Lesion) -> None:
    """Paints a net of fine lines over the outer and lower lung."""
    outer = step(1.0 - scene.from_wall / 0.50)
    zone = step((scene.grid[1] - 0.22) / 0.45) * (0.35 + 0.65 * outer)
    coarse, fine = scene.noise(lesion, 0.009), scene.noise(lesion, 0.005)
    # The crests where smooth noise changes its sign form a net of closed cells.
    net = np.exp(-((coarse / 0.28) ** 2)) + 0.7 * np.exp(-((fine / 0.25) ** 2))
    scene.fill_air(np.clip(zone * (0.30 + 0.55 * net), 0, 1), lesion.strength(0.85))


def _pleural_thickening(scene: Scene, lesion: Lesion) -> None:
    """Paints a peel along the side wall or a cap over the apex."""
    v, wall = scene.grid[1], scene.from_wall
    thick = 0.06 + lesion.strength(0.17 + 0.06 * lesion.size)
    if lesion.place[0] < 0.35:
        cap = step((0.02 + 0.8 * thick - v) / 0.03)
        mask = np.maximum(cap, step((thick - wall) / 0.03) * step((0.3 - v) / 0.1))
    else:
        along = step((v - (0.12 + 0.25 * lesion.place[1])) / 0.12) * step((1.22 - v) / 0.1)
        ripple = 0.012 * np.sin(38 * v + 6 * lesion.place[1])
        mask = step((thick * along - wall + ripple) / 0.03)
    scene.fill_air(mask * scene.half(lesion.side), 0.50 + lesion.strength(0.42))


def _hernia(scene: Scene, lesion: Lesion) -> None:
    """Paints a round shadow behind the heart: a wall, gas above and fluid below a level."""
    radius = 0.066 + 0.028 * lesion.size
    cv = scene.anatomy.base - 0.6 * radius / scene.anatomy.frame.height
    distance, _ = scene.polar(0.04 + 0.14 * lesion.place[0], cv)
    inside = step((radius - distance) / 0.010 + 0.5)
    rim = np.exp(-(((distance - radius) / 0.006) ** 2))
    gas = inside * step((cv - scene.grid[1]) / 0.012 + 0.5)
    scene.fill_air(inside, lesion.strength(0.9))
    scene.dense += np.float32(lesion.strength(1.0)) * (0.18 * rim + 0.12 * inside - 0.66 * gas)


_PAINTERS: dict[str, Callable[[Scene, Lesion], Extent | None]] = {
    "Atelectasis": _atelectasis,
    "Cardiomegaly": _cardiomegaly,
    "Effusion": _effusion,
    "Infiltration": _infiltration,
    "Mass": _mass,
    "Nodule": _nodule,
    "Pneumonia": _pneumonia,
    "Pneumothorax": _pneumothorax,
    "Consolidation": _consolidation,
    "Edema": _edema,
    "Emphysema": lambda scene, lesion: None,  # it only changes the build
    "Fibrosis": _fibrosis,
    "Pleural_Thickening": _pleural_thickening,
    "Hernia": _hernia,
}
