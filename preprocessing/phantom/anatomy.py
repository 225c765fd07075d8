# SPDX-License-Identifier: MIT
"""Draws the build of a patient and how one picture of that patient was taken.

The build is a function of (seed, patient), the exposure one of (seed, patient, image), so pictures
of one patient resemble each other as they do in reality.
"""

import dataclasses

import numpy as np

from preprocessing.phantom.frame import Frame
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
        frame: where the chest lies.
        dome: v of the top of each half of the diaphragm.
        sulcus: depth of the costophrenic angle under the dome, in lung heights.
        heart_right: how far the heart reaches to the right, in half-widths of the thorax.
        heart_left: how far it reaches to the left.
        heart_shift: shift of the heart to the left, in half-widths.
        knob: size of the aortic arch, in half-widths.
        wall: soft tissue outside the ribs, as a fraction of the picture's side.
        soft: radiographic density of the chest wall, about 1.
        breast: density of the breast shadows, 0 where there are none.
        arms_down: whether the arms lie beside the body, as in bed.
        air: how much density the lungs take away, about 0.7.
        vessels: strength of the vessel markings, about 1.
        bone: strength of the bones, about 1.
        centre_grey: density that becomes mid-grey.
        latitude: range of densities that the film shows.
        noise: standard deviation of the film's grain, grey levels.
        bubble: size of the gastric bubble, in half-widths; 0 where there is none.
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
