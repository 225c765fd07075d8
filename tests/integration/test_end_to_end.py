# SPDX-License-Identifier: MIT
"""Tests of the whole way, from raw files to report and SavedModel, through the command lines."""

import csv
import json
import pathlib
import subprocess
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from cxr14_results import tensors

from trainer import task

pytestmark = pytest.mark.slow

FINDINGS = ("Cardiomegaly", "Effusion", "Mass", "Pneumothorax")


@pytest.fixture(scope="module")
def whole_run(
    train_flags: Callable[..., list[str]],
    run_module: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[pathlib.Path, str]:
    """Output folder and log of `--mode=all`, whose lines are all JSON."""
    output = tmp_path_factory.mktemp("end_to_end") / "out"
    flags = ["--mode=all", "--log_format=json", *train_flags(str(output), train__epochs=2)]
    done = run_module("trainer.task", *flags)
    assert done.returncode == 0, done.stderr
    return output, done.stdout + done.stderr


def test_the_statistics_of_every_batch_normalisation_of_resnet_50_are_learned(
    whole_run: Any,
) -> None:
    found = tensors(whole_run[0])
    moving = [name for name in found if name.endswith(("moving_mean", "moving_variance"))]
    assert len(moving) == 106
    for name in moving:
        start = 0 if name.endswith("mean") else 1
        assert not np.allclose(found[name], start), name


def rows_of_index(raw_tree: pathlib.Path) -> dict[str, set[str]]:
    with open(raw_tree / "Data_Entry_2017_v2020.csv", newline="") as file:
        lines = list(csv.reader(file))[1:]
    return {line[0]: set(line[1].split("|")) for line in lines}


def test_the_output_folder_is_laid_out_as_agreed(whole_run: Any) -> None:
    output, _ = whole_run
    for name in (
        "predictions/predictions.csv",
        "report/report.json",
        "report/report.md",
        "report/report.html",
        "saved_model/saved_model.pb",
        "config.yaml",
    ):
        assert (output / name).is_file(), name
    for folder in (output / "checkpoints", output / "checkpoints" / "best"):
        assert list(folder.glob("ckpt-*.index"))
        assert not list(folder.glob("*tempstate*"))
    assert list((output / "tensorboard").glob("events.out.tfevents.*"))
    assert not list(output.rglob("*.partial-*"))


def test_the_report_has_the_agreed_keys_and_the_counts_of_the_index(
    whole_run: Any, raw_tree: pathlib.Path
) -> None:
    report = json.loads((whole_run[0] / "report" / "report.json").read_text())
    index = rows_of_index(raw_tree)
    tested = set((raw_tree / "test_list.txt").read_text().split())
    assert set(report["splits"]) == {"validation", "test"}
    for split in report["splits"].values():
        assert set(split["mean_auc"]) >= {"value", "low", "high"}
        assert 0 <= split["mean_auc"]["value"] <= 1
        assert len(split["findings"]) == 14
        for finding in split["findings"].values():
            assert set(finding) >= {"auc", "n", "positives"}
            assert set(finding["auc"]) >= {"value", "low", "high"}
    test = report["splits"]["test"]["findings"]
    for name in FINDINGS:
        assert test[name]["n"] == len(tested)
        assert test[name]["positives"] == sum(name in index[image] for image in tested)
    assert test["Hernia"]["auc"]["value"] is None
    assert test["Hernia"]["positives"] == 0


def test_every_image_is_scored_once_with_its_label(whole_run: Any, raw_tree: pathlib.Path) -> None:
    with open(whole_run[0] / "predictions" / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    index = rows_of_index(raw_tree)
    tested = {row["id"] for row in rows if row["split"] == "test"}
    assert tested == set((raw_tree / "test_list.txt").read_text().split())
    assert len({row["id"] for row in rows}) == len(rows)
    assert {row["split"] for row in rows} == {"validation", "test"}
    for row in rows:
        assert int(row["patient"]) == int(row["id"].partition("_")[0])
        for name in FINDINGS:
            assert row[f"label:{name}"] == str(int(name in index[row["id"]]))
            assert 0 < float(row[f"score:{name}"]) < 1
    by_split = {
        split: {row["patient"] for row in rows if row["split"] == split}
        for split in ("validation", "test")
    }
    assert not by_split["validation"] & by_split["test"]


def test_the_command_prints_the_table_and_where_things_lie(whole_run: Any) -> None:
    output, log = whole_run
    lines = [json.loads(line) for line in log.splitlines()]
    assert all(set(line) >= {"severity", "message", "time", "logger"} for line in lines)
    assert "ERROR" not in {line["severity"] for line in lines}
    (epoch,) = (line for line in lines if line["message"].startswith("epoch 2, step "))
    assert (epoch["severity"], epoch["logger"]) == ("INFO", "trainer.training.loop")
    assert f"epoch 2, step {epoch['step']}: validation mean AUC 0." in epoch["message"]
    text = "\n".join(line["message"] for line in lines if line["severity"] == "INFO")
    for name in (*FINDINGS, "Mean", "Validation AUC", "Test AUC"):
        assert name in text
    assert f"report: {output}/report/report.html" in text
    assert f"SavedModel: {output}/saved_model" in text


def test_preprocessing_again_finds_the_data_set_made(
    preprocessed: str, preprocess_flags: Any, run_module: Any
) -> None:
    before = (pathlib.Path(preprocessed) / "manifest.json").stat().st_mtime_ns
    done = run_module("preprocessing.task", *preprocess_flags(preprocessed))
    assert (done.returncode, done.stdout.strip()) == (0, f"{preprocessed} is complete already")
    assert (pathlib.Path(preprocessed) / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_runs_to_the_end_with_finite_scores(
    precision: str, train_flags: Any, tmp_path: pathlib.Path, small_backbone: None
) -> None:
    """In this process, which spares a start of TensorFlow, through the same entry point."""
    flags = train_flags(
        str(tmp_path / "out"), runtime__precision=precision, data__global_batch_size=8
    )
    argv = ["cxr14-train", *flags, "--config.train.epochs=1"]
    try:
        assert task.main([*argv, "--mode=train"]) == 0
        assert task.main([*argv, "--mode=evaluate"]) == 0
    finally:
        keras.config.set_dtype_policy("float32")
    with open(tmp_path / "out/predictions/predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = [float(row[f"score:{name}"]) for row in rows for name in FINDINGS]
    assert all(0 <= score <= 1 for score in scores)
    assert len(set(scores)) > len(rows)
    note = json.loads((tmp_path / "out/training.json").read_text())
    assert note["precision"] == precision
