# SPDX-License-Identifier: MIT
"""Draws the patients of the phantom: their images, findings, ages, views and lists.

Everything here is a pure function of (images, seed, prevalence); no picture is made. The realistic
rates are those of ChestX-ray14 (Data_Entry_2017_v2020.csv with the official lists). The
co-occurrence of findings is a factor model: a disease loads on the findings that it causes.
"""

import dataclasses
from typing import Literal

import numpy as np

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS

Prevalence = Literal["realistic", "raised"]

MIN_IMAGES = 4
TEST_SHARE = 25_596 / 112_120
# Share of the images of train_val and of test that show each finding, per cent, and how much an
# antero-posterior picture raises its score: it is taken in bed, so its patient is sicker.
_RATES_AND_AP_SHIFT = {
    "Atelectasis": (9.57, 12.81, 0.2),
    "Cardiomegaly": (1.97, 4.18, 0.0),
    "Effusion": (10.01, 18.20, 0.2),
    "Infiltration": (15.93, 23.88, 0.3),
    "Mass": (4.66, 6.83, 0.0),
    "Nodule": (5.44, 6.34, 0.0),
    "Pneumonia": (1.01, 2.17, 0.3),
    "Pneumothorax": (3.05, 10.41, 0.0),
    "Consolidation": (3.30, 7.09, 0.5),
    "Edema": (1.59, 3.61, 0.9),
    "Emphysema": (1.64, 4.27, 0.0),
    "Fibrosis": (1.45, 1.70, -0.4),
    "Pleural_Thickening": (2.59, 4.47, -0.2),
    "Hernia": (0.16, 0.34, -0.4),
}
# Raised rates keep the order of the real ones but start from a floor which gives a test list of 400
# images at least 40 positives of each finding.
_RAISED_FLOOR = {"train_val": 0.095, "test": 0.10}
_RAISED_SLOPE = 0.3

# What each disease does to the score of each finding. Chosen so that the pairs which occur together
# in ChestX-ray14 more often than by chance (Edema with Pneumonia, Emphysema with Pneumothorax,
# Cardiomegaly with Effusion and Edema, Fibrosis with Pleural_Thickening) do so here.
_DISEASES: dict[str, dict[str, float]] = {
    "frailty": dict.fromkeys(CHESTXRAY14_FINDINGS, 0.28),
    "heart failure": {"Cardiomegaly": 0.6, "Edema": 0.45, "Effusion": 0.4},
    "infection": {"Pneumonia": 0.6, "Edema": 0.4, "Infiltration": 0.45, "Consolidation": 0.3},
    "collapse": {"Atelectasis": 0.55, "Effusion": 0.35, "Consolidation": 0.4},
    "air leak": {"Emphysema": 0.65, "Pneumothorax": 0.6, "Cardiomegaly": -0.15, "Edema": -0.15},
    "tumour": {"Mass": 0.55, "Nodule": 0.5, "Consolidation": 0.2, "Pleural_Thickening": 0.2},
    "scar": {"Fibrosis": 0.55, "Pleural_Thickening": 0.5, "Hernia": 0.2, "Edema": -0.2},
}

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
        original: width and height in pixels, and pixel spacing in mm as the real file spells it,
            of the picture before it became 1024x1024.
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
    original: tuple[int, int, str]
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
    wanted = {"train_val": images - test, "test": test}
    sizes = [_images_per_patient(rng, count, split) for split, count in wanted.items()]
    numbers = rng.permutation(sum(map(len, sizes))) + 1
    records: list[Record] = []
    for split, part in zip(wanted, sizes, strict=True):
        own, numbers = np.split(numbers, [len(part)])
        records += _draw_split(rng, split, own, part, prevalence)
    records.sort(key=lambda record: (record.patient, record.follow_up))
    # Every 200th image by name is RGBA, the first of them among the first 50.
    by_name = sorted(range(images), key=lambda row: records[row].name)
    for row in by_name[int(rng.integers(50)) :: _RGBA_EVERY]:
        records[row] = dataclasses.replace(records[row], rgba=True)
    return records


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
    names = np.array(CHESTXRAY14_FINDINGS, object)
    records: list[Record] = []
    for patient, size in enumerate(sizes.tolist()):
        years = first_age[patient] + np.cumsum(rng.exponential(0.25, size))
        # File numbers mostly follow the history; some patients' are rotated.
        shift = int(size > 1 and rng.random() < 0.2)
        for image in range(size):
            row = len(records)
            view = "AP" if ap[row] else "PA"
            records.append(
                Record(
                    patient=int(numbers[patient]),
                    number=(image + shift) % size,
                    follow_up=image,
                    findings=tuple(names[shown[row]]),
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
    of_patient, frailty = _finding_scores(rng, len(sizes))
    of_image, _ = _finding_scores(rng, len(owner))
    sickness = 0.5 * frailty[owner] + rng.standard_normal(len(sizes))[owner]
    sickness += 0.5 * rng.standard_normal(len(owner))
    ap = _highest(sickness, round(_AP_SHARE[split] * len(owner)))
    scores = np.sqrt(_PERSISTENCE) * of_patient[owner] + np.sqrt(1 - _PERSISTENCE) * of_image
    scores += ap[:, None] * np.array([shift for *_, shift in _RATES_AND_AP_SHIFT.values()])
    # Taking the highest scores, and not those above a threshold, makes the prevalence exact.
    wanted = _positives_wanted(split, len(owner), prevalence)
    shown = np.stack([_highest(scores[:, f], count) for f, count in enumerate(wanted)], axis=1)
    return ap, shown


def _positives_wanted(split: str, images: int, prevalence: Prevalence) -> list[int]:
    """Counts the images of a split that each finding is to have.

    With raised prevalence these are at least 8% of the images and at least one.
    """
    rates = [row[split == "test"] / 100 for row in _RATES_AND_AP_SHIFT.values()]
    if prevalence == "realistic":
        return [round(rate * images) for rate in rates]
    raised = [_RAISED_FLOOR[split] + _RAISED_SLOPE * rate for rate in rates]
    return [min(images, max(1, int(np.ceil(rate * images)))) for rate in raised]


def _finding_scores(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws correlated standard normal scores of `rows` patients or images.

    Returns:
        Scores of shape [rows, 14], and the frailty of shape [rows] that they all load on.
    """
    loadings = np.array(
        [[row.get(name, 0.0) for name in CHESTXRAY14_FINDINGS] for row in _DISEASES.values()]
    )
    factors = rng.standard_normal((rows, len(_DISEASES)))
    own = np.sqrt(1.0 - (loadings**2).sum(axis=0))
    scores = factors @ loadings + own * rng.standard_normal((rows, len(CHESTXRAY14_FINDINGS)))
    return scores, factors[:, 0]


def _highest(scores: np.ndarray, count: int) -> np.ndarray:
    chosen = np.zeros(len(scores), dtype=bool)
    chosen[np.argsort(-scores, kind="stable")[:count]] = True
    return chosen


def _original(rng: np.random.Generator, view: str) -> tuple[int, int, str]:
    choices = _ORIGINALS[view]
    weights = np.cumsum([choice[3] for choice in choices])
    return choices[int(np.searchsorted(weights, rng.random() * weights[-1]))][:3]
