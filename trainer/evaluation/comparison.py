# SPDX-License-Identifier: MIT
"""Whether two models differ in their AUCs on the same images of the same patients.

Both models are scored on the same resamples of patients, so that what makes a resample easy or hard
falls out of the difference. The p-value takes the difference as normal with the spread that it has
over the resamples (as the bootstrap test of pROC does: Robin et al., BMC Bioinformatics 2011;
12:77). Counting the resamples beyond no difference would need no normality, but a thousand of them
cannot tell p-values as small as fourteen findings ask for. The p-values of the findings are
corrected after Holm (Scandinavian Journal of Statistics 1979; 6:65-70); where several models are
compared with one, those of all findings of all models together, and those of their means.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation import clustered, delong
from trainer.evaluation.auc import Floats, aurocs
from trainer.evaluation.delong import PairedTest
from trainer.evaluation.intervals import Interval, standard_error
from trainer.evaluation.margins import UNTESTED, Within
from trainer.evaluation.resamples import Resamples
from trainer.evaluation.summary import Summary


@dataclass(frozen=True)
class Difference:
    """The AUCs of two models on one finding, or their means over the findings.

    Attributes:
        first: AUC of the first model; None where it is not defined.
        second: of the second.
        difference: second minus first, resampling patients.
        p_value: two-sided, from the spread over the same resamples; None without an interval.
        standard_error: of the difference: its standard deviation over the resamples.
        p_holm: the same p, corrected for the number of findings tested, of all models compared; of
            a mean, for the number of models; None for the mean of a model that is the only one.
        delong: the paired test that takes images as independent; None without an AUC.
        clustered: the paired test that takes patients as independent; None likewise.
        within: whether the second is no worse, or both are equivalent, by a margin; None without
            one.
    """

    first: float | None
    second: float | None
    difference: Interval
    p_value: float | None = None
    standard_error: float | None = None
    p_holm: float | None = None
    delong: PairedTest | None = None
    clustered: PairedTest | None = None
    within: Within | None = None


@dataclass(frozen=True)
class Comparison:
    """The differences of every finding, in the order of the columns, and of the mean."""

    findings: tuple[Difference, ...]
    mean: Difference


@dataclass(frozen=True, eq=False)
class Scored:
    """The AUCs of one model on n images.

    Attributes:
        areas: float64 [L].
        drawn: float64 [L, B], in every resample.
        pulls: float64 [L, n], what each image adds to them, see `delong.deviations`.
        by_patient: float64 [L, k], the same of patients, see `clustered.deviations`.
    """

    areas: npt.NDArray[np.float64]
    drawn: npt.NDArray[np.float64]
    pulls: npt.NDArray[np.float64]
    by_patient: npt.NDArray[np.float64]

    @classmethod
    def of(cls, labels: Floats, scores: Floats, draws: Resamples) -> "Scored":
        """Scores one model.

        Args:
            labels: [n, L]; 1, 0 or NaN for unknown.
            scores: [n, L].
            draws: of the patients, for these images.
        """
        columns = list(zip(labels.T, scores.T, strict=True))
        return cls(
            aurocs(labels, scores),
            np.array([draws.aucs(*pair) for pair in columns]),
            np.array([delong.deviations(*pair) for pair in columns]),
            np.array([clustered.deviations(*pair, draws.patient_of) for pair in columns]),
        )

    @classmethod
    def mean(cls, several: Sequence["Scored"]) -> "Scored":
        """Returns the means over runs that differ in the seed, on the same images."""
        parts = {name: [vars(each)[name] for each in several] for name in vars(several[0])}
        return cls(**{name: np.mean(part, axis=0) for name, part in parts.items()})

    def against(self, first: "Scored", margin: float | None = None) -> Comparison:
        """Returns how the AUCs of this model differ from those of a first on the same images.

        Args:
            first: the other model.
            margin: by which this one may be worse, for `Within`; None for no such test.
        """
        areas, spread = np.array([first.areas, self.areas]), self.drawn - first.drawn
        pulls = self.pulls - first.pulls, self.by_patient - first.by_patient
        found = Summary.of(areas[1] - areas[0], spread)

        def difference(interval: Interval, which: npt.NDArray[Any]) -> Difference:
            """Of one finding, or of the mean over several."""
            if interval.value is None:
                return Difference(None, None, interval, within=None if margin is None else UNTESTED)
            drawn = spread[which].mean(axis=0)
            one, other = areas[:, which].mean(axis=1).tolist()
            p = error = None
            if interval.low is not None:
                p, error = p_value(interval.value, drawn), standard_error(drawn)
            tests = [delong.paired_test(interval.value, each[which].mean(axis=0)) for each in pulls]
            within = None if margin is None else Within.of(interval, drawn, margin)
            return Difference(one, other, interval, p, error, None, tests[0], tests[1], within)

        single = [difference(each, np.array([at])) for at, each in enumerate(found.findings)]
        made = Comparison(tuple(single), difference(found.mean, ~np.isnan(areas).any(axis=0)))
        return corrected([made])[0]


def corrected(several: Sequence[Comparison]) -> list[Comparison]:
    """Corrects the p-values of several models that are compared with one.

    Args:
        several: of each model. The findings of all of them are one family of tests, their means
            another, which needs no correction where there is one model.
    """
    findings = iter(_corrected([each for one in several for each in one.findings]))
    means = [one.mean for one in several]
    return [
        Comparison(tuple(next(findings) for _ in one.findings), mean)
        for one, mean in zip(several, _corrected(means) if len(means) > 1 else means, strict=True)
    ]


def _corrected(family: Sequence[Difference]) -> list[Difference]:
    ps = holm([each.p_value for each in family])
    claims = [each.within for each in family]
    worse = holm([None if one is None else one.no_worse.p_value for one in claims])
    equal = holm([None if one is None else one.equivalent.p_value for one in claims])
    return [
        dataclasses.replace(
            each, p_holm=p, within=None if each.within is None else each.within.corrected(*claimed)
        )
        for each, p, *claimed in zip(family, ps, worse, equal, strict=True)
    ]


def p_value(value: float, draws: npt.NDArray[np.float64]) -> float | None:
    """Returns how unlikely a difference as far from 0 would be if there were none, two-sided.

    Args:
        value: the difference.
        draws: float64 [B], the difference in every resample; NaN where it is not defined.

    Returns:
        From 0 to 1; None with fewer than two usable resamples, or where a difference never varies.

    >>> round(p_value(1.96, np.array([-1.0, 0.0, 1.0])), 3)
    0.05
    """
    error = standard_error(draws)
    return None if error is None else delong.two_sided(value, error)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Returns p-values corrected for how many there are, by Holm's step-down method.

    Args:
        p_values: None where nothing was tested; these count for nothing and stay None.

    >>> holm([0.25, None, 0.125, 0.5])
    [0.5, None, 0.375, 0.5]
    """
    tested = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for place, (p, at) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - place) * p))
        corrected[at] = largest
    return corrected
