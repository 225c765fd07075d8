# SPDX-License-Identifier: MIT
"""A tuning shows how many of its trials are done, and the best of them."""

from collections.abc import Callable
from typing import Any

from cxr14_google_apis import PLACE, labels

from trainer.launch.vertex import trials

Launch = Callable[..., tuple[int, str, str]]
STAGE = "--stage=tune"


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
        labels={**labels(), "cxr14-stage": "tune"},
        state="JOB_STATE_RUNNING",
        maxTrialCount=20,
        studySpec={"metrics": [{"metricId": "auc", "goal": "MAXIMIZE"}]},
        trials=[
            trial(1, "SUCCEEDED", 0.81, 1e-3),
            trial(2, "SUCCEEDED", 0.84, 3e-4),
            trial(3, "ACTIVE", None, 1e-2),
        ],
    )
    assert launch("status", "quick-run")[0] == 64  # there is no training of that name
    code, out, _ = launch("status", "quick-run", STAGE)
    assert code == 0 and "trials: 3 of 20: 1 active, 2 succeeded\n" in out
    assert "best: auc 0.84 by trial 2 (config.optimizer.learning_rate=0.0003)\n" in out
    google_apis.log("7/102", "of a trial", second=1, labels={"ml.googleapis.com/trial_id": "2"})
    _, out, _ = launch("logs", "quick-run", STAGE)
    assert out == "2026-11-29T10:00:01Z INFO    trial 2 workerpool0-0 of a trial\n"
    assert launch("cancel", "quick-run", STAGE)[0] == 0
    assert tuning["state"] == "JOB_STATE_CANCELLING"


def test_a_tuning_is_sent_once(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    path = job_file(tune={"parameters": {"optimizer.learning_rate": {"min": 1e-5, "max": 1e-2}}})
    code, out, err = launch("submit", f"--job={path}", STAGE)
    assert (code, out) == (0, f"{PLACE}/hyperparameterTuningJobs/1\n"), err
    assert launch("submit", f"--job={path}", STAGE)[1] == out
    [body] = google_apis.made("^POST .*/hyperparameterTuningJobs$")
    assert body["labels"]["cxr14-stage"] == "tune" and "jobSpec" not in body


def test_the_best_trial_is_registered(
    launch: Launch, google_apis: Any, bucket: str, make_run: Callable[[str], str]
) -> None:
    tuning = google_apis.add(
        "hyperparameterTuningJobs",
        labels={**labels(), "cxr14-stage": "tune"},
        studySpec={"metrics": [{"metricId": "auc", "goal": "MAXIMIZE"}]},
        trialJobSpec={"baseOutputDirectory": {"outputUriPrefix": f"{bucket}/tuned"}},
    )
    code, _, err = launch("upload", "quick-run", STAGE)
    assert code == 64 and "has a result yet" in err
    tuning["trials"] = [
        {"id": str(number), "finalMeasurement": {"metrics": [{"metricId": "auc", "value": value}]}}
        for number, value in ((1, 0.7), (2, 0.9), (3, 0.8))
    ]
    make_run(f"{bucket}/tuned/2")
    code, out, err = launch("upload", "quick-run", STAGE)
    assert (code, out) == (0, f"{PLACE}/models/2@1\n"), err
    [body] = google_apis.made("models:upload$")
    assert body["model"]["artifactUri"] == f"{bucket}/tuned/2/saved_model"


def test_the_best_may_be_the_least() -> None:
    study = {"metrics": [{"metricId": "loss", "goal": "MINIMIZE"}]}
    measured = [{"metrics": [{"metricId": "loss", "value": value}]} for value in (0.3, 0.2)]
    found = {
        "studySpec": study,
        "trials": [
            {"id": "1", "measurements": [measured[0], measured[1]]},
            {"id": "2", "finalMeasurement": measured[0]},
            {"id": "3", "state": "INFEASIBLE"},
        ],
    }
    assert trials.best_number(found) == "1" and trials.best(found).startswith("loss 0.2 by trial 1")
    assert trials.best({}) == trials.counts({}) == trials.best_number({}) == ""
