# SPDX-License-Identifier: MIT
"""How runs differ on the same test images, and how far runs of one recipe lie apart by their seeds.

AUCs are exact. Every run is scored on the same resamples of patients, so that each difference is
paired. Of runs that differ in the seed alone the AUCs are averaged, in every resample too: the
interval of a difference of two such means covers the luck of the tested patients, with the seeds as
they are. What seeds do is shown beside it, as standard deviation and range. Imports no TensorFlow.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract.errors import DataError
from trainer.evaluation import margins
from trainer.evaluation.comparison import Difference, Scored
from trainer.evaluation.intervals import Interval, Resamples, as_json, resample
from trainer.evaluation.summary import Summary
from trainer.experiments.finished import Finished, varied
from trainer.predictions.pairing import aligned

SPLIT = "test"
Floats = npt.NDArray[np.float64]


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
    scored = [_scored(run, runs[0], draws) for run in runs]
    recipes = list(dict.fromkeys(run.recipe for run in runs))  # in the order of their first runs
    members = [[at for at, run in enumerate(runs) if run.recipe == each] for each in recipes]
    means = [Scored.mean([scored[at] for at in each]) for each in members]
    differ = varied(runs)
    about = {"split": SPLIT, "images": len(tested.ids), "resamples": resamples}
    return about | {
        "resamples_seed": seed,
        "runs": [
            {"run": run.name, "path": run.path, "averaged": run.averaged, "settings": settings}
            | _entry(each, scored[0], tested.findings, margin)
            for run, settings, each in zip(runs, differ, scored, strict=True)
        ],
        "groups": [
            {
                "runs": [runs[at].name for at in each],
                "seeds": [runs[at].settings.get("seed") for at in each],
                "settings": {k: v for k, v in differ[each[0]].items() if k != "seed"},
                **_entry(mean, means[0], tested.findings, margin),
                "spread": _spread([scored[at] for at in each], tested.findings),
            }
            for each, mean in zip(members, means, strict=True)
        ],
    }


def _scored(run: Finished, first: Finished, draws: Resamples) -> Scored:
    tested = first.predictions.select(SPLIT)
    own = run.predictions.select(SPLIT)
    if not len(own.ids):
        raise DataError(f"{run.name} has no predictions of a {SPLIT} split: evaluate it again")
    return Scored.of(tested.labels, aligned(tested, own, name=run.name, to=first.name), draws)


def _entry(
    own: Scored, first: Scored, findings: Sequence[str], margin: float | None
) -> dict[str, Any]:
    """The mean AUC and that of each finding, and what they differ by from the first.

    With a margin, also whether they are no worse by it: `within`.
    """
    areas, found = Summary.of(own.areas, own.drawn), own.against(first, margin)

    def told(area: Interval, gap: Difference) -> dict[str, Any]:
        one: dict[str, Any] = dict.fromkeys(("difference", "p_value", "p_holm"))
        if own is not first:
            one = {"difference": as_json(gap.difference)}
            one |= {"p_value": gap.p_value, "p_holm": gap.p_holm}
            one |= {} if margin is None else {"within": margins.as_json(gap.within)}
        return {"auc": as_json(area), **one}

    each = map(told, areas.findings, found.findings)
    return {
        "mean": told(areas.mean, found.mean),
        "findings": dict(zip(findings, each, strict=True)),
    }


def _spread(several: Sequence[Scored], findings: Sequence[str]) -> dict[str, Any]:
    """Returns mean, standard deviation and range over runs, of the mean AUC and of each finding."""
    points = np.array([each.areas for each in several])
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
