# SPDX-License-Identifier: MIT
"""Tests of the TensorBoard log, read back with TensorBoard's own reader.

What a person sees of it is tested in tests/browser.
"""

import math
import pathlib
import sys
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from preprocessing.contract.settings import settings
from trainer.config import Config
from trainer.monitoring.event_log import folder_of
from trainer.monitoring.monitor import MIB, Monitor, memory

AUCS = {"Mass": 0.75, "Nodule": 0.5, "Hernia": math.nan}
LABELS = np.array([[1.0, 1.0, 0.0], [0.0, math.nan, 0.0], [0.0, 0.0, 0.0]])
SCORES = np.array([[0.9, 0.5, 0.1], [0.2, 0.4, 0.2], [0.3, 0.6, 0.3]], np.float32)


def read(folder: str) -> EventAccumulator:
    log = EventAccumulator(folder, size_guidance={"tensors": 0})
    log.Reload()
    return log


def scalars(folder: str) -> dict[str, list[tuple[int, float]]]:
    """Returns tag -> (step, value) of every point in a log but memory, which differs."""
    log = read(folder)
    return {
        tag: [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in log.Tensors(tag)]
        for tag in log.Tags()["tensors"]
        if log.SummaryMetadata(tag).plugin_data.plugin_name == "scalars"
        and not tag.startswith("memory/")
    }


def validate(monitor: Monitor, step: int) -> None:
    pixels = np.zeros([2, 32, 32], np.uint8)
    monitor.validation(
        step,
        mean_auc=0.625,
        aucs=AUCS,
        labels=LABELS,
        scores=SCORES,
        loss=0.5,
        ids=["a.png", "b.png"],
        pixels=pixels,
    )


def test_points_stand_at_their_steps_and_undefined_ones_are_left_out(
    tmp_path: pathlib.Path,
) -> None:
    monitor = Monitor(str(tmp_path))
    monitor.training(10, {"train/loss": 0.5, "train/loss_scale": math.nan})
    monitor.training(20, {"train/loss": np.float32(0.25), "train/gradient_norm": math.inf})
    validate(monitor, 20)
    assert scalars(str(tmp_path)) == {
        "train/loss": [(10, 0.5), (20, 0.25)],
        "validation/mean_auc": [(20, 0.625)],
        "at_a_glance/2_validation_auc": [(20, 0.625)],
        "at_a_glance/3_training_loss": [(10, 0.5), (20, 0.25)],
        "validation/loss": [(20, 0.5)],
        "validation_auc/Mass": [(20, 0.75)],
        "validation_auc/Nodule": [(20, 0.5)],
    }


def test_the_best_network_comes_first_for_hparams(tmp_path: pathlib.Path) -> None:
    monitor = Monitor(str(tmp_path))
    monitor.best(7, -1.0)
    monitor.best(14, 0.75)
    monitor.training(14, {"train/loss": 0.5})
    monitor.end(14, {"best/loss": 0.5, "best/mean_auc": 0.75})
    found = scalars(str(tmp_path))
    assert found[min(found)] == [(14, 0.75)]


def test_memory_is_logged_with_the_training(tmp_path: pathlib.Path) -> None:
    monitor = Monitor(str(tmp_path))
    monitor.training(10, {})
    monitor.flush()
    log = read(str(tmp_path))
    (event,) = log.Tensors("memory/host_mib")
    assert 50 < float(tf.make_ndarray(event.tensor_proto)) < 100_000


def test_findings_with_positives_and_negatives_have_a_curve(tmp_path: pathlib.Path) -> None:
    monitor = Monitor(str(tmp_path))
    validate(monitor, 20)
    found = read(str(tmp_path)).PluginTagToContent("pr_curves")
    assert set(found) == {"validation_pr/Mass/pr_curves", "validation_pr/Nodule/pr_curves"}


def test_pictures_carry_their_caption(tmp_path: pathlib.Path) -> None:
    monitor = Monitor(str(tmp_path))
    validate(monitor, 20)
    log = read(str(tmp_path))
    assert set(log.PluginTagToContent("images")) == {
        "validation_examples/a.png",
        "validation_examples/b.png",
    }
    (event,) = log.Tensors("validation_examples/a.png")
    encoded = tf.make_ndarray(event.tensor_proto)[2]
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    assert event.step == 20
    assert picture.shape[0] > picture.shape[1] == 320
    assert (picture[:320] == 0).all()
    assert picture[320:].max() > 200


def test_a_sheet_of_augmented_pictures_stands_at_the_start(tmp_path: pathlib.Path) -> None:
    monitor = Monitor(str(tmp_path))
    shown = np.arange(32 * 48, dtype=np.uint16).reshape(32, 48).astype(np.uint8)
    monitor.augmented(shown)
    monitor.flush()
    (event,) = read(str(tmp_path)).Tensors("training_examples/augmented")
    encoded = tf.make_ndarray(event.tensor_proto)[2]
    assert event.step == 0
    found = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, shown)


def test_settings_and_data_set_are_there_before_the_first_step(
    data_set: Any, tmp_path: pathlib.Path
) -> None:
    monitor = Monitor(str(tmp_path))
    monitor.begin(0, config=Config(seed=3), manifest=data_set.manifest)
    log = read(str(tmp_path))
    texts = {
        tag: tf.make_ndarray(log.Tensors(tag)[0].tensor_proto).item().decode()
        for tag in log.PluginTagToContent("text")
    }
    assert "seed: 3" in texts["run/config"]
    assert data_set.manifest.identity in texts["run/data_set"]
    assert texts["run/starts"].startswith("started on ")
    assert f"TensorFlow {tf.__version__}" in texts["run/starts"]
    content = log.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    values = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    expected = {**settings.flat(Config(seed=3)), "data_set": data_set.manifest.identity[:12]}
    assert {name: getattr(v, v.WhichOneof("kind")) for name, v in values.items()} == expected


