# SPDX-License-Identifier: MIT
"""What figures would be against the truth if some labels were wrong at random.

At random means: given whether an image truly has the finding, its score does not tell whether its
label is wrong. Images labelled positive are then PPV parts with the finding and 1 - PPV without,
those labelled negative NPV parts without and 1 - NPV with it, and

    AUC against the labels - 1/2 = (PPV + NPV - 1) (AUC against the truth - 1/2)

(Menon, van Rooyen, Ong and Williamson, ICML 2015, PMLR 37:125-134, with alpha for 1 - PPV and beta
for 1 - NPV). Both rates at a threshold mix likewise. Where errors go along with the score, the
truth can lie on either side (Phelps and Hutson, Medical Decision Making 1995; 15:44-57).
"""

import dataclasses
from typing import Any

import numpy as np

from trainer.evaluation import intervals
from trainer.evaluation.subgroups import Figures, Numbers


@dataclasses.dataclass(frozen=True, eq=False)
class Errors:
    """How labels are wrong.

    Attributes:
        wrong: share of the positive labels whose image is without the finding, 1 - PPV: a number,
            or an array of any shape.
        missed: share of the negative labels whose image has it, 1 - NPV; likewise.
    """

    wrong: Any
    missed: Any

    @property
    def kept(self) -> Any:
        """What is left of a distance from guessing: PPV + NPV - 1."""
        return 1 - self.wrong - self.missed

    def seen_auc(self, true: Any) -> Any:
        """Returns the AUC against the labels of one against the truth.

        >>> Errors(0.125, 0.125).seen_auc(1.0), Errors(0.125, 0.125).true_auc(0.875)
        (0.875, 1.0)
        """
        return 0.5 + (true - 0.5) * self.kept

    def true_auc(self, seen: Any) -> Any:
        """Returns the AUC against the truth of one against the labels; over 1 it cannot be."""
        return 0.5 + (seen - 0.5) / self.kept


def balanced(share: float, prevalence: Numbers) -> Errors:
    """Returns errors of which as many are missed as are wrong: labels as common as the finding.

    Args:
        share: of the positive labels that are wrong, and of the true positives that are missed.
        prevalence: of positive labels, [L].
    """
    return Errors(share + 0 * prevalence, share * prevalence / (1 - prevalence))


def corrected(seen: Figures, errors: Errors) -> Figures:
    """Returns figures against the truth, the errors being known exactly.

    Args:
        seen: against the labels, of L findings.
        errors: of each finding, [L].

    Returns:
        NaN where no scores could have given what was seen: labels that wrong are then not wrong at
        random. Resamples beyond 0 or 1 are set there.
    """
    columns = Errors(errors.wrong[:, np.newaxis], errors.missed[:, np.newaxis])
    with np.errstate(divide="ignore", invalid="ignore"):
        points, draws = _true(seen.points, errors), _true(seen.draws, columns)
    for each in points.values():
        each[~((each >= 0) & (each <= 1) & (errors.kept > 0))] = np.nan
    draws = {name: np.clip(each, 0, 1) for name, each in draws.items()}
    return dataclasses.replace(seen, points=points, draws=draws)


def expected(seen: Numbers, found: Numbers, errors: Errors) -> dict[str, Any]:
    """Compares what random errors would make of an AUC with what better labels make of it.

    Args:
        seen: AUC against the labels, [1 + B]: of all images, then in each resample.
        found: against better labels, [1 + B].
        errors: of the labels by the better ones, [1 + B].

    Returns:
        With intervals; `highest` is the AUC that scores without error have against the labels,
        `expected` that against better labels, not defined where it cannot be.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        hoped = np.where(errors.kept > 0, errors.true_auc(seen), np.nan)
    hoped = np.append(hoped[0] if 0 <= hoped[0] <= 1 else np.nan, np.clip(hoped[1:], 0, 1))
    figures = {
        "highest": errors.seen_auc(1.0),
        "expected": hoped,
        "found_minus_expected": found - hoped,
    }
    return {name: intervals.entry(each[0], each[1:]) for name, each in figures.items()}


def _true(seen: dict[str, Numbers], errors: Errors) -> dict[str, Numbers]:
    tpr, fpr, wrong, missed = seen["tpr"], seen["fpr"], errors.wrong, errors.missed
    return {
        "auc": errors.true_auc(seen["auc"]),
        "tpr": ((1 - missed) * tpr - wrong * fpr) / errors.kept,
        "fpr": ((1 - wrong) * fpr - missed * tpr) / errors.kept,
    }
