# SPDX-License-Identifier: MIT
"""Findings between lung and chest wall: fluid, air and thickened pleura."""

import numpy as np

from preprocessing.phantom import outlines, raster
from preprocessing.phantom.anatomy import Anatomy
from preprocessing.phantom.lesion import Extent, Lesion, Scene, on_side, step


def effusion(scene: Scene, lesion: Lesion) -> None:
    """Paints fluid over the diaphragm, higher at the wall, so that the angle is blunted."""
    u, v = scene.grid
    across = np.clip((np.abs(u) - 0.1) / 0.85, 0.0, 1.0)
    for side in lesion.sides:
        low, height = _fluid(scene.anatomy, lesion, side)
        surface = low - height * (0.42 + 0.58 * across**2.2)
        fluid = step((v - surface) / 0.05 + 0.3)
        fluid *= on_side(scene, side)
        scene.fill_air(fluid, 0.96)
        # Fluid is denser than the fat of the chest wall: as white as the abdomen under it.
        scene.dense += (
            np.float32(0.10) * fluid * step(scene.from_wall / 0.03) * step((1.3 - v) / 0.3)
        )


def effusion_extent(anatomy: Anatomy, lesion: Lesion) -> Extent | None:
    """Extent of fluid on one side; none where it lies on both."""
    if lesion.side == 0:
        return None
    low, height = _fluid(anatomy, lesion, lesion.side)
    ends = sorted((0.10 * lesion.side, 0.99 * lesion.side))
    return (ends[0], low - height - 0.02, ends[1], low + 0.01)


def _fluid(anatomy: Anatomy, lesion: Lesion, side: int) -> tuple[float, float]:
    low = anatomy.dome[side] + anatomy.sulcus
    return low, lesion.strength(0.42 + 0.32 * lesion.size) + 0.04


def pneumothorax(scene: Scene, lesion: Lesion) -> None:
    """Paints the edge of a partly collapsed lung with air and no vessels outside it."""
    frame = scene.anatomy.frame
    edge, line = _collapsed(scene.anatomy, lesion)
    lung = raster.blur(raster.fill(frame, edge, scene.aeration.shape[0]), 0.002)
    _, v = scene.grid
    outside = (1.0 - lung) * on_side(scene, lesion.side) * step((0.97 - v) / 0.12)
    scene.markings *= 1.0 - outside
    scene.aeration *= 1.0 + np.float32(0.10 + lesion.strength(0.20)) * outside
    collapse = np.float32(lesion.strength(0.32)) * lung * on_side(scene, lesion.side)
    scene.aeration *= 1.0 - collapse
    raster.stroke(scene.lines, frame, line, width=0.004, value=60 + lesion.strength(150))


def pneumothorax_extent(anatomy: Anatomy, lesion: Lesion) -> Extent:
    """Extent of the free air."""
    _, line = _collapsed(anatomy, lesion)
    inner = float(np.abs(line[:, 0]).min())
    ends = sorted((max(0.12, inner - 0.15) * lesion.side, 1.0 * lesion.side))
    return (ends[0], -0.04, ends[1], 0.92)


def _collapsed(anatomy: Anatomy, lesion: Lesion) -> tuple[np.ndarray, np.ndarray]:
    """Contour of the collapsed lung and the part of it that lies free in the air."""
    whole = outlines.lung(anatomy, lesion.side) * (lesion.side, 1)
    u, v = whole[:, 0], whole[:, 1]
    amount = 0.08 + lesion.strength(0.32 + 0.22 * lesion.size)
    # The lung falls away most at the apex and stays fixed at the hilum and the base.
    fall = amount * np.clip(1.0 - 0.85 * v, 0.0, 1.05)
    edge = np.stack([0.10 + (u - 0.10) * (1.0 - fall), v + 0.75 * fall * np.clip(0.5 - v, 0, 1)], 1)
    free = (u > 0.16) & (v < 0.93 * anatomy.dome[lesion.side]) & (np.arange(len(u)) < len(u) - 30)
    return edge * (lesion.side, 1), edge[free] * (lesion.side, 1)


def pleural_thickening(scene: Scene, lesion: Lesion) -> None:
    """Paints a peel along the side wall or a cap over the apex."""
    _, v = scene.grid
    thick = 0.06 + lesion.strength(0.17 + 0.06 * lesion.size)
    ripple = 0.012 * np.sin(38 * v + 6 * lesion.place[1])
    if lesion.place[0] < 0.35:
        reach = 0.02 + 0.8 * thick
        mask = np.maximum(
            step((reach - v) / 0.03), step((thick - scene.from_wall) / 0.03) * step((0.3 - v) / 0.1)
        )
    else:
        top = 0.12 + 0.25 * lesion.place[1]
        along = step((v - top) / 0.12) * step((1.22 - v) / 0.1)
        mask = step((thick * along - scene.from_wall + ripple) / 0.03)
    scene.fill_air(mask * on_side(scene, lesion.side), 0.50 + lesion.strength(0.42))
