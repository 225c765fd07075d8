# SPDX-License-Identifier: MIT
"""A trial's file has each validation once, in the form of cloudml-hypertune, whoever wrote before.

That a training reports its validations is tested in tests/trainer/test_stages.py.
"""

import json
import math
import pathlib
import time

import pytest

from trainer import flags
from trainer.checkpoints import checkpoints
from trainer.monitoring import event_log, tuning


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "hypertune" / "output.metrics"


def environ(file: pathlib.Path, trial: str = "7") -> dict[str, str]:
    return {"CLOUD_ML_TRIAL_ID": trial, "CLOUD_ML_HP_METRIC_FILE": str(file)}


def steps(file: pathlib.Path) -> list[str]:
    return [json.loads(line)["global_step"] for line in file.read_text().splitlines()]


def test_a_line_is_what_googles_package_writes(file: pathlib.Path) -> None:
    before = time.time()
    tuning.report(1750, 0.8125, environ(file))
    text = file.read_text()
    assert text.endswith("}\n") and text.count("\n") == 1
    line = json.loads(text)
    assert before <= line.pop("timestamp") <= time.time()
    assert line.pop("checkpoint_path") == ""
    assert line == {"trial": "7", "global_step": "1750", tuning.METRIC: "0.8125"}
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_each_step_of_a_trial_is_reported_once(file: pathlib.Path) -> None:
    for step, auc in [(7, 0.5), (14, 0.75), (14, 0.75), (7, 0.5), (21, 0.625)]:
        tuning.report(step, auc, environ(file))
    assert steps(file) == ["7", "14", "21"]
    tuning.report(7, 0.5, environ(file, trial="8"))
    assert steps(file) == ["7", "14", "21", "7"]


def test_half_a_line_of_a_killed_process_is_reported_again_on_a_line_of_its_own(
    file: pathlib.Path,
) -> None:
    tuning.report(7, 0.5, environ(file))
    whole = file.read_text()
    file.write_text(whole + whole.replace('"7"', '"14"')[:40])
    tuning.report(14, 0.75, environ(file))
    first, _, last = file.read_text().splitlines()
    assert [json.loads(line)["global_step"] for line in (first, last)] == ["7", "14"]


def test_lines_of_others_are_left_alone(file: pathlib.Path) -> None:
    file.parent.mkdir()
    file.write_text('[]\n{"trial": "7", "global_step": "7", "other": "1"}\nnoise\n')
    tuning.report(7, 0.5, environ(file))
    lines = file.read_text().splitlines()
    assert len(lines) == 4 and json.loads(lines[3])[tuning.METRIC] == "0.5"


@pytest.mark.parametrize("found", [{}, {"CLOUD_ML_TRIAL_ID": "", "CLOUD_ML_HP_METRIC_FILE": ""}])
def test_nothing_is_written_outside_a_trial(
    found: dict[str, str], file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_DEFAULT", str(file))
    tuning.report(7, 0.5, found)
    assert not file.parent.exists()
    tuning.report(7, 0.5, {"CLOUD_ML_TRIAL_ID": "3"})
    assert json.loads(file.read_text())["trial"] == "3"


def test_what_is_not_a_result_is_not_reported(file: pathlib.Path) -> None:
    tuning.report(0, -1.0, environ(file))
    tuning.report(7, math.nan, environ(file))
    assert not file.exists()


def test_a_file_that_cannot_be_written_is_warned_of_and_no_more(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "output.metrics"
    tuning.report(7, 0.5, environ(path))
    assert "the tuning study does not learn" in caplog.text and str(path) in caplog.text


def test_all_that_a_trial_writes_lies_in_its_own_folder() -> None:
    base = "gs://bucket/study/3"
    found = {
        "AIP_MODEL_DIR": f"{base}/model/",
        "AIP_CHECKPOINT_DIR": f"{base}/checkpoints/",
        "AIP_TENSORBOARD_LOG_DIR": f"{base}/logs/",
    }
    output = flags.parse(["cxr14-train", "--data=gs://bucket/shards"], found).output
    assert output == base
    assert f"{output}/{checkpoints.FOLDER}/" == found["AIP_CHECKPOINT_DIR"]
    assert event_log.folder_of(output, found) == f"{base}/logs"
