# SPDX-License-Identifier: MIT
"""Tests of the TensorBoard log, read back with TensorBoard's own reader."""

import math
import pathlib
from typing import Any

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainer.monitor import Monitor


def scalars(output: str) -> dict[str, list[tuple[int, float]]]:
    """Returns tag -> (step, value) of every point in a run's log."""
    log = EventAccumulator(f"{output}/tensorboard", size_guidance={"tensors": 0})
    log.Reload()
    points: dict[str, list[tuple[int, float]]] = {}
    for tag in log.Tags()["tensors"]:
        points[tag] = [
            (event.step, float(tf.make_ndarray(event.tensor_proto))) for event in log.Tensors(tag)
        ]
    return points


def test_points_stand_at_their_steps_and_undefined_ones_are_left_out(
    one_device: Any, tmp_path: pathlib.Path
) -> None:
    monitor = Monitor(str(tmp_path))
    monitor.training(10, loss=0.5, rate=1e-3, images_per_second=40.0)
    monitor.training(20, loss=0.25, rate=5e-4, images_per_second=50.0)
    monitor.validation(20, 0.75, {"Mass": 0.75, "Hernia": math.nan})
    found = scalars(str(tmp_path))
    assert set(found) == {
        "train/loss",
        "train/learning_rate",
        "train/images_per_second",
        "validation/mean_auc",
        "validation_auc/Mass",
    }
    assert found["train/loss"] == [(10, 0.5), (20, 0.25)]
    assert found["train/images_per_second"] == [(10, 40.0), (20, 50.0)]
    assert found["validation/mean_auc"] == found["validation_auc/Mass"] == [(20, 0.75)]


def test_a_worker_that_is_not_chief_writes_nothing(
    one_device: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monitor = Monitor("")
    monitor.training(1, loss=0.5, rate=1e-3, images_per_second=40.0)
    monitor.validation(1, 0.75, {"Mass": 0.75})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_logs_training_and_every_finding(finished_run: Any) -> None:
    found = scalars(finished_run.output)
    assert {step for step, _ in found["train/loss"]} == {2, 4, 6}
    assert all(0 < value < 20 for _, value in found["train/loss"])
    assert [value for _, value in found["train/learning_rate"]] == pytest.approx([1e-4] * 3)
    assert all(value > 0 for _, value in found["train/images_per_second"])
    means = found["validation/mean_auc"]
    assert [step for step, _ in means] == [7]
    each = [found[f"validation_auc/{name}"] for name in ("Mass", "Nodule", "Edema")]
    assert [len(points) for points in each] == [1, 1, 1]
    assert sum(points[0][1] for points in each) / 3 == pytest.approx(means[0][1], rel=1e-5)
