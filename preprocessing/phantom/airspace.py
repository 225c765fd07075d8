# SPDX-License-Identifier: MIT
"""Findings in which fluid, pus or scar replaces air: haze, patches, bands and lines in the lung."""

import numpy as np

from preprocessing.phantom import raster
from preprocessing.phantom.anatomy import Anatomy
from preprocessing.phantom.frame import cage, curve
from preprocessing.phantom.lesion import Extent, Lesion, Scene, on_side, step


def infiltration(scene: Scene, lesion: Lesion) -> None:
    """Paints patchy, ill-defined haze over a zone of one lung."""
    u, v = scene.grid
    cu, cv, ru, rv = _infiltrate(lesion)
    distance = ((u - cu) / ru) ** 2 + ((v - cv) / rv) ** 2
    patches = _noise(scene, lesion, 0.02)
    mask = np.exp(-1.3 * distance**1.5) * np.clip(0.62 + 0.42 * patches, 0.05, 1.0)
    scene.fill_air(mask, lesion.strength(0.78))


def infiltration_extent(_: Anatomy, lesion: Lesion) -> Extent:
    """Extent of the haze."""
    cu, cv, ru, rv = _infiltrate(lesion)
    return (cu - ru, cv - rv, cu + ru, cv + rv)


def _infiltrate(lesion: Lesion) -> tuple[float, float, float, float]:
    cv = 0.38 + 0.42 * lesion.place[1]
    cu = lesion.side * (0.50 + 0.08 * lesion.place[0])
    return (cu, cv, 0.32 + 0.10 * lesion.size, 0.20 + 0.10 * lesion.size)


def pneumonia(scene: Scene, lesion: Lesion) -> None:
    """Paints a dense patch of one segment with ragged edges and air-filled bronchi in it."""
    u, v = scene.grid
    cu, cv, ru, rv = _segment(lesion)
    distance = np.sqrt(((u - cu) / ru) ** 2 + ((v - cv) / rv) ** 2)
    edge = 0.26 * _noise(scene, lesion, 0.018)
    mask = step((1.1 - distance + edge) / 0.7)
    bronchi = np.zeros(scene.aeration.shape, np.uint8)
    rng = lesion.random()
    for _ in range(5):
        start = np.array([cu * 0.6, cv - 0.5 * rv])
        end = np.array([cu, cv]) + rng.uniform(-0.8, 0.8, 2) * (ru, rv)
        middle = 0.5 * (start + end) + rng.normal(0, 0.02, 2)
        track = curve([start, middle, end])
        raster.stroke(bronchi, scene.anatomy.frame, track, width=0.006)
    mask *= 1.0 - 0.45 * raster.blur(bronchi, 0.002)
    scene.fill_air(mask, lesion.strength(0.97))


def pneumonia_extent(_: Anatomy, lesion: Lesion) -> Extent:
    """Extent of the patch."""
    cu, cv, ru, rv = _segment(lesion)
    return (cu - 1.05 * ru, cv - 1.05 * rv, cu + 1.05 * ru, cv + 1.05 * rv)


def _segment(lesion: Lesion) -> tuple[float, float, float, float]:
    cu = lesion.side * (0.48 + 0.12 * lesion.place[0])
    cv = 0.55 + 0.25 * lesion.place[1]
    return (cu, cv, 0.24 + 0.09 * lesion.size, 0.13 + 0.06 * lesion.size)


def consolidation(scene: Scene, lesion: Lesion) -> None:
    """Paints a lobe without air: homogeneous, with a sharp border at the fissure."""
    u, v = scene.grid
    fissure = 0.1 * (lesion.size - 0.3) * (np.abs(u) - 0.5)
    if lesion.place[0] < 0.55:
        border = 0.34 + 0.14 * lesion.place[1] + 0.08 * lesion.size
        mask = step((border + fissure - v) / 0.03)
    else:
        border = 0.62 - 0.14 * lesion.place[1]
        mask = step((v - border + fissure) / 0.10)
    even = np.clip(1.0 + 0.05 * _noise(scene, lesion, 0.03), 0.0, 1.0)
    scene.fill_air(mask * even * on_side(scene, lesion.side), lesion.strength(0.92))