def test_a_restart_says_where_it_went_on(data_set: Any, tmp_path: pathlib.Path) -> None:
    Monitor(str(tmp_path)).begin(0, config=Config(), manifest=data_set.manifest)
    Monitor(str(tmp_path)).begin(40, config=Config(), manifest=data_set.manifest)
    log = read(str(tmp_path))
    # By step: files that one process writes in one second are read in the order of their numbers as
    # text, the tenth before the ninth.
    starts = {e.step: tf.make_ndarray(e.tensor_proto).item() for e in log.Tensors("run/starts")}
    assert starts.keys() == {0, 40}
    assert starts[40].startswith(b"went on after step 40 on ")
    # Always at step 0: TensorBoard's data server shows the later one (tests/browser).
    assert {e.step for e in log.Tensors("run/config")} == {0}


def test_the_end_of_a_run_has_its_result(tmp_path: pathlib.Path) -> None:
    monitor = Monitor(str(tmp_path))
    monitor.end(50, {"best/mean_auc": 0.8125})
    assert scalars(str(tmp_path)) == {"best/mean_auc": [(50, 0.8125)]}
    log = read(str(tmp_path))
    content = log.PluginTagToContent("hparams")["_hparams_/session_end_info"]
    data = plugin_data_pb2.HParamsPluginData.FromString(content)
    assert data.session_end_info.status == 1  # STATUS_SUCCESS


def test_a_worker_that_is_not_chief_writes_nothing(
    data_set: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monitor = Monitor("")
    monitor.begin(0, config=Config(), manifest=data_set.manifest)
    monitor.training(1, {"train/loss": 0.5})
    validate(monitor, 1)
    monitor.end(1, {"best/mean_auc": 0.5})
    monitor.flush()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_out_between_validations(tmp_path: pathlib.Path) -> None:
    monitor = Monitor(str(tmp_path))
    monitor.flush()
    (file,) = tmp_path.iterdir()
    before = file.stat().st_size
    for step in range(1, 51):
        monitor.training(step, {"train/loss": 0.5, "train/learning_rate": 0.1})
    assert file.stat().st_size == before
    validate(monitor, 50)
    assert file.stat().st_size > before + 50 * 2 * 50


@pytest.mark.slow
def test_a_bucket_gets_the_log_once_a_validation(on_gcs: Any, bucket: str) -> None:
    folder = folder_of(f"{bucket}/run", {})
    monitor = Monitor(folder)
    monitor.flush()
    on_gcs.forget()
    for epoch in (1, 2):
        for step in range(50):
            monitor.training(50 * epoch + step, {"train/loss": 0.5, "train/learning_rate": 0.1})
        validate(monitor, 50 * epoch)
    assert len(on_gcs.requests("^POST .*/upload/")) == 2
    assert len(scalars(folder)["train/loss"]) == 100


@pytest.mark.slow
def test_a_run_logs_training_and_every_finding(finished_run: Any) -> None:
    folder = folder_of(finished_run.output, {})
    found = scalars(folder)
    assert {step for step, _ in found["train/loss"]} == {2, 4, 6}
    assert all(0 < value < 20 for _, value in found["train/loss"])
    assert [value for _, value in found["train/learning_rate"]] == pytest.approx([1e-4] * 3)
    for tag in ("gradient_norm", "images_per_second", "steps_per_second"):
        assert all(value > 0 for _, value in found[f"train/{tag}"])
    assert all(0 <= value <= 1 for _, value in found["train/input_wait_share"])
    means = found["validation/mean_auc"]
    assert [step for step, _ in means] == [7]
    each = [found[f"validation_auc/{name}"] for name in ("Mass", "Nodule", "Edema")]
    assert [len(points) for points in each] == [1, 1, 1]
    assert sum(points[0][1] for points in each) / 3 == pytest.approx(means[0][1], rel=1e-5)
    assert found["best/mean_auc"] == means
    log = read(folder)
    texts = {tag for tag in log.PluginTagToContent("text") if not tag.startswith("report/")}
    assert texts == {"run/config", "run/data_set", "run/starts"}
    assert len(texts) < len(log.PluginTagToContent("text"))
    assert len(log.PluginTagToContent("pr_curves")) == 3
    assert len(log.PluginTagToContent("images")) >= 4


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell it in /proc")
def test_host_memory_is_what_the_system_says_and_grows_with_what_is_held() -> None:
    before = memory()["memory/host_mib"]
    assert before == pytest.approx(psutil.Process().memory_info().rss / MIB, rel=0.02)
    held = np.ones(200 * MIB, np.uint8)
    assert 190 < memory()["memory/host_mib"] - before < 220
    assert held.size


def test_every_gpu_is_named_and_no_other_device() -> None:
    gpus = range(len(tf.config.list_logical_devices("GPU")))
    expected = {f"memory/gpu{at}{kind}_mib" for at in gpus for kind in ("", "_peak")}
    assert set(memory()) - {"memory/host_mib"} == expected


@pytest.mark.gpu
def test_gpu_memory_grows_with_what_is_held_and_the_peak_stays(gpu: None) -> None:
    before = memory()["memory/gpu0_mib"]
    with tf.device("GPU:0"):
        held = tf.ones([64, MIB // 4])
    used = memory()["memory/gpu0_mib"]
    assert 63 < used - before < 70
    del held
    after = memory()
    assert after["memory/gpu0_mib"] < used - 60
    assert after["memory/gpu0_peak_mib"] >= used
