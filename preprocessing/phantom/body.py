# SPDX-License-Identifier: MIT
"""Draws the parts of the body as densities: soft parts, bones and the vessels of the lungs."""

import cv2
import numpy as np

from preprocessing.phantom import anatomy as organs
from preprocessing.phantom import drawing
from preprocessing.phantom.anatomy import BONES, VESSELS, Anatomy, stream
from preprocessing.phantom.drawing import Frame, cage, curve
from preprocessing.phantom.lesion import Scene, step

_HILUM = (0.17, 0.46)
_GENERATIONS = 4


def depth(lungs: np.ndarray) -> np.ndarray:
    """Thickness of the lungs along the beam, 0.5 at the edge rising to 1."""
    side = lungs.shape[0]
    small = cv2.resize(lungs, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
    distance = cv2.distanceTransform((small > 100).astype(np.uint8), cv2.DIST_L2, 3)
    depth = 1.0 - 0.5 * np.exp(-distance / np.float32(0.055 * side / 4))
    return drawing.resize(drawing.blur(depth, 0.006), side)


def soft_parts(scene: Scene) -> np.ndarray:
    """Density of the chest wall, the arms, the spine, the windpipe, the abdomen; half the side."""
    anatomy, frame = scene.anatomy, scene.anatomy.frame
    u, v = scene.grid
    side = u.shape[0]
    away = np.abs(u)
    trunk = _rounded(drawing.fill(frame, organs.torso(anatomy), side), 0.035)
    density = np.float32(anatomy.soft) * trunk
    for half in (-1, 1):
        limb = _rounded(drawing.fill(frame, organs.arm(anatomy, half), side), 0.03)
        np.maximum(density, np.float32(0.72 * anatomy.soft) * limb, out=density)
    density += 0.30 * belly(scene) * step((1.12 - away) / 0.22) * trunk
    density += 0.10 * step((0.30 - v) / 0.5) * step((1.15 - away) / 0.5) * trunk
    spine = step((0.105 - away) / 0.03)
    density += spine * (0.05 + 0.03 * np.sin(v * (6.2832 / 0.088)))
    if anatomy.breast:
        for half in (-1, 1):
            round_ = np.sqrt(((u - 0.58 * half) / 0.46) ** 2 + ((v - 0.80) / 0.34) ** 2)
            lower = 0.35 + 0.65 * step((v - 0.55) / 0.35)
            density += np.float32(anatomy.breast) * step((1.05 - round_) / 0.30) * lower
    airway = np.zeros((side, side), np.uint8)
    for number, line in enumerate(organs.trachea(anatomy)):
        width, grey = (0.034, 255) if number == 0 else (0.020, 120)
        drawing.stroke(airway, frame, line, width=width, value=grey)
    density -= np.float32(0.24) * drawing.blur(airway, 0.004)
    if anatomy.bubble:
        density -= np.float32(0.36) * _bubble(scene)
    return density


def belly(scene: Scene) -> np.ndarray:
    """Rises from 0 over the diaphragm to 1 in the abdomen; half the side."""
    return step((scene.grid[1] - scene.anatomy.base + 0.05) / 0.30)


def _rounded(mask: np.ndarray, skin: float) -> np.ndarray:
    """Thickness of a rounded body part: thin at the skin, even inside; `skin` of the side deep."""
    distance = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    # Of a mask without an edge the distance is infinite.
    distance = np.minimum(distance, mask.shape[0])
    thick = 1.0 - 0.62 * np.exp(-distance / np.float32(skin * mask.shape[0]))
    return drawing.blur(thick * (mask * np.float32(1 / 255)), 0.004)


def _bubble(scene: Scene) -> np.ndarray:
    """Gas in the stomach, under the left dome, with a level below."""
    anatomy = scene.anatomy
    u, v = scene.grid
    size = anatomy.bubble
    middle = anatomy.dome[1] + 0.05 + 0.42 * size
    round_ = np.sqrt(((u - 0.48) / size) ** 2 + ((v - middle) / (0.50 * size)) ** 2)
    gas: np.ndarray = step((1.0 - round_) / 0.22) * step((middle + 0.28 * size - v) / 0.03)
    return gas


def bones(anatomy: Anatomy, seed: int, patient: int, side: int) -> np.ndarray:
    """Draws ribs, collar bones, shoulder blades and the upper arms, the same for all of a patient.

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
            rib = _posterior_rib(number, half) + (0, rng.normal(0, 0.003))
            _tube(back, frame, rib, width=thick, core=0.62)
        for number in range(1, 8):
            _tube(front, frame, _anterior_rib(number, half), width=1.1 * thick, core=0.72)
        _girdle(girdle, anatomy, half, lift)
    density = 0.15 * drawing.blur(back, 0.0016) + 0.09 * drawing.blur(front, 0.002)
    density += 0.17 * drawing.blur(girdle, 0.0018)
    return np.float32(anatomy.bone) * density


def _girdle(layer: np.ndarray, anatomy: Anatomy, side: int, lift: float) -> None:
    frame = anatomy.frame
    blade = _scapula(side, over_lung=0.16 if anatomy.arms_down else 0.02)
    shape = drawing.fill(frame, blade, layer.shape[0])
    layer[shape > 127] = 75
    drawing.stroke(layer, frame, np.concatenate([blade, blade[:1]]), width=0.006, value=130)
    head = np.array([1.20 * side, 0.055 - 0.4 * lift])
    out = np.array([1.24, 0.9]) if anatomy.arms_down else np.array([1.75, 0.62])
    shaft = np.array([head, out * (side, 1)])
    _tube(layer, frame, shaft, width=0.042, core=0.6)
    around = np.linspace(0, 2 * np.pi, 24)
    ball = np.stack([head[0] + 0.105 * np.cos(around), head[1] + 0.068 * np.sin(around)], 1)
    drawing.fill(frame, ball, layer.shape[0], into=layer)
    inner = head + (ball - head) * 0.88
    core = drawing.fill(frame, inner, layer.shape[0])
    layer[core > 127] = 185
    _tube(layer, frame, _clavicle(side, lift), width=0.025, core=0.7)


def _tube(layer: np.ndarray, frame: Frame, line: np.ndarray, *, width: float, core: float) -> None:
    """Draws a bone: a bright rim of dense bone round a fainter core."""
    drawing.stroke(layer, frame, line, width=width, value=255)
    drawing.stroke(layer, frame, line, width=0.72 * width, value=255 * core)


def vessels(anatomy: Anatomy, seed: int, patient: int, side: int) -> np.ndarray:
    """Draws the vessels of both lungs, branching from the hila, the same for all of a patient.

    Returns:
        Visibility of vessels, float32 [side, side], 0 to 1.
    """
    layer = np.zeros((side, side), np.uint8)
    for half in (1, -1):
        rng = stream(seed, VESSELS, patient, half + 1)
        root = np.array(_HILUM) - (0, 0.025 if half == 1 else 0.0)
        root[0] += 0.6 * half * anatomy.heart_shift
        _grow(layer, anatomy.frame, rng, root, half)
    hila = drawing.blur(layer, 0.012)
    return np.float32(anatomy.vessels) * (drawing.blur(layer, 0.0015) + np.float32(0.45) * hila)


def _grow(
    layer: np.ndarray, frame: Frame, rng: np.random.Generator, root: np.ndarray, half: int
) -> None:
    """Draws the branches of one lung, generation by generation from the thick to the thin."""
    angle = np.linspace(-1.3, 1.45, 10) + rng.normal(0, 0.08, 10)
    at = root + rng.normal(0, 0.022, (10, 2))
    # The lower branches hold more blood in an upright patient.
    width = 0.0085 * (1.0 + 0.22 * np.sin(angle)) * rng.uniform(0.7, 1.1, 10)
    for generation in range(_GENERATIONS):
        length = 0.095 * 0.93**generation
        bend = angle[:, None] + np.cumsum(rng.normal(0, 0.11, (len(angle), 6)), axis=1)
        steps = np.stack([np.cos(bend), 0.85 * np.sin(bend)], axis=-1) * length * 0.5
        lines = np.concatenate([at[:, None], at[:, None] + np.cumsum(steps, axis=1)], axis=1)
        grey = 220.0 - 42.0 * generation
        for line, thick in zip(lines * (half, 1), width, strict=True):
            drawing.stroke(layer, frame, line, width=thick, value=grey)
        fork = rng.uniform(0.2, 0.5, len(angle))
        twig = rng.choice((-1.0, 1.0), len(angle)) * rng.uniform(0.5, 0.9, len(angle))
        at = np.concatenate([lines[:, -1], lines[:, -1], lines[:, 3]])
        angle = np.concatenate([bend[:, -1] + 0.6 * fork, bend[:, -1] - fork, bend[:, 3] + twig])
        width = np.concatenate([0.74 * width, 0.62 * width, 0.5 * width])
        keep = width > 0.0018
        at, angle, width = at[keep], angle[keep], width[keep]


def _posterior_rib(number: int, side: int) -> np.ndarray:
    """Midline of the back part of rib `number` (1 to 11), [n, 2], from the spine outwards."""
    start = -0.075 + 0.098 * number
    end = start + 0.06 + 0.012 * number
    reach = float(cage(end)) - 0.055
    t = np.linspace(0.0, 1.0, 20)
    u = 0.07 + (reach - 0.07) * np.sin(0.5 * np.pi * t) ** 0.9
    v = start - 0.035 * np.sin(np.pi * np.minimum(1.0, 1.7 * t)) + (end - start) * t**2.2
    return np.stack([side * u, v], axis=1)


def _anterior_rib(number: int, side: int) -> np.ndarray:
    """Midline of the front part of rib `number` (1 to 9), [n, 2], from the flank inwards."""
    start = -0.075 + 0.098 * number + 0.06 + 0.012 * number
    reach = float(cage(start)) - 0.055
    inner = 0.30 + 0.02 * number
    t = np.linspace(0.0, 1.0, 20)
    u = inner + (reach - inner) * np.cos(0.5 * np.pi * t) ** 0.8
    v = start + (0.13 + 0.008 * number) * (0.55 * np.sin(0.5 * np.pi * t) + 0.45 * t)
    return np.stack([side * u, v], axis=1)


def _clavicle(side: int, lift: float) -> np.ndarray:
    """Midline of the collar bone, [n, 2], from the breast bone outwards."""
    points = [(0.12, 0.10), (0.35, 0.075), (0.62, 0.03 - lift), (0.85, 0.0 - lift)]
    return curve([*points, (1.08, -0.02 - lift)]) * (side, 1)


def _scapula(side: int, *, over_lung: float) -> np.ndarray:
    """Contour of the shoulder blade, [n, 2], closed; `over_lung` moves it inwards."""
    points = [(0.98, 0.04), (0.80, 0.10), (0.82, 0.30), (0.93, 0.58), (0.99, 0.50), (1.05, 0.25)]
    return (curve([*points, (1.16, 0.10)], closed=True) - (over_lung, 0)) * (side, 1)
