# SPDX-License-Identifier: MIT
"""How runs differ on the same test images, and how far runs of one recipe lie apart by their seeds.

AUCs are exact. Every run is scored on the same resamples of patients, so that each difference is
paired. Of runs that differ in the seed alone the AUCs are averaged, in every resample too: the
interval of a difference of two such means covers the luck of the tested patients, with the seeds as
they are. What seeds do is shown beside it, as standard deviation and range. Imports no TensorFlow.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract.errors import DataError
from trainer.evaluation import comparison, margins
from trainer.evaluation.auc import aurocs
from trainer.evaluation.intervals import Interval, Resamples, as_json, resample
from trainer.evaluation.summary import Summary
from trainer.experiments.finished import Finished, varied
from trainer.predictions.pairing import aligned

SPLIT = "test"
Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Areas:
    """AUCs of a run, or the means of several.

    Attributes:
        points: float64 [L]; NaN where not defined.
        drawn: float64 [L, B], in every resample.
    """

    points: Floats
    drawn: Floats

    @staticmethod
    def mean(several: Sequence["Areas"]) -> "Areas":
        """Returns the means over runs."""
        return Areas(
            np.mean([each.points for each in several], axis=0),
            np.mean([each.drawn for each in several], axis=0),
        )

    def entry(
        self, first: "Areas", findings: Sequence[str], margin: float | None = None
    ) -> dict[str, Any]:
        """Returns the mean AUC and that of each finding, and what they differ by from others.

        With a margin, also whether they are no worse by it: `within`.
        """
        own = Summary.of(self.points, self.drawn)
        areas = np.array([first.points, self.points])
        found = comparison.of_areas(areas, self.drawn - first.drawn, margin=margin)

        def told(area: Interval, gap: comparison.Difference) -> dict[str, Any]:
            one: dict[str, Any] = dict.fromkeys(("difference", "p_value", "p_holm"))
            if self is not first:
                one = {"difference": as_json(gap.difference)}
                one |= {"p_value": gap.p_value, "p_holm": gap.p_holm}
                one |= {} if margin is None else {"within": margins.as_json(gap.within)}
            return {"auc": as_json(area), **one}

        mean = told(own.mean, found.mean)
        each = map(told, own.findings, found.findings)
        return {"mean": mean, "findings": dict(zip(findings, each, strict=True))}


def compare(
    runs: Sequence[Finished], *, resamples: int, seed: int, margin: float | None = None
) -> dict[str, Any]:
    """Returns the figures of each run, of each group of seeds, and the differences to the first.

    Args:
        runs: at least one; the first is what the others are compared with.
        resamples: of patients, behind every interval.
        seed: of the resamples.
        margin: by which a run may be worse than the first, fixed beforehand; None for no test.

    Returns:
        Plain values, ready for JSON: `runs`, each with `mean` and `findings`; `groups` likewise,
        of runs that differ in the seed alone, with their spread, the first run's first.

    Raises:
        DataError: a run has no test split, or other images, patients, labels or findings there.
    """
    tested = runs[0].predictions.select(SPLIT)
    draws = resample(tested.patients, tested.labels, resamples=resamples, seed=seed)
    areas = [_areas(run, runs[0], draws) for run in runs]
    recipes = list(dict.fromkeys(run.recipe for run in runs))  # in the order of their first runs
    members = [[at for at, run in enumerate(runs) if run.recipe == each] for each in recipes]
    means = [Areas.mean([areas[at] for at in each]) for each in members]
    differ = varied(runs)
    about = {"split": SPLIT, "images": len(tested.ids), "resamples": resamples}
    return about | {
        "resamples_seed": seed,
        "runs": [
            {"run": run.name, "path": run.path, "averaged": run.averaged, "settings": settings}
            | each.entry(areas[0], tested.findings, margin)
            for run, settings, each in zip(runs, differ, areas, strict=True)
        ],
        "groups": [
            {
                "runs": [runs[at].name for at in each],
                "seeds": [runs[at].settings.get("seed") for at in each],
                "settings": {k: v for k, v in differ[each[0]].items() if k != "seed"},
                **mean.entry(means[0], tested.findings, margin),
                "spread": _spread([areas[at] for at in each], tested.findings),
            }
            for each, mean in zip(members, means, strict=True)
        ],
    }


def _areas(run: Finished, first: Finished, draws: Resamples) -> Areas:
    tested = first.predictions.select(SPLIT)
    own = run.predictions.select(SPLIT)
    if not len(own.ids):
        raise DataError(f"{run.name} has no predictions of a {SPLIT} split: evaluate it again")
    scores = aligned(tested, own, name=run.name, to=first.name)
    pairs = list(zip(tested.labels.T, scores.T, strict=True))
    return Areas(aurocs(tested.labels, scores), np.array([draws.aucs(*pair) for pair in pairs]))


def _spread(several: Sequence[Areas], findings: Sequence[str]) -> dict[str, Any]:
    """Returns mean, standard deviation and range over runs, of the mean AUC and of each finding."""
    points = np.array([each.points for each in several])
    defined = ~np.isnan(points[0])  # a matter of the labels, which are the same in all runs
    means = points[:, defined].mean(axis=1) if defined.any() else points[:, 0]
    named = zip(findings, points.T, strict=True)
    return {"mean": _over(means), "findings": {name: _over(column) for name, column in named}}


def _over(values: Floats) -> dict[str, Any]:
    if np.isnan(values).any():
        return dict.fromkeys(("mean", "sd", "low", "high"))
    deviation = float(values.std(ddof=1)) if len(values) > 1 else None
    ends = {"low": float(values.min()), "high": float(values.max())}
    return {"mean": float(values.mean()), "sd": deviation, **ends}
