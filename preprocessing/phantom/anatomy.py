# SPDX-License-Identifier: MIT
"""Draws the build of a patient, how one picture was taken, and the contours of the organs.

The build is a function of (seed, patient), the exposure one of (seed, patient, image), so pictures
of one patient resemble each other as they do in reality.
"""

import dataclasses

import numpy as np

from preprocessing.phantom.drawing import Frame, cage, curve
from preprocessing.phantom.population import Record

# Numbers that keep the streams of random numbers apart.
BUILD, EXPOSURE, VESSELS, BONES, DEVICES, NOISE, FINDING, BOXES = range(10, 18)


def stream(seed: int, *path: int) -> np.random.Generator:
    """Makes the random numbers of one purpose, independent of every other purpose.

    Args:
        seed: seed of the phantom.
        path: numbers that name the purpose.

    Returns:
        A fresh generator, the same for the same arguments.
    """
    return np.random.default_rng([seed, *path])


@dataclasses.dataclass
class Anatomy:
    """The chest of one picture; lesions change it before it is drawn.

    Sides are -1 for the patient's right (the left of the picture) and 1 for the left.

    Attributes:
        frame: where the chest is.
        dome: v of the top of each half of the diaphragm.
        sulcus: depth of the costophrenic angle under the dome, in lung heights.
        heart_right: how far the heart reaches to the right, in half-widths of the thorax.
        heart_left: how far it reaches to the left.
        heart_shift: shift of the heart to the left, in half-widths.
        knob: size of the aortic arch, in half-widths.
        wall: soft tissue outside the ribs, as a fraction of the picture's side.
        soft: radiographic density of the chest wall, about 1.
        breast: density of the breast shadows, 0 where there are none.
        arms_down: whether the arms are beside the body, as in bed.
        air: how much density the lungs take away, about 0.7.
        vessels: strength of the vessel markings, about 1.
        bone: strength of the bones, about 1.
        centre_grey: density that becomes mid-grey.
        latitude: range of densities that the film shows.
        noise: standard deviation of the film's grain, grey levels.
        bubble: size of the gastric bubble, in half-widths; 0 without one.
    """

    frame: Frame
    dome: dict[int, float]
    sulcus: float
    heart_right: float
    heart_left: float
    heart_shift: float
    knob: float
    wall: float
    soft: float
    breast: float
    arms_down: bool
    air: float
    vessels: float
    bone: float
    centre_grey: float
    latitude: float
    noise: float
    bubble: float

    @property
    def base(self) -> float:
        """Height of the diaphragm between its two domes."""
        return 0.5 * (self.dome[-1] + self.dome[1])


def draw(record: Record, seed: int) -> Anatomy:
    """Draws the anatomy of the chest without findings.

    Args:
        record: the picture; its findings are not looked at.
        seed: seed of the phantom.
    """
    build = stream(seed, BUILD, record.patient)
    shot = stream(seed, EXPOSURE, record.patient, record.number)
    ap, female = record.view == "AP", record.sex == "F"
    fat = float(np.clip(build.normal(0.0, 1.0), -1.8, 2.2))
    size = (0.97 if female else 1.0) * build.normal(0.98, 0.04)
    old = record.age - 45
    heart = 1.0 + 0.002 * old + build.normal(0.0, 0.06) + (0.07 if ap else 0.0)
    dome = 1.0 + shot.normal(0.0, 0.015)
    frame = _frame(ap=ap, size=size, build=build, shot=shot)
    return Anatomy(
        frame=frame,
        dome={-1: dome, 1: dome + float(np.clip(build.normal(0.045, 0.02), 0.0, 0.1))},
        sulcus=float(np.clip(build.normal(0.185, 0.025) - (0.02 if ap else 0.0), 0.12, 0.26)),
        heart_right=0.20 * heart * (1 + build.normal(0.0, 0.05)),
        heart_left=0.46 * heart * (1 + build.normal(0.0, 0.04)),
        heart_shift=shot.normal(0.0, 0.015) + frame.turn * 0.3,
        knob=float(np.clip(0.19 + 0.0012 * old + build.normal(0, 0.02), 0.13, 0.3)),
        wall=float(np.clip(0.058 + 0.022 * fat, 0.025, 0.12)),
        soft=1.0 + 0.05 * fat + (0.02 if ap else 0.0),
        breast=max(0.0, build.normal(0.13, 0.05) + 0.03 * fat) if female else 0.0,
        arms_down=bool(shot.random() < (0.8 if ap else 0.05)),
        air=0.72
        + float(np.clip(shot.normal(0.0, 0.03), -0.07, 0.07))
        - 0.012 * fat
        - (0.05 if ap else 0.0),
        vessels=float(np.clip(build.normal(1.0, 0.2), 0.6, 1.6)),
        bone=float(np.clip(build.normal(1.0, 0.15), 0.6, 1.4)),
        centre_grey=0.63 + float(np.clip(shot.normal(0.0, 0.05), -0.10, 0.10)),
        latitude=float(np.clip(shot.normal(0.235 if not ap else 0.265, 0.03), 0.17, 0.36)),
        noise=float(shot.uniform(1.0, 1.8)),
        bubble=float(shot.uniform(0.14, 0.3)) if shot.random() < 0.7 else 0.0,
    )


def _frame(
    *, ap: bool, size: float, build: np.random.Generator, shot: np.random.Generator
) -> Frame:
    """Places the chest. AP pictures magnify and are taken with less breath and care."""
    width = 0.372 * size * (1.04 if ap else 1.0) * shot.normal(1.0, 0.015)
    height = 0.56 * size * build.normal(1.0, 0.06) * shot.normal(1.0, 0.02)
    return Frame(
        centre=0.5 + shot.normal(0.0, 0.013 if not ap else 0.026),
        top=float(np.clip(shot.normal(0.125, 0.02 if not ap else 0.03), 0.06, 0.2)),
        half_width=width,
        height=height * (0.9 if ap else 1.0),
        angle=shot.normal(0.0, 0.016 if not ap else 0.04),
        turn=float(np.clip(shot.normal(0.0, 0.02 if not ap else 0.04), -0.09, 0.09)),
    )


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
    base = anatomy.base
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