def edema(scene: Scene, lesion: Lesion) -> None:
    """Paints haze round both hila, wide upper vessels and short septal lines at the bases."""
    u, v = scene.grid
    spread = 0.36 + 0.12 * lesion.size
    distance = ((np.abs(u) - 0.30) / spread) ** 2 + ((v - 0.52) / 0.33) ** 2
    haze = np.exp(-distance) * np.clip(0.9 + 0.15 * _noise(scene, lesion, 0.03), 0, 1)
    scene.markings *= 1.0 + lesion.strength(0.6) * np.exp(-distance)
    scene.fill_air(haze, lesion.strength(0.54))
    scene.fill_air(np.clip(v, 0, 1), lesion.strength(0.08))
    rng = lesion.random()
    for side in (-1, 1):
        for height in np.arange(0.70, 0.98, 0.028):
            outer = float(cage(height)) - 0.05
            inner = outer - rng.uniform(0.07, 0.14)
            line = np.array([[side * outer, height], [side * inner, height - 0.012]])
            grey = lesion.strength(170)
            raster.stroke(scene.lines, scene.anatomy.frame, line, width=0.0018, value=grey)


def fibrosis_build(anatomy: Anatomy, lesion: Lesion) -> None:
    """Shrinks both lungs."""
    for side in (-1, 1):
        anatomy.dome[side] -= 0.03 + lesion.strength(0.10)


def fibrosis(scene: Scene, lesion: Lesion) -> None:
    """Paints a net of fine lines over the outer and lower lung."""
    _, v = scene.grid
    outer = step(1.0 - scene.from_wall / 0.50)
    zone = step((v - 0.22) / 0.45) * (0.35 + 0.65 * outer)
    coarse, fine = _noise(scene, lesion, 0.009), _noise(scene, lesion, 0.005)
    # The crests where smooth noise changes its sign form a net of closed cells.
    net = np.exp(-((coarse / 0.28) ** 2)) + 0.7 * np.exp(-((fine / 0.25) ** 2))
    scene.fill_air(np.clip(zone * (0.30 + 0.55 * net), 0, 1), lesion.strength(0.85))


def atelectasis_build(anatomy: Anatomy, lesion: Lesion) -> None:
    """Raises the diaphragm on the side that lost volume and draws the heart towards it."""
    anatomy.dome[lesion.side] -= lesion.strength(0.10)
    anatomy.heart_shift += lesion.side * lesion.strength(0.010)


def atelectasis(scene: Scene, lesion: Lesion) -> None:
    """Paints a plate-like band over the diaphragm with some haze under it."""
    u, v = scene.grid
    middle, slope, thick = _band(scene.anatomy, lesion)
    offset = v - (middle + slope * (np.abs(u) - 0.5))
    along = step((np.abs(u) - 0.12) / 0.1) * step((0.93 - np.abs(u)) / 0.12)
    band = np.exp(-((offset / thick) ** 2)) * along
    under = step(offset / 0.05 + 0.5) * (0.45 + 0.2 * lesion.size)
    here = on_side(scene, lesion.side)
    scene.fill_air(np.maximum(band, under) * here, lesion.strength(0.95))


def atelectasis_extent(anatomy: Anatomy, lesion: Lesion) -> Extent:
    """Extent of the band and of the raised diaphragm."""
    middle, _, thick = _band(anatomy, lesion)
    low = anatomy.dome[lesion.side] + 0.8 * anatomy.sulcus
    ends = sorted((0.12 * lesion.side, 0.98 * lesion.side))
    return (ends[0], middle - 2.0 * thick, ends[1], low)


def _band(anatomy: Anatomy, lesion: Lesion) -> tuple[float, float, float]:
    middle = anatomy.dome[lesion.side] - 0.07 - 0.09 * lesion.place[1]
    return (middle, 0.14 * (lesion.place[0] - 0.3), 0.028 + 0.022 * lesion.size)


def _noise(scene: Scene, lesion: Lesion, grain: float) -> np.ndarray:
    """Smooth noise whose grains keep their size in the chest, whatever the picture's size."""
    side = scene.aeration.shape[0]
    return raster.noise(lesion.random(), 1 + round(grain * 1000), side, grain * side)
