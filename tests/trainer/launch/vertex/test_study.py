# SPDX-License-Identifier: MIT
"""A search over settings is one that Vertex AI knows, and its trials are runs of their own."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from trainer import flags
from trainer.launch import task
from trainer.launch.description import job_file as reader
from trainer.launch.vertex import render
from trainer.monitoring import tuning

aiplatform = pytest.importorskip(
    "google.cloud.aiplatform_v1", reason="google-cloud-aiplatform is not installed"
)
json_format = pytest.importorskip("google.protobuf.json_format")
RATE = {"optimizer.learning_rate": {"min": 1e-5, "max": 1e-2, "scale": "log"}}


def spec_of(path: str) -> dict[str, Any]:
    """Renders a search, and checks that Vertex AI knows every key and word of it."""
    spec = render.render(reader.load(path), "tune")
    json_format.ParseDict(spec, aiplatform.HyperparameterTuningJob.pb()())
    return spec


def parameters(path: str) -> dict[str, dict[str, Any]]:
    found = spec_of(path)["studySpec"]["parameters"]
    return {one.pop("parameterId"): one for one in found}


def test_the_trainers_own_metric_is_maximised(job_file: Callable[..., str]) -> None:
    study = spec_of(job_file(tune={"parameters": RATE}))["studySpec"]
    assert study["metrics"] == [{"metricId": tuning.METRIC, "goal": "MAXIMIZE"}]
    assert study["measurementSelectionType"] == "BEST_MEASUREMENT"
    assert study["algorithm"] == "ALGORITHM_UNSPECIFIED"
    assert not [key for key in study if "Stopping" in key]


@pytest.mark.parametrize(
    ("name", "given", "rendered"),
    [
        (
            "optimizer.learning_rate",
            {"min": "1e-5", "max": 1e-2, "scale": "log"},
            {
                "doubleValueSpec": {"minValue": 1e-5, "maxValue": 1e-2},
                "scaleType": "UNIT_LOG_SCALE",
            },
        ),
        (
            "train.epochs",
            {"min": 2, "max": 8, "scale": "reverse_log"},
            {
                "integerValueSpec": {"minValue": "2", "maxValue": "8"},
                "scaleType": "UNIT_REVERSE_LOG_SCALE",
            },
        ),
        (
            "model.dropout",
            {"values": [0.5, 0, "1e-1"]},
            {"discreteValueSpec": {"values": [0.0, 0.1, 0.5]}, "scaleType": "UNIT_LINEAR_SCALE"},
        ),
        # As words: as numbers they would arrive as 32.0, which is not a whole number.
        (
            "data.global_batch_size",
            {"values": [32, 64]},
            {"categoricalValueSpec": {"values": ["32", "64"]}},
        ),
        (
            "data.flip",
            {"values": [True, False]},
            {"categoricalValueSpec": {"values": ["true", "false"]}},
        ),
        (
            "optimizer.name",
            {"values": ["sgd", "adam"]},
            {"categoricalValueSpec": {"values": ["sgd", "adam"]}},
        ),
    ],
)
def test_a_setting_decides_what_kind_of_parameter_it_is(
    job_file: Callable[..., str], name: str, given: dict[str, Any], rendered: dict[str, Any]
) -> None:
    assert parameters(job_file(tune={"parameters": {name: given}})) == {f"config.{name}": rendered}


def test_how_trials_are_chosen_and_counted_is_passed(job_file: Callable[..., str]) -> None:
    section = {"trials": 7, "parallel_trials": 3, "failed_trials": 2, "algorithm": "random"}
    more = {"measurement": "last", "early_stopping": "median"}
    spec = spec_of(job_file(tune={"parameters": RATE, **section, **more}))
    counts = (spec["maxTrialCount"], spec["parallelTrialCount"], spec["maxFailedTrialCount"])
    assert counts == (7, 3, 2)
    study = spec["studySpec"]
    assert (study["algorithm"], study["measurementSelectionType"]) == (
        "RANDOM_SEARCH",
        "LAST_MEASUREMENT",
    )
    assert study["medianAutomatedStoppingSpec"] == {}
    curve = job_file(tune={"parameters": RATE, "early_stopping": "decay_curve"})
    assert "decayCurveStoppingSpec" in spec_of(curve)["studySpec"]
    assert "maxFailedTrialCount" not in spec_of(curve)


def test_each_trial_writes_to_a_folder_of_its_own(job_file: Callable[..., str]) -> None:
    args = {
        "data": "gs://my-bucket/shards",
        "config.optimizer.learning_rate": 0.1,
        "config.train.epochs": 2,
        "config.data.global_batch_size": 48,
    }
    spec = spec_of(job_file(tune={"parameters": RATE}, args=args))["trialJobSpec"]
    base = spec["baseOutputDirectory"]["outputUriPrefix"]
    [pool] = spec["workerPoolSpecs"]
    arguments = pool["containerSpec"]["args"]
    assert not [one for one in arguments if one.startswith(("--output", "--config.optimizer"))]
    # What Vertex AI adds to the arguments and the environment of the third trial.
    parsed = flags.parse(
        ["cxr14-train", *arguments, "--config.optimizer.learning_rate=0.003"],
        environ={"AIP_MODEL_DIR": f"{base}/3/model/"},
    )
    assert parsed.output == "gs://my-bucket/runs/quick/3"
    assert parsed.config.optimizer.learning_rate == 0.003
    assert parsed.config.train.epochs == 2


def test_a_search_is_a_job_of_its_own_kind_and_label(job_file: Callable[..., str]) -> None:
    job = reader.load(job_file(tune={"parameters": RATE}, labels={"team": "chest"}))
    kind, body = render.request(job, "tune")
    assert kind == "hyperparameterTuningJobs"
    json_format.ParseDict(body, aiplatform.HyperparameterTuningJob.pb()())
    assert (body["displayName"], body["labels"]["team"]) == ("quick-run", "chest")
    assert body["labels"]["cxr14-stage"] == "tune"
    # A run that trains to the folder above the trials' would be in their way.
    assert body["labels"]["cxr14-output"] == render.labels(job, "train")["cxr14-output"]


def test_the_shipped_search_prints_the_golden_text(
    capsys: pytest.CaptureFixture[str], golden: Callable[[str, str], None]
) -> None:
    path = pathlib.Path(__file__).parents[4] / "configs/jobs/vertex_tuning.yaml"
    argv = ["cxr14-launch", "vertex", f"--job={path}", "--stage=tune", "--dry_run"]
    assert task.run(argv) == 0
    printed = capsys.readouterr().out
    golden("launch_vertex_tuning_tune.yaml", printed)
    spec = yaml.safe_load(printed)
    json_format.ParseDict(spec, aiplatform.HyperparameterTuningJob.pb()())
    spec["studySpec"]["algorithmm"] = "GRID_SEARCH"
    with pytest.raises(json_format.ParseError, match="algorithmm"):
        json_format.ParseDict(spec, aiplatform.HyperparameterTuningJob.pb()())
