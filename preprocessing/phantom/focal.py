# SPDX-License-Identifier: MIT
"""Findings with a border of their own: mass, nodule and hiatus hernia."""

import numpy as np

from preprocessing.phantom.anatomy import Anatomy
from preprocessing.phantom.frame import cage
from preprocessing.phantom.lesion import Extent, Lesion, Scene, step

# A picture of 1024 px shows about 420 mm, so 30 mm, the border between nodule and mass, is 0.071.
_BORDER = 30 / 420


def mass(scene: Scene, lesion: Lesion) -> None:
    """Paints one large round opacity, more than 30 mm across, with a lobed border."""
    cu, cv, radius = _mass(lesion)
    distance, angle = _polar(scene, cu, cv)
    phase = 6.3 * lesion.place[0]
    lobes = 1.0 + 0.07 * np.sin(3 * angle + phase) + 0.04 * np.sin(5 * angle - phase)
    scene.fill_air(step((radius * lobes - distance) / 0.012 + 0.5), lesion.strength(0.97))


def mass_extent(anatomy: Anatomy, lesion: Lesion) -> Extent:
    """Extent of the mass."""
    cu, cv, radius = _mass(lesion)
    return _around(anatomy, cu, cv, 1.1 * radius)


def _mass(lesion: Lesion) -> tuple[float, float, float]:
    cv = 0.18 + 0.62 * lesion.place[1]
    cu = lesion.side * (0.30 + (float(cage(cv)) - 0.55) * lesion.place[0])
    return cu, cv, _BORDER / 2 * (1.15 + 0.95 * lesion.size)


def nodule(scene: Scene, lesion: Lesion) -> None:
    """Paints one to three small round opacities, each less than 30 mm across."""
    for cu, cv, radius in _nodules(lesion):
        distance, _ = _polar(scene, cu, cv)
        scene.fill_air(step((radius - distance) / 0.009 + 0.5), lesion.strength(0.97))


def nodule_extent(anatomy: Anatomy, lesion: Lesion) -> Extent | None:
    """Extent of a single nodule; none where there are several."""
    nodules = _nodules(lesion)
    return None if len(nodules) > 1 else _around(anatomy, *nodules[0])


def _nodules(lesion: Lesion) -> list[tuple[float, float, float]]:
    rng = lesion.random()
    nodules = []
    for number in range(1 + int(rng.integers(3))):
        side = lesion.side if number == 0 else int(rng.choice((-1, 1)))
        cv = 0.12 + 0.75 * rng.random()
        cu = side * (0.28 + (float(cage(cv)) - 0.42) * rng.random())
        nodules.append((cu, cv, _BORDER / 2 * rng.uniform(0.60, 0.97)))
    return nodules


def hernia(scene: Scene, lesion: Lesion) -> None:
    """Paints a round shadow behind the heart: a wall, gas above and fluid below a level."""
    base = 0.5 * (scene.anatomy.dome[-1] + scene.anatomy.dome[1])
    radius = 0.066 + 0.028 * lesion.size
    cv = base - 0.6 * radius / scene.anatomy.frame.height
    distance, _ = _polar(scene, 0.04 + 0.14 * lesion.place[0], cv)
    _, v = scene.grid
    inside = step((radius - distance) / 0.010 + 0.5)
    rim = np.exp(-(((distance - radius) / 0.006) ** 2))
    gas = inside * step((cv - v) / 0.012 + 0.5)
    scene.fill_air(inside, lesion.strength(0.9))
    scene.dense += np.float32(lesion.strength(1.0)) * (0.18 * rim + 0.12 * inside - 0.66 * gas)


def _polar(scene: Scene, cu: float, cv: float) -> tuple[np.ndarray, np.ndarray]:
    """Distance in fractions of the picture's side, and direction, from a point of the chest."""
    u, v = scene.grid
    frame = scene.anatomy.frame
    x, y = (u - cu) * np.float32(frame.half_width), (v - cv) * np.float32(frame.height)
    return np.sqrt(x * x + y * y), np.arctan2(y, x)


def _around(anatomy: Anatomy, cu: float, cv: float, radius: float) -> Extent:
    ru, rv = radius / anatomy.frame.half_width, radius / anatomy.frame.height
    return (cu - ru, cv - rv, cu + ru, cv + rv)
