# SPDX-License-Identifier: MIT
"""The two command lines on s3://, from pictures to the SavedModel, in the extra environment."""

import csv
import io
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

BUCKET = "cxr14-test"
SHARDS, RUN = f"s3://{BUCKET}/shards", f"s3://{BUCKET}/run"
FLAGS = (
    "--mode=all",
    f"--data={SHARDS}",
    f"--output={RUN}",
    "--config.model.weights=none",
    "--config.model.hidden_units=8",
    "--config.data.image_size=32",
    "--config.data.global_batch_size=8",  # of 18 pictures: two steps
    "--config.train.epochs=1",
    "--config.train.log_every_steps=1",
    "--config.evaluation.bootstrap_resamples=20",
)
# The object store takes a minute for each checkpoint of ResNet-50.
TRAIN = ("-m", "tests.cluster.small_backbone", *FLAGS)

needs_tensorflow_io = pytest.mark.with_tensorflow_io


def _objects(s3: Any, folder: str) -> dict[str, tuple[str, Any]]:
    """Returns name -> what changes when the object is written again."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{folder}/")
    found = [item for page in pages for item in page.get("Contents", [])]
    return {
        item["Key"].removeprefix(f"{folder}/"): (item["ETag"], item["LastModified"])
        for item in found
    }


def _read(s3: Any, key: str) -> bytes:
    data: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return data


@pytest.fixture(scope="module")
def shards(s3: Any, radiographs: list[str], finish: Callable[..., Any]) -> tuple[int, str, str]:
    """Preprocesses local pictures straight into the bucket."""
    settings = ("stored_size=40", "validation_fraction=0.25", "examples_per_shard=10")
    flags = [*radiographs, *(f"--config.{setting}" for setting in settings)]
    done: tuple[int, str, str] = finish("cxr14-preprocess", *flags, f"--output={SHARDS}")
    return done


@pytest.fixture(scope="module")
def interrupted(s3: Any, shards: Any, start: Callable[..., Any]) -> tuple[int, str, str]:
    """Starts the run and stops it, as a cluster does, before its first step has ended."""
    process: subprocess.Popen[str] = start(*TRAIN)
    # The log is opened behind the last thing that is done before training.
    while process.poll() is None and not any("tensorboard" in key for key in _objects(s3, "run")):
        time.sleep(0.1)
    process.terminate()
    output, errors = process.communicate(timeout=600)
    return process.returncode, output, errors


@pytest.fixture(scope="module")
def run(s3: Any, interrupted: Any, finish: Callable[..., Any]) -> tuple[int, str, str]:
    """The same command again, to the end."""
    done: tuple[int, str, str] = finish(*TRAIN)
    return done


@needs_tensorflow_io
def test_preprocessing_writes_a_data_set_into_the_bucket(s3: Any, shards: Any) -> None:
    code, output, errors = shards
    assert code == 0, errors
    assert f"{SHARDS}: 30 records of 40 x 40 pixels" in output
    manifest = json.loads(_read(s3, "shards/manifest.json"))
    splits = manifest["splits"]
    assert {name: split["examples"] for name, split in splits.items()} == {
        "train": 18,
        "validation": 6,
        "test": 6,
    }
    assert splits["validation"]["positives"]["Mass"] == 3
    names = {shard["name"] for split in splits.values() for shard in split["shards"]}
    assert set(_objects(s3, "shards")) == {"manifest.json", *names}


@needs_tensorflow_io
def test_a_stopped_run_has_saved_its_state_if_there_was_time(s3: Any, interrupted: Any) -> None:
    code, _, errors = interrupted
    assert code == 75, errors
    # Where tracing the first step takes longer than the grace, there was nothing to save.
    if "before a save was done" not in errors:
        assert "stopped and saved at step 1 of 2" in errors
        assert "checkpoints/ckpt-1.index" in _objects(s3, "run")


@needs_tensorflow_io
def test_the_same_command_goes_on_to_the_end(s3: Any, interrupted: Any, run: Any) -> None:
    code, output, errors = run
    assert code == 0, errors
    if "before a save was done" not in interrupted[2]:
        assert f"going on from {RUN}/checkpoints/ckpt-1" in output
    assert json.loads(_read(s3, "run/training.json"))["steps"] == 2
    assert "pure virtual" not in errors


@needs_tensorflow_io
def test_everything_a_run_makes_is_in_the_bucket(s3: Any, interrupted: Any, run: Any) -> None:
    assert {
        "config.yaml",
        "training.json",
        "checkpoints/ckpt-2.index",
        "checkpoints/ckpt-2.data-00000-of-00001",
        "checkpoints/best/ckpt-2.index",
        "predictions/predictions.csv",
        "predictions/predictions.json",
        "report/report.json",
        "report/report.html",
        "saved_model/saved_model.pb",
        "saved_model/variables/variables.index",
        "saved_model/assets.extra/export.json",
    } <= set(_objects(s3, "run"))
    logged = [step for step, _ in _logged(s3, "train/loss")]
    # Where the grace was over before the end, the step may have been saved and its point not.
    cut_off = "before a save was done" in interrupted[2]
    assert logged == [1, 2] or (cut_off and logged == [2])
    assert [step for step, _ in _logged(s3, "validation/mean_auc")] == [2]


@needs_tensorflow_io
def test_every_example_has_finite_scores_and_the_report_is_made_of_them(s3: Any, run: Any) -> None:
    text = _read(s3, "run/predictions/predictions.csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["split"] for row in rows] == ["validation"] * 6 + ["test"] * 6
    names = [name for name in rows[0] if name.startswith("score:")]
    assert len(names) == 14
    # A comparison with NaN is false.
    assert all(0 < float(row[name]) < 1 for row in rows for name in names)
    report = json.loads(_read(s3, "run/report/report.json"))
    assert report == json.loads(_read(s3, "run/saved_model/assets.extra/report.json"))


@needs_tensorflow_io
def test_a_finished_run_has_nothing_to_do(s3: Any, run: Any, finish: Callable[..., Any]) -> None:
    before = _objects(s3, "run")
    code, output, errors = finish("cxr14-train", *FLAGS)
    assert code == 0, errors
    assert "training is complete: 2 steps" in output
    assert "predictions are complete" in output
    after = _objects(s3, "run")
    changed = {name.partition("/")[0] for name in after if after[name] != before.get(name)}
    assert changed <= {"report"}
    assert set(after) == set(before)


@needs_tensorflow_io
def test_the_saved_model_loads_from_the_bucket(s3: Any, run: Any, radiographs: list[str]) -> None:
    import pathlib

    import tensorflow as tf

    from preprocessing.contract.files import storage

    assert storage.exists(f"{RUN}/saved_model")  # registers s3://
    served = tf.saved_model.load(f"{RUN}/saved_model")
    text = _read(s3, "run/predictions/predictions.csv").decode()
    row = next(csv.DictReader(io.StringIO(text)))
    folder = pathlib.Path(radiographs[0].removeprefix("--images="))
    picture = tf.constant([(folder / row["id"]).read_bytes()])
    scores = served.signatures["serving_default"](image_bytes=picture)
    # The pictures have the stored size: nothing is resized, so nothing may be rounded otherwise.
    for name in ("Mass", "Hernia"):
        assert float(scores[name][0]) == pytest.approx(float(row[f"score:{name}"]), abs=1e-5)


def _logged(s3: Any, tag: str) -> list[tuple[int, float]]:
    """Returns (step, value) of a TensorBoard curve, from all log files in the order of writing."""
    import tensorflow as tf
    from tensorboard.util import tensor_util

    from preprocessing.contract.files import storage

    points = []
    for path in storage.list_files(f"{RUN}/tensorboard"):
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            points += [
                (event.step, float(tensor_util.make_ndarray(value.tensor)))
                for value in event.summary.value
                if value.tag == tag
            ]
    return points


@pytest.mark.without_tensorflow_io
@pytest.mark.parametrize(
    "flags",
    [
        ("cxr14-train", f"--data={SHARDS}", "--output={local}"),
        ("cxr14-train", "--mode=report", f"--predictions={RUN}/p.csv", "--output={local}"),
        ("cxr14-preprocess", "{radiographs}", f"--output={SHARDS}"),
    ],
    ids=["train", "report", "preprocess"],
)
def test_without_tensorflow_io_s3_is_refused_in_one_sentence(
    flags: tuple[str, ...],
    radiographs: list[str],
    finish: Callable[..., Any],
    tmp_path: Any,
) -> None:
    local = tmp_path / "run"
    arguments = [flag.replace("{local}", str(local)) for flag in flags if flag != "{radiographs}"]
    arguments += radiographs if "{radiographs}" in flags else []
    code, output, errors = finish(*arguments)
    assert code == 64, errors
    assert output == ""
    (sentence,) = errors.strip().splitlines()
    assert sentence.startswith(f"{flags[0]}: s3:// paths need the tensorflow-io environment")
    assert "configs/requirements/tensorflow-io.txt" in sentence
    assert not local.exists()
