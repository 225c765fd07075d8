# SPDX-License-Identifier: MIT
"""Says in words how far a tuning is: its trials, and the best of them."""

import collections
from typing import Any

from trainer.launch.manifests import Spec


def counts(found: Spec) -> str:
    """Returns how many trials there are, and in which states; empty for another job.

    >>> counts({"maxTrialCount": 20, "trials": [{"state": "SUCCEEDED"}, {"state": "ACTIVE"}]})
    '2 of 20: 1 active, 1 succeeded'
    """
    if "studySpec" not in found and "maxTrialCount" not in found:
        return ""
    trials = found.get("trials") or ()
    states = collections.Counter(str(trial.get("state", "")).lower() for trial in trials)
    each = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"{len(trials)} of {found.get('maxTrialCount')}" + (f": {each}" if each else "")


def best(found: Spec) -> str:
    """Returns metric, number and parameters of the best trial so far; empty if there is none."""
    metric, value, trial = _best(found)
    if value is None:
        return ""
    parameters = trial.get("parameters") or ()
    chosen = ", ".join(f"{one.get('parameterId')}={_plain(one.get('value'))}" for one in parameters)
    return f"{metric} {value:.6g} by trial {trial.get('id')} ({chosen})"


def best_number(found: Spec) -> str:
    """Returns the number of the best trial so far; empty if there is none."""
    return str(_best(found)[2].get("id", ""))


def _best(found: Spec) -> tuple[str | None, float | None, Spec]:
    """Returns metric, value and trial; a trial that runs counts by what it has reported last."""
    metrics = (found.get("studySpec") or {}).get("metrics") or [{}]
    metric, downwards = metrics[0].get("metricId"), metrics[0].get("goal") == "MINIMIZE"
    scored = [
        (value, trial)
        for trial in found.get("trials") or ()
        if (value := _value(trial, metric)) is not None
    ]
    if not scored:
        return metric, None, {}
    value, trial = (min if downwards else max)(scored, key=lambda pair: pair[0])
    return metric, value, trial


def _value(trial: Spec, metric: str | None) -> float | None:
    measured = trial.get("finalMeasurement") or (trial.get("measurements") or [{}])[-1]
    for one in measured.get("metrics") or ():
        if one.get("metricId") == metric and "value" in one:
            return float(one["value"])
    return None


def _plain(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)
