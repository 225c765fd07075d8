# SPDX-License-Identifier: MIT
"""A tuning shows how many of its trials are done, and the best of them."""

from collections.abc import Callable
from typing import Any

from cxr14_google_apis import PLACE, labels

Launch = Callable[..., tuple[int, str, str]]


def test_a_tuning_shows_its_trials_and_the_best(launch: Launch, google_apis: Any) -> None:
    def trial(number: int, state: str, value: float | None, rate: float) -> dict[str, Any]:
        metrics = [] if value is None else [{"metricId": "auc", "value": value}]
        return {
            "id": str(number),
            "state": state,
            "parameters": [{"parameterId": "config.optimizer.learning_rate", "value": rate}],
            "finalMeasurement": {"metrics": metrics},
            "customJob": f"{PLACE}/customJobs/10{number}",
        }

    tuning = google_apis.add(
        "hyperparameterTuningJobs",
        labels=labels(),
        state="JOB_STATE_RUNNING",
        maxTrialCount=20,
        studySpec={"metrics": [{"metricId": "auc", "goal": "MAXIMIZE"}]},
        trials=[
            trial(1, "SUCCEEDED", 0.81, 1e-3),
            trial(2, "SUCCEEDED", 0.84, 3e-4),
            trial(3, "ACTIVE", None, 1e-2),
        ],
    )
    code, out, _ = launch("status", "quick-run")
    assert code == 0 and "trials: 3 of 20: 1 active, 2 succeeded\n" in out
    assert "best: auc 0.84 by trial 2 (config.optimizer.learning_rate=0.0003)\n" in out
    google_apis.log("7/102", "of a trial", second=1, labels={"ml.googleapis.com/trial_id": "2"})
    _, out, _ = launch("logs", "quick-run")
    assert out == "2026-11-29T10:00:01Z INFO    trial 2 workerpool0-0 of a trial\n"
    assert launch("cancel", "quick-run")[0] == 0
    assert tuning["state"] == "JOB_STATE_CANCELLING"
