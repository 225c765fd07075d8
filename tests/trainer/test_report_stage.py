# SPDX-License-Identifier: MIT
"""The report stage takes its files from the command line and its facts from the run's folder."""

import json
import pathlib
from typing import Any

import pytest

from preprocessing.contract.errors import DataError
from preprocessing.contract.settings import settings
from trainer import flags, report_stage
from trainer.runfolder import notes


@pytest.fixture
def folder(finished_run: Any, tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with the predictions and the notes of a run, but no report."""
    output = pathlib.Path(finished_run.output)
    (tmp_path / "predictions").mkdir()
    beside = (notes.PREDICTIONS_NOTE, notes.CONFIG, notes.TRAINING)
    for name in (notes.PREDICTIONS, *beside):
        (tmp_path / name).write_bytes((output / name).read_bytes())
    return tmp_path


def parse(folder: pathlib.Path, *more: str) -> flags.ParsedFlags:
    given = ["--mode=report", f"--output={folder}", "--config.evaluation.bootstrap_resamples=3"]
    return flags.parse(["cxr14-train", *given, *more], environ={})


def test_a_report_on_a_run_states_its_settings_and_training(folder: pathlib.Path) -> None:
    made = report_stage.on_run(parse(folder), None)
    training = json.loads((folder / notes.TRAINING).read_text())
    assert made["context"]["training"] == training
    config = settings.to_mapping(
        settings.from_yaml(type(parse(folder).config), str(folder / notes.CONFIG))
    )
    assert made["context"]["config"]["data"] == config["data"]
    assert made["request"]["bootstrap_resamples"] == 3
    assert (folder / "report/report.json").exists()


def test_a_report_on_a_file_claims_nothing_of_a_run(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / notes.PREDICTIONS
    made = report_stage.on_file(parse(folder, f"--predictions={path}", f"--compare={path}"))
    assert made["context"] == {}
    assert made["comparison"]["available"]
    assert "Mean" in capsys.readouterr().out


def test_a_run_whose_predictions_were_edited_gets_no_report(folder: pathlib.Path) -> None:
    path = folder / notes.PREDICTIONS
    path.write_text(path.read_text().replace("test", "validation"))
    with pytest.raises(DataError, match=r"not what the evaluation .*--mode=evaluate again"):
        report_stage.on_run(parse(folder), None)


def test_a_run_that_was_not_evaluated_has_no_report(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match="evaluate first"):
        report_stage.on_run(parse(tmp_path), None)
