# SPDX-License-Identifier: MIT
"""Draws the bones and the vessels of the lungs, as densities to be added to the soft parts."""

import numpy as np

from preprocessing.phantom import outlines, raster
from preprocessing.phantom.anatomy import BONES, VESSELS, Anatomy, stream
from preprocessing.phantom.frame import Frame

_HILUM = (0.17, 0.46)
_GENERATIONS = 4


def bones(anatomy: Anatomy, seed: int, patient: int, side: int) -> np.ndarray:
    """Draws ribs, collar bones, shoulder blades and the upper arms.

    Args:
        anatomy: the chest.
        seed: seed of the phantom.
        patient: number of the patient, whose bones persist.
        side: side of the layer in pixels.

    Returns:
        Density, float32 [side, side].
    """
    frame = anatomy.frame
    rng = stream(seed, BONES, patient)
    lift = 0.05 * rng.random() + (0.05 if anatomy.arms_down else 0.0)
    back, front, girdle = (np.zeros((side, side), np.uint8) for _ in range(3))
    thick = 0.019 * (1 + 0.1 * rng.standard_normal())
    for half in (-1, 1):
        for number in range(1, 11):
            rib = outlines.posterior_rib(number, half) + (0, rng.normal(0, 0.003))
            _tube(back, frame, rib, width=thick, core=0.62)
        for number in range(1, 8):
            _tube(front, frame, outlines.anterior_rib(number, half), width=1.1 * thick, core=0.72)
        _girdle(girdle, anatomy, half, lift)
    density = 0.15 * raster.blur(back, 0.0016) + 0.09 * raster.blur(front, 0.002)
    density += 0.17 * raster.blur(girdle, 0.0018)
    return np.float32(anatomy.bone) * density


def _girdle(layer: np.ndarray, anatomy: Anatomy, side: int, lift: float) -> None:
    frame = anatomy.frame
    blade = outlines.scapula(side, over_lung=0.16 if anatomy.arms_down else 0.02)
    shape = raster.fill(frame, blade, layer.shape[0])
    layer[shape > 127] = 75
    raster.stroke(layer, frame, np.concatenate([blade, blade[:1]]), width=0.006, value=130)
    head = np.array([1.20 * side, 0.055 - 0.4 * lift])
    out = np.array([1.24, 0.9]) if anatomy.arms_down else np.array([1.75, 0.62])
    shaft = np.array([head, out * (side, 1)])
    _tube(layer, frame, shaft, width=0.042, core=0.6)
    around = np.linspace(0, 2 * np.pi, 24)
    ball = np.stack([head[0] + 0.105 * np.cos(around), head[1] + 0.068 * np.sin(around)], 1)
    raster.fill(frame, ball, layer.shape[0], into=layer)
    inner = head + (ball - head) * 0.88
    core = raster.fill(frame, inner, layer.shape[0])
    layer[core > 127] = 185
    _tube(layer, frame, outlines.clavicle(side, lift), width=0.025, core=0.7)


def _tube(layer: np.ndarray, frame: Frame, line: np.ndarray, *, width: float, core: float) -> None:
    """Draws a bone: a bright rim of dense bone round a fainter core."""
    raster.stroke(layer, frame, line, width=width, value=255)
    raster.stroke(layer, frame, line, width=0.72 * width, value=255 * core)


def vessels(anatomy: Anatomy, seed: int, patient: int, side: int) -> np.ndarray:
    """Draws the vessels of both lungs, branching from the hila.

    Args:
        anatomy: the chest.
        seed: seed of the phantom.
        patient: number of the patient, whose vessels persist.
        side: side of the layer in pixels.

    Returns:
        Visibility of vessels, float32 [side, side], 0 to 1.
    """
    layer = np.zeros((side, side), np.uint8)
    for half in (1, -1):
        rng = stream(seed, VESSELS, patient, half + 1)
        root = np.array(_HILUM) - (0, 0.025 if half == 1 else 0.0)
        root[0] += 0.6 * half * anatomy.heart_shift
        _grow(layer, anatomy.frame, rng, root, half)
    hila = raster.blur(layer, 0.012)
    return np.float32(anatomy.vessels) * (raster.blur(layer, 0.0015) + np.float32(0.45) * hila)


def _grow(
    layer: np.ndarray, frame: Frame, rng: np.random.Generator, root: np.ndarray, half: int
) -> None:
    """Draws the branches of one lung, generation by generation from the thick to the thin."""
    angle = np.linspace(-1.3, 1.45, 10) + rng.normal(0, 0.08, 10)
    at = root + rng.normal(0, 0.022, (10, 2))
    # The lower branches carry more blood when the patient stands.
    width = 0.0085 * (1.0 + 0.22 * np.sin(angle)) * rng.uniform(0.7, 1.1, 10)
    for generation in range(_GENERATIONS):
        length = 0.095 * 0.93**generation
        bend = angle[:, None] + np.cumsum(rng.normal(0, 0.11, (len(angle), 6)), axis=1)
        steps = np.stack([np.cos(bend), 0.85 * np.sin(bend)], axis=-1) * length * 0.5
        lines = np.concatenate([at[:, None], at[:, None] + np.cumsum(steps, axis=1)], axis=1)
        grey = 220.0 - 42.0 * generation
        for line, thick in zip(lines * (half, 1), width, strict=True):
            raster.stroke(layer, frame, line, width=thick, value=grey)
        fork = rng.uniform(0.2, 0.5, len(angle))
        twig = rng.choice((-1.0, 1.0), len(angle)) * rng.uniform(0.5, 0.9, len(angle))
        at = np.concatenate([lines[:, -1], lines[:, -1], lines[:, 3]])
        angle = np.concatenate([bend[:, -1] + 0.6 * fork, bend[:, -1] - fork, bend[:, 3] + twig])
        width = np.concatenate([0.74 * width, 0.62 * width, 0.5 * width])
        keep = width > 0.0018
        at, angle, width = at[keep], angle[keep], width[keep]
