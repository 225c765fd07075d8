# SPDX-License-Identifier: MIT
"""Draws the patients of the phantom: their images, findings, ages, views and lists.

Everything here is a pure function of (images, seed, prevalence); no picture is made.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from preprocessing.config import CHESTXRAY14_FINDINGS
from preprocessing.phantom.prevalence import (
    AP_SHIFT,
    Prevalence,
    finding_scores,
    positives_wanted,
)

MIN_IMAGES = 4
TEST_SHARE = 25_596 / 112_120
_AP_SHARE = {"train_val": 0.350, "test": 0.566}
_MEAN_IMAGES_OF_RETURNING_PATIENT = {"train_val": 6.5, "test": 11.5}
_ONE_IMAGE_SHARE = {"train_val": 0.60, "test": 0.22}
_MALE_SHARE = 0.56
_RGBA_EVERY = 200
# How much of a finding's score belongs to the patient and so persists from image to image.
_PERSISTENCE = 0.5

# (width, height, pixel spacing in mm as the real file spells it, weight) of the original pictures.
_ORIGINALS = {
    "PA": (
        (2992, 2991, "0.14300000000000002", 0.34),
        (2500, 2048, "0.168", 0.22),
        (2048, 2500, "0.168", 0.10),
        (2500, 2048, "0.171", 0.09),
        (2021, 2021, "0.194311", 0.07),
        (2544, 3056, "0.139", 0.05),
        (2990, 2991, "0.14300000000000002", 0.05),
        (2742, 2991, "0.14300000000000002", 0.04),
        (2674, 2991, "0.14300000000000002", 0.04),
    ),
    "AP": (
        (2500, 2048, "0.168", 0.52),
        (3056, 2544, "0.139", 0.33),
        (2544, 3056, "0.139", 0.05),
        (2500, 2048, "0.171", 0.05),
        (2048, 2500, "0.168", 0.05),
    ),
}


class Original(NamedTuple):
    """Size in pixels and pixel spacing in mm of the picture before it became 1024x1024."""

    width: int
    height: int
    spacing: str


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One row of the label file and all that its picture depends on.

    Attributes:
        patient: number of the patient, from 1.
        number: the number in the file name, unique within the patient.
        follow_up: position of the image in the patient's history, from 0. As in the real file it
            is not always the number in the file name.
        findings: names in the order of `CHESTXRAY14_FINDINGS`; empty for No Finding.
        age: years.
        sex: F or M.
        view: AP or PA.
        split: train_val or test.
        original: the picture before it became 1024x1024.
        rgba: whether the file is stored with four channels.
    """

    patient: int
    number: int
    follow_up: int
    findings: tuple[str, ...]
    age: int
    sex: str
    view: str
    split: str
    original: Original
    rgba: bool = False

    @property
    def name(self) -> str:
        """File name as ChestX-ray14 builds it."""
        return f"{self.patient:08d}_{self.number:03d}.png"


def draw(images: int, seed: int, prevalence: Prevalence) -> list[Record]:
    """Draws the whole population.

    Args:
        images: number of images, `MIN_IMAGES` or more.
        seed: any non-negative integer.
        prevalence: realistic or raised.

    Returns:
        Records ordered by patient and follow-up number, as the real label file is.
    """
    rng = np.random.default_rng([seed, 1])
    test = max(1, round(TEST_SHARE * images))
    sizes = {
        "train_val": _images_per_patient(rng, images - test, "train_val"),
        "test": _images_per_patient(rng, test, "test"),
    }
    patients = sum(len(part) for part in sizes.values())
    numbers = rng.permutation(patients) + 1
    records: list[Record] = []
    start = 0
    for split, part in sizes.items():
        records += _draw_split(rng, split, numbers[start : start + len(part)], part, prevalence)
        start += len(part)
    return _with_rgba(rng, sorted(records, key=lambda record: (record.patient, record.follow_up)))


