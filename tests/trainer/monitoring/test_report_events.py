# SPDX-License-Identifier: MIT
"""A finished report stands in the run's TensorBoard log once, read back by TensorBoard itself."""

import json
import pathlib
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from preprocessing.contract.errors import DataError
from trainer.monitoring import report_events

PLOTS = ("forest.png", "roc_test.png")
TEXT = (
    "# AUC report\n\n- **Test**: 0.75\n\n## Is it good?\n\nyes\n\n"
    "### AUC by finding\n\n| a | b |\n\n### Card & more\n\n#### y\n\nx\n"
)


def area(value: float | None) -> dict[str, Any]:
    ends = (None, None) if value is None else (value - 0.1, value + 0.1)
    return {"value": value, "low": ends[0], "high": ends[1]}


def report(mean: float = 0.75) -> dict[str, Any]:
    entry = {
        "mean_auc": area(mean),
        "findings": {
            "Mass": {"auc": area(0.75)},
            "Hernia": {"auc": area(None)},
        },
    }
    return {
        "findings": ["Mass", "Hernia"],
        "splits": {"validation": entry, "test": entry},
        "context": {"training": {"steps": 1200}},
        "baselines": {"difference": {"mean_auc": area(0.12)}},
        "calibration": {"available": False, "reason": "none", "mean": {"test": {"ece": 0.02}}},
    }


def made(output: pathlib.Path, content: dict[str, Any]) -> str:
    folder = output / "report"
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(json.dumps(content))
    (folder / "report.md").write_text(TEXT)
    (folder / "plots").mkdir(exist_ok=True)
    for name in PLOTS:
        assert cv2.imwrite(str(folder / "plots" / name), np.full((30, 50, 3), 200, np.uint8))
    (folder / "plots" / "forest.svg").write_text("<svg/>")
    return str(output)


def read(folder: pathlib.Path) -> EventAccumulator:
    log = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    log.Reload()
    return log


def test_tensorboard_shows_figures_pictures_and_words(tmp_path: pathlib.Path) -> None:
    path = report_events.log(made(tmp_path, report()), {})
    assert pathlib.Path(path).parent == tmp_path / "tensorboard"
    log = read(tmp_path / "tensorboard")
    points = {
        tag: [(event.step, float(make_ndarray(event.tensor_proto))) for event in log.Tensors(tag)]
        for tag in log.PluginTagToContent("scalars")
    }
    assert points["test/mean_auc"] == points["report/validation_mean_auc"] == [(1200, 0.75)]
    assert points["test_auc/Mass"] == [(1200, 0.75)] and "test_auc/Hernia" not in points
    assert points["test/mean_auc_low"][0][1] == pytest.approx(0.65)
    assert points["test/mean_auc_minus_metadata"][0][1] == pytest.approx(0.12)
    assert points["test/ece"][0][1] == pytest.approx(0.02)
    # These are the training's own curves.
    assert not any(tag.startswith("validation") for tag in points)
    texts = {
        tag: make_ndarray(log.Tensors(tag)[0].tensor_proto).item().decode()
        for tag in log.PluginTagToContent("text")
    }
    assert list(texts) == [
        "report/00_AUC_report",
        "report/01_Is_it_good",
        "report/02_AUC_by_finding",
        "report/03_Card_more",
    ]
    assert texts["report/03_Card_more"] == "### Card & more\n\n#### y\n\nx"
    assert set(log.PluginTagToContent("images")) == {"report/forest", "report/roc_test"}
    for name in PLOTS:
        tag = f"report/{name.removesuffix('.png')}"
        shown = list(make_ndarray(log.Tensors(tag)[0].tensor_proto))
        assert shown == [b"50", b"30", (tmp_path / "report" / "plots" / name).read_bytes()]


def test_the_same_report_is_written_once(tmp_path: pathlib.Path) -> None:
    output = made(tmp_path, report())
    first = report_events.log(output, {})
    before = pathlib.Path(first).stat()
    assert report_events.log(output, {}) == first
    assert pathlib.Path(first).stat().st_mtime_ns == before.st_mtime_ns
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_another_report_takes_the_place_of_the_first(tmp_path: pathlib.Path) -> None:
    log = tmp_path / "tensorboard"
    log.mkdir()
    training = log / "events.out.tfevents.0000000001.host.v2"
    training.write_bytes(b"")
    first = report_events.log(made(tmp_path, report()), {})
    second = report_events.log(made(tmp_path, report(0.8)), {})
    assert first != second and sorted(log.iterdir()) == [training, pathlib.Path(second)]
    (event,) = read(log).Tensors("test/mean_auc")
    assert float(make_ndarray(event.tensor_proto)) == pytest.approx(0.8)


def test_the_log_may_lie_elsewhere(tmp_path: pathlib.Path) -> None:
    elsewhere = tmp_path / "logs" / "job"
    path = report_events.log(made(tmp_path, report()), {"AIP_TENSORBOARD_LOG_DIR": f"{elsewhere}/"})
    assert pathlib.Path(path).parent == elsewhere


def test_a_damaged_plot_is_named(tmp_path: pathlib.Path) -> None:
    output = made(tmp_path, report())
    (tmp_path / "report" / "plots" / "roc_test.png").write_bytes(b"torn")
    with pytest.raises(DataError, match="roc_test.png is damaged"):
        report_events.log(output, {})
    assert not (tmp_path / "tensorboard").exists()


def test_without_a_report_it_says_what_to_do(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match="--mode=report"):
        report_events.log(str(tmp_path), {})


def test_a_report_of_anybodys_predictions_stands_at_step_0(tmp_path: pathlib.Path) -> None:
    alone = report() | {"context": {}, "baselines": {"difference": None}}
    del alone["splits"]["test"], alone["calibration"]
    report_events.log(made(tmp_path, alone), {})
    log = read(tmp_path / "tensorboard")
    (event,) = log.Tensors("report/validation_mean_auc")
    assert event.step == 0
    assert not any(tag.startswith("test") for tag in log.PluginTagToContent("scalars"))


def test_tensorflow_is_not_needed() -> None:
    words = (
        "import sys; import trainer.monitoring.report_events; print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
