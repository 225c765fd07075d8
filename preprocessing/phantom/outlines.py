# SPDX-License-Identifier: MIT
"""The contours of the organs, as closed or open curves in the coordinates of the chest."""

import numpy as np

from preprocessing.phantom.anatomy import Anatomy
from preprocessing.phantom.frame import cage, curve


def lung(anatomy: Anatomy, side: int) -> np.ndarray:
    """Contour of one lung, [n, 2], closed; the mediastinum is laid over its inner border."""
    dome, low = anatomy.dome[side], anatomy.dome[side] + anatomy.sulcus
    depth = anatomy.sulcus
    v = np.linspace(0.025, low, 24)
    lateral = np.stack([cage(v) - 0.035, v], axis=1)
    apex = curve([(0.12, 0.12), (0.15, 0.045), (0.22, -0.005), (0.31, -0.025), (0.40, -0.015)])
    base = curve(
        [
            (float(cage(low)) - 0.045, low),
            (0.87, dome + 0.47 * depth),
            (0.73, dome + 0.13 * depth),
            (0.53, dome),
            (0.34, dome + 0.06 * depth),
            (0.20, dome + 0.25 * depth),
            (0.10, dome + 0.45 * depth),
        ]
    )
    medial = np.array([(0.08, 0.8), (0.08, 0.4)])
    return np.concatenate([apex, lateral, base, medial]) * (side, 1)


def heart(anatomy: Anatomy) -> np.ndarray:
    """Contour of the heart, [n, 2], closed."""
    right, left = anatomy.heart_right, anatomy.heart_left
    base = 0.5 * (anatomy.dome[-1] + anatomy.dome[1])
    points = [
        (-0.12, 0.40),
        (-0.14 - 0.35 * (right - 0.14), 0.52),
        (-right, 0.68),
        (-right * 1.0, 0.82),
        (-right * 0.8, base - 0.04),
        (-0.08, base + 0.06),
        (0.12, base + 0.10),
        (left * 0.72, base + 0.09),
        (left * 0.97, base - 0.01),
        (left * 0.98, base - 0.10),
        (left * 0.86, 0.74),
        (left * 0.62, 0.60),
        (0.20 + 0.15 * (left - 0.4), 0.49),
        (0.15, 0.42),
        (0.0, 0.36),
    ]
    return curve(points, closed=True) + (anatomy.heart_shift, 0)


def mediastinum(anatomy: Anatomy) -> np.ndarray:
    """Contour of the great vessels and the tissue round the spine, [n, 2], closed."""
    k = anatomy.knob
    points = [
        (-0.13, -0.15),
        (-0.13, 0.05),
        (-0.135, 0.20),
        (-0.15, 0.34),
        (-0.15, 0.55),
        (-0.13, 0.9),
        (-0.12, 1.4),
        (0.12, 1.4),
        (0.12, 0.9),
        (0.14, 0.55),
        (0.19, 0.42),
        (0.12, 0.365),
        (k * 0.93, 0.325),
        (k, 0.275),
        (k * 0.86, 0.225),
        (0.135, 0.16),
        (0.12, 0.05),
        (0.12, -0.15),
    ]
    return curve(points, closed=True) + (0.5 * anatomy.heart_shift, 0)


def trachea(anatomy: Anatomy) -> list[np.ndarray]:
    """Midlines of the windpipe and of the two main bronchi, [n, 2] each."""
    shift = 0.4 * anatomy.heart_shift
    pipe = curve([(0.0, -0.25), (0.0, 0.0), (-0.01 + 0.5 * shift, 0.2), (-0.005 + shift, 0.35)])
    right = curve([(-0.005 + shift, 0.34), (-0.08 + shift, 0.40), (-0.15 + shift, 0.465)])
    left = curve([(-0.005 + shift, 0.34), (0.10 + shift, 0.405), (0.21 + shift, 0.465)])
    return [pipe, right, left]


def posterior_rib(number: int, side: int) -> np.ndarray:
    """Midline of the back part of rib `number` (1 to 11), [n, 2], from the spine outwards."""
    start = -0.075 + 0.098 * number
    end = start + 0.06 + 0.012 * number
    reach = float(cage(end)) - 0.055
    t = np.linspace(0.0, 1.0, 20)
    u = 0.07 + (reach - 0.07) * np.sin(0.5 * np.pi * t) ** 0.9
    v = start - 0.035 * np.sin(np.pi * np.minimum(1.0, 1.7 * t)) + (end - start) * t**2.2
    return np.stack([side * u, v], axis=1)


def anterior_rib(number: int, side: int) -> np.ndarray:
    """Midline of the front part of rib `number` (1 to 9), [n, 2], from the flank inwards."""
    start = -0.075 + 0.098 * number + 0.06 + 0.012 * number
    reach = float(cage(start)) - 0.055
    inner = 0.30 + 0.02 * number
    t = np.linspace(0.0, 1.0, 20)
    u = inner + (reach - inner) * np.cos(0.5 * np.pi * t) ** 0.8
    v = start + (0.13 + 0.008 * number) * (0.55 * np.sin(0.5 * np.pi * t) + 0.45 * t)
    return np.stack([side * u, v], axis=1)


def clavicle(side: int, lift: float) -> np.ndarray:
    """Midline of the collar bone, [n, 2], from the breast bone outwards."""
    points = [(0.12, 0.10), (0.35, 0.075), (0.62, 0.03 - lift), (0.85, 0.0 - lift)]
    return curve([*points, (1.08, -0.02 - lift)]) * (side, 1)


def scapula(side: int, *, over_lung: float) -> np.ndarray:
    """Contour of the shoulder blade, [n, 2], closed; `over_lung` moves it inwards."""
    points = [(0.98, 0.04), (0.80, 0.10), (0.82, 0.30), (0.93, 0.58), (0.99, 0.50), (1.05, 0.25)]
    return (curve([*points, (1.16, 0.10)], closed=True) - (over_lung, 0)) * (side, 1)


def torso(anatomy: Anatomy) -> np.ndarray:
    """Contour of neck, shoulders and trunk, [n, 2], closed."""
    w = anatomy.wall / anatomy.frame.half_width
    flank = [
        (0.27 + 0.4 * w, -0.60),
        (0.28 + 0.4 * w, -0.20),
        (0.42 + 0.5 * w, -0.09),
        (0.80 + 0.4 * w, -0.05 - 0.15 * w),
        (1.15 + 0.4 * w, 0.02),
        (1.17 + 0.6 * w, 0.20),
        (1.06 + 0.9 * w, 0.42),
        (1.0 + w, 0.66),
        (1.0 + w, 0.95),
        (1.0 + 1.1 * w, 1.25),
        (1.0 + 1.2 * w, 2.2),
    ]
    half = curve(flank)
    return np.concatenate([half, half[::-1] * (-1, 1)])


def arm(anatomy: Anatomy, side: int) -> np.ndarray:
    """Contour of an arm, [n, 2], closed: beside the body, or out to the side."""
    w = anatomy.wall / anatomy.frame.half_width
    if anatomy.arms_down:
        points = [(0.95, -0.03), (1.22, 0.0), (1.38 + w, 0.22), (1.40 + w, 0.7), (1.42 + w, 2.2)]
        points += [(1.12 + w, 2.2), (1.13 + w, 0.7), (1.08 + 0.6 * w, 0.35)]
    else:
        points = [(0.95, -0.03), (1.22, 0.0), (1.5, 0.22), (1.9, 0.55), (2.1, 0.9), (1.6, 0.9)]
        points += [(1.35, 0.62), (1.12 + 0.6 * w, 0.42)]
    return curve(points, closed=True) * (side, 1)
