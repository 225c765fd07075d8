# SPDX-License-Identifier: MIT
"""How often each finding occurs in the phantom, and which findings go together.

The realistic rates are those of ChestX-ray14 (Data_Entry_2017_v2020.csv with the official lists).
The co-occurrence of findings is a factor model: a disease loads on the findings that it causes.
"""

from typing import Literal

import numpy as np

from preprocessing.config import CHESTXRAY14_FINDINGS

Prevalence = Literal["realistic", "raised"]

# Share of the images of train_val and of test that show the finding, per cent.
_REALISTIC_PER_CENT = {
    "Atelectasis": (9.57, 12.81),
    "Cardiomegaly": (1.97, 4.18),
    "Effusion": (10.01, 18.20),
    "Infiltration": (15.93, 23.88),
    "Mass": (4.66, 6.83),
    "Nodule": (5.44, 6.34),
    "Pneumonia": (1.01, 2.17),
    "Pneumothorax": (3.05, 10.41),
    "Consolidation": (3.30, 7.09),
    "Edema": (1.59, 3.61),
    "Emphysema": (1.64, 4.27),
    "Fibrosis": (1.45, 1.70),
    "Pleural_Thickening": (2.59, 4.47),
    "Hernia": (0.16, 0.34),
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

# An antero-posterior picture is taken in bed, so its patient is sicker.
_AP_SHIFT = {
    "Atelectasis": 0.2,
    "Effusion": 0.2,
    "Infiltration": 0.3,
    "Pneumonia": 0.3,
    "Consolidation": 0.5,
    "Edema": 0.9,
    "Fibrosis": -0.4,
    "Pleural_Thickening": -0.2,
    "Hernia": -0.4,
}

AP_SHIFT = np.array([_AP_SHIFT.get(name, 0.0) for name in CHESTXRAY14_FINDINGS])


def positives_wanted(split: str, images: int, prevalence: Prevalence) -> list[int]:
    """Counts the images of a split that each finding is to have.

    Args:
        split: train_val or test.
        images: number of images of the split.
        prevalence: realistic or raised.

    Returns:
        One count per finding. With raised prevalence at least 8% of the images and at least one.
    """
    column = 0 if split == "train_val" else 1
    wanted = []
    for name in CHESTXRAY14_FINDINGS:
        rate = _REALISTIC_PER_CENT[name][column] / 100
        if prevalence == "realistic":
            wanted.append(round(rate * images))
        else:
            raised = _RAISED_FLOOR[split] + _RAISED_SLOPE * rate
            wanted.append(min(images, max(1, int(np.ceil(raised * images)))))
    return wanted


def finding_scores(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws correlated standard normal scores, one per finding.

    Args:
        rng: source of randomness.
        rows: number of patients or images to draw for.

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
