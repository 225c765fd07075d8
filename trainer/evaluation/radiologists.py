# SPDX-License-Identifier: MIT
"""A second reference: what radiologists saw, to compare with labels mined from reports.

The file is that of Majkowska et al., Radiology 2020; 294:421-431: ChestX-ray14's own columns and,
behind them, YES or NO for pneumothorax, airspace opacity, nodule or mass, and fracture, as several
radiologists agreed on them with the image before them.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from preprocessing.contract.errors import DataError
from trainer.evaluation import intervals, label_noise
from trainer.evaluation.auc import Floats, auroc
from trainer.evaluation.intervals import Resamples
from trainer.predictions import data_entry, given_file, rules
from trainer.predictions.formats import first, texts
from trainer.predictions.names import image_stems

_ANSWERS = {"YES": 1.0, "NO": 0.0, "": np.nan}
# The share of the first count in the first two.
_RATIOS = {
    "ppv": ("both", "only_mined"),
    "sensitivity": ("both", "only_radiologists"),
    "specificity": ("neither", "only_mined"),
    "npv": ("neither", "only_radiologists"),
}

Numbers = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Reference:
    """One thing that the radiologists looked for, and the findings that mean it.

    Attributes:
        column: of the file.
        findings: of the model; one is enough for a mined label to be positive.
        rule: how their scores become one: `score` (there is one), `maximum` or `noisy_or`.
    """

    column: str
    findings: tuple[str, ...]
    rule: str


REFERENCES = (
    Reference("Pneumothorax", ("Pneumothorax",), "score"),
    # One lesion is either below or above 3 cm: adding both scores would count it twice.
    Reference("Nodule or mass", ("Nodule", "Mass"), "maximum"),
    # Names that overlap and occur together: each is evidence, and the largest score would nearly
    # always be that of the most common name. With one published model the largest had the lower
    # AUC on these very labels (0.750, not 0.805), so that the choice has seen them.
    Reference(
        "Airspace opacity",
        ("Consolidation", "Infiltration", "Pneumonia", "Edema", "Atelectasis"),
        "noisy_or",
    ),
)
UNUSED = ("Fracture",)


@dataclasses.dataclass(frozen=True, eq=False)
class Readings:
    """What radiologists saw in m images.

    Attributes:
        ids: str [m], unique.
        patients: str [m].
        labels: float64 [m, 3], in the order of `REFERENCES`; 1, 0 or NaN.
    """

    ids: npt.NDArray[np.str_]
    patients: npt.NDArray[np.str_]
    labels: Numbers


def read(path: str) -> Readings:
    """Reads a file of radiologists' labels.

    Args:
        path: local or gs://.

    Raises:
        DataError: the file is missing or another one, an image is in it twice, or an answer is
            neither YES nor NO.
    """
    data = given_file.read(path, "file of radiologists' labels")
    frame = data_entry.frame_of(path, data, [one.column for one in REFERENCES])
    ids, patients = texts(frame, "id"), texts(frame, "patient")
    splits = np.full(len(ids), "")
    for problem in rules.rows(ids, patients, splits, images=image_stems(ids), unknown_split=True):
        raise DataError(f"{path}: {problem}")
    labels = np.empty((len(ids), len(REFERENCES)))
    for at, one in enumerate(REFERENCES):
        answers = frame[one.column].str.upper()
        if (row := first(~answers.isin(list(_ANSWERS)))) is not None:
            raise DataError(
                f"{path}: {one.column} of image {str(ids[row])!r} is "
                f"{frame[one.column][row]!r}, not YES or NO"
            )
        labels[:, at] = answers.map(_ANSWERS)
    return Readings(ids, people.values(patients), labels)


def combined_scores(scores: Floats, rule: str) -> npt.NDArray[Any]:
    """Returns one score an image, [n], of the scores of several findings.

    `maximum` is the largest. `noisy_or` is the chance that at least one finding is there if their
    scores were chances and independent: 1 - (1 - s_1) (1 - s_2) ... (Pearl, Probabilistic Reasoning
    in Intelligent Systems, 1988, section 4.3.2). Only its order matters to an AUC.

    Args:
        scores: [n, k], from 0 to 1.
        rule: `score`, `maximum` or `noisy_or`.

    >>> combined_scores(np.array([[0.5, 0.5], [0.6, 0.0]]), "noisy_or").tolist()
    [0.75, 0.6]
    """
    if rule == "noisy_or":
        return np.asarray(1 - np.prod(1 - scores.astype(np.float64), axis=1))
    return np.asarray(scores.max(axis=1))


def combined_labels(labels: Floats) -> Numbers:
    """Returns 1 where a finding is there, 0 where none is, NaN where that is unknown, [n].

    >>> combined_labels(np.array([[1, np.nan], [0, 0], [0, np.nan]])).tolist()
    [1.0, 0.0, nan]
    """
    found, absent = (labels == 1).any(axis=1), (labels == 0).all(axis=1)
    return np.where(found, 1.0, np.where(absent, 0.0, np.nan))


def common(mined: Floats, seen: npt.NDArray[np.bool_], draws: Resamples) -> dict[str, Any]:
    """Returns the share of images with a mined label, where radiologists looked and in all.

    Args:
        mined: labels of all images of the split, [n]; 1, 0 or NaN.
        seen: which of them radiologists labelled, bool [n].
        draws: resamples of their patients, without strata.
    """
    positive, known = mined == 1, ~np.isnan(mined)
    counted = np.stack([positive & seen, known & seen, positive, known], axis=1)
    sums = np.vstack([counted.sum(axis=0), draws.sums(counted)])
    with np.errstate(invalid="ignore"):
        here, split = sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 3]
    shares = {"here": here, "split": split, "difference": here - split}
    return {name: intervals.entry(each[0], each[1:]) for name, each in shares.items()}


def judge(
    seen: Floats, mined: Floats, scores: Floats, draws: Resamples, *, rule: str
) -> dict[str, Any]:
    """Compares the model with both references, and the references with each other.

    Args:
        seen: by radiologists, [n]; 1, 0 or NaN.
        mined: labels of the findings that mean it, [n, k].
        scores: of those findings, [n, k].
        draws: resamples of the patients of the n images.
        rule: as `combined_scores` takes it.

    Returns:
        Counts, `auc_radiologists`, `auc_mined`, their `difference`, how far the mined labels
        agree, and what if they were wrong at random (`label_noise.expected`); all on the images
        where both references are known.
    """
    labels = combined_labels(mined)
    known = ~(np.isnan(seen) | np.isnan(labels))
    own = draws.select(known)
    truth, text = seen[known].astype(np.float64), labels[known]
    marks = combined_scores(scores[known], rule)
    found, mined_auc = (np.append(auroc(one, marks), own.aucs(one, marks)) for one in (truth, text))
    agreement, shares = _agreement(truth, text, own)
    errors = label_noise.Errors(1 - shares["ppv"], 1 - shares["npv"])
    compared = {
        "auc_radiologists": found,
        "auc_mined": mined_auc,
        "difference": found - mined_auc,
    }
    other = "maximum" if rule == "noisy_or" else "noisy_or"
    other_auc = auroc(truth, combined_scores(scores[known], other))
    return {
        "images": int(known.sum()),
        "patients": len(np.unique(own.patient_of)),
        "positives_radiologists": int(truth.sum()),
        "positives_mined": int(text.sum()),
        **{name: intervals.entry(each[0], each[1:]) for name, each in compared.items()},
        "other_rule": None
        if rule == "score" or np.isnan(other_auc)
        else {"rule": other, "auc_radiologists": other_auc},
        "agreement": agreement,
        "if_random": label_noise.expected(mined_auc, found, errors),
    }


def _agreement(
    truth: Numbers, text: Numbers, draws: Resamples
) -> tuple[dict[str, Any], dict[str, Numbers]]:
    """How far mined labels agree: counts, ratios of counts, and these in every resample too."""
    cells = {
        "both": truth * text,
        "only_mined": (1 - truth) * text,
        "only_radiologists": truth * (1 - text),
        "neither": (1 - truth) * (1 - text),
    }
    totals: dict[str, Any] = {name: int(cell.sum()) for name, cell in cells.items()}
    drawn = zip(cells, draws.sums(np.stack(list(cells.values()), axis=1)).T, strict=True)
    counts = {name: np.append(totals[name], each) for name, each in drawn}
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = {
            name: counts[part] / (counts[part] + counts[other])
            for name, (part, other) in _RATIOS.items()
        }
    ratios = {name: intervals.entry(each[0], each[1:]) for name, each in shares.items()}
    return totals | ratios, shares