def _images_per_patient(rng: np.random.Generator, images: int, split: str) -> np.ndarray:
    """Splits a number of images over patients: many with one image, a few with very many."""
    most = min(184, max(1, images // 10))
    sizes: list[int] = []
    left = images
    while left > 0:
        size = 1
        if rng.random() >= _ONE_IMAGE_SHARE[split]:
            size = 2 + int(rng.exponential(_MEAN_IMAGES_OF_RETURNING_PATIENT[split] - 1.5))
        sizes.append(min(size, most, left))
        left -= sizes[-1]
    return np.array(sizes)


def _draw_split(
    rng: np.random.Generator,
    split: str,
    numbers: np.ndarray,
    sizes: np.ndarray,
    prevalence: Prevalence,
) -> list[Record]:
    """Draws the images of one list, patient by patient."""
    ap, shown = _views_and_findings(rng, split, sizes, prevalence)
    male = rng.random(len(sizes)) < _MALE_SHARE
    first_age = np.clip(rng.normal(46.5, 16.5, len(sizes)), 1, 90)
    records: list[Record] = []
    for patient, size in enumerate(sizes.tolist()):
        years = first_age[patient] + np.cumsum(rng.exponential(0.25, size))
        order = _file_numbers(rng, size)
        for image in range(size):
            row = len(records)
            view = "AP" if ap[row] else "PA"
            records.append(
                Record(
                    patient=int(numbers[patient]),
                    number=order[image],
                    follow_up=image,
                    findings=_names(shown[row]),
                    age=min(95, int(years[image])),
                    sex="M" if male[patient] else "F",
                    view=view,
                    split=split,
                    original=_original(rng, view),
                )
            )
    return records


def _views_and_findings(
    rng: np.random.Generator, split: str, sizes: np.ndarray, prevalence: Prevalence
) -> tuple[np.ndarray, np.ndarray]:
    """Draws who is seen AP, bool [images], and what is found, bool [images, 14]."""
    owner = np.repeat(np.arange(len(sizes)), sizes)
    of_patient, frailty = finding_scores(rng, len(sizes))
    of_image, _ = finding_scores(rng, len(owner))
    sickness = 0.5 * frailty[owner] + rng.standard_normal(len(sizes))[owner]
    sickness += 0.5 * rng.standard_normal(len(owner))
    ap = _highest(sickness, round(_AP_SHARE[split] * len(owner)))
    scores = np.sqrt(_PERSISTENCE) * of_patient[owner] + np.sqrt(1 - _PERSISTENCE) * of_image
    scores += ap[:, None] * AP_SHIFT
    # Taking the highest scores, and not those above a threshold, makes the prevalence exact.
    wanted = positives_wanted(split, len(owner), prevalence)
    shown = np.stack([_highest(scores[:, f], count) for f, count in enumerate(wanted)], axis=1)
    return ap, shown


def _highest(scores: np.ndarray, count: int) -> np.ndarray:
    chosen = np.zeros(len(scores), dtype=bool)
    chosen[np.argsort(-scores, kind="stable")[:count]] = True
    return chosen


def _names(shown: np.ndarray) -> tuple[str, ...]:
    return tuple(name for name, there in zip(CHESTXRAY14_FINDINGS, shown, strict=True) if there)


def _file_numbers(rng: np.random.Generator, size: int) -> list[int]:
    """File numbers in the order of the follow-up: mostly the same, for some patients rotated."""
    shift = 1 if size > 1 and rng.random() < 0.2 else 0
    return [(image + shift) % size for image in range(size)]


def _original(rng: np.random.Generator, view: str) -> Original:
    choices = _ORIGINALS[view]
    weights = np.cumsum([choice[3] for choice in choices])
    chosen = choices[int(np.searchsorted(weights, rng.random() * weights[-1]))]
    return Original(*chosen[:3])


def _with_rgba(rng: np.random.Generator, records: list[Record]) -> list[Record]:
    """Marks every 200th image by name as RGBA, the first of them among the first 50."""
    first = int(rng.integers(50))
    by_name = sorted(range(len(records)), key=lambda row: records[row].name)
    marked = list(records)
    for row in by_name[first::_RGBA_EVERY]:
        marked[row] = dataclasses.replace(records[row], rgba=True)
    return marked
