# SPDX-License-Identifier: MIT
"""A run with data and output on gs://: stopped, gone on with under faults, evaluated, exported."""

import csv
import io
import json
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
_SETTINGS = (
    "model.weights=none",
    "model.hidden_units=8",
    "data.image_size=32",
    "data.global_batch_size=4",
    "train.epochs=3",
    # No moments: a checkpoint of 0.1 GB, not of 0.3, of which there are many to send.
    "optimizer.name=sgd",
    "train.steps_per_call=1",
    "train.checkpoint_every_steps=2",
    "train.log_every_steps=1",
    "evaluation.bootstrap_resamples=20",
)


def _start(gcs: Any, module: str, *flags: str) -> "subprocess.Popen[str]":
    environment = {**gcs.environment, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    return subprocess.Popen(
        [sys.executable, "-m", module, *flags],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def home(gcs: Any) -> str:
    """A bucket that all tests of this file share."""
    gcs.forget()
    return gcs.make_bucket()


@pytest.fixture(scope="module")
def radiographs(gcs: Any, home: str) -> dict[str, bytes]:
    """Pictures, index and lists of 15 patients, in the bucket; returns the pictures."""
    generator = np.random.default_rng(1)
    pictures, lists = {}, {"train_val_list": [], "test_list": []}
    lines = [_HEADER]
    for patient in range(15):
        for at, label in enumerate(("No Finding", "Mass|Edema")):
            picture = generator.integers(0, 80, (40, 40)).astype(np.uint8)
            picture[12:25, 6:32] += 120 * at
            name = f"{patient:08d}_{at:03d}.png"
            pictures[name] = cv2.imencode(".png", picture)[1].tobytes()
            gcs.write(f"{home}/images/{name}", pictures[name])
            lines.append(f"{name},{label},{at},{patient},50,F,PA,40,40,0.1,0.1")
            lists["test_list" if patient >= 12 else "train_val_list"].append(name)
    gcs.write(f"{home}/labels.csv", "\n".join(lines).encode())
    for name, names in lists.items():
        gcs.write(f"{home}/{name}.txt", "\n".join(names).encode())
    return pictures


@pytest.fixture(scope="module")
def shards(gcs: Any, home: str, radiographs: dict[str, bytes]) -> str:
    """The data set that the preprocessing job makes of them, in the bucket."""
    paths = [f"--{name}={home}/{name}.txt" for name in ("train_val_list", "test_list")]
    settings = ("stored_size=40", "validation_fraction=0.25", "examples_per_shard=10")
    process = _start(
        gcs,
        "preprocessing.task",
        f"--images={home}/images",
        f"--labels={home}/labels.csv",
        *paths,
        f"--output={home}/shards",
        *(f"--config.{setting}" for setting in settings),
    )
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return f"{home}/shards"


def _flags(shards: str, output: str) -> list[str]:
    settings = [f"--config.{setting}" for setting in _SETTINGS]
    return ["--mode=all", f"--data={shards}", f"--output={output}", *settings]


def _wait_for(gcs: Any, process: "subprocess.Popen[str]", run: str, checkpoint: str) -> None:
    """Waits until a checkpoint is one that a restart goes on from."""
    while process.poll() is None and f"checkpoints/{checkpoint}.index" not in gcs.names(run):
        time.sleep(0.02)


@pytest.fixture(scope="module")
def local(gcs: Any, shards: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same run on local files, undisturbed, which goes on beside the other one.

    Returns its folder when it is called.
    """
    folder, output = tmp_path_factory.mktemp("local"), tmp_path_factory.mktemp("run")
    for name, data in gcs.objects(shards).items():
        (folder / name).write_bytes(data)
    process = _start(gcs, "tests.cluster.small_backbone", *_flags(str(folder), str(output)))

    def finished() -> pathlib.Path:
        text, _ = process.communicate(timeout=600)
        assert process.returncode == 0, text
        return output

    yield finished
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def history(gcs: Any, home: str, shards: str, local: Any) -> dict[str, tuple[int, str]]:
    """One run: stopped by SIGTERM after its first checkpoint, and finished under faults."""
    run, flags = f"{home}/run", _flags(shards, f"{home}/run")
    process = _start(gcs, "tests.cluster.small_backbone", *flags)
    _wait_for(gcs, process, run, "ckpt-2")
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate(timeout=600)
    stopped = (process.returncode, text)
    # Most of them meet one operation, whose pauses double: ten in a row would take two minutes.
    for method in ("GET", "POST", "PUT", "DELETE"):
        gcs.spoil(f"^{method} .*{home[5:]}", "status", argument=503, times=3)
        gcs.spoil(f"^{method} .*{home[5:]}", "reset", times=2)
    gcs.spoil("^GET .*tfrecord", "truncate", times=3)
    process = _start(gcs, "tests.cluster.small_backbone", *flags)
    text, _ = process.communicate(timeout=600)
    finished = (process.returncode, text)
    faults = (len(gcs.unused_faults()), "")
    gcs.forget()
    return {"stopped": stopped, "finished": finished, "faults": faults}


def test_a_stopped_run_exits_with_75_saved_if_there_is_time(history: Any) -> None:
    """Uploads may take longer than the grace; then the last checkpoint is what protects the run."""
    code, text = history["stopped"]
    assert code == 75, text
    assert re.search(
        "stopped and saved at step [0-9]+ of 12|goes on from the last checkpoint", text
    )


def test_the_same_command_finishes_in_spite_of_faults(history: Any) -> None:
    code, text = history["finished"]
    assert code == 0, text
    assert re.search("going on from gs://.*/run/checkpoints/ckpt-[0-9]+\n", text)
    assert history["faults"][0] == 0


def test_everything_a_run_makes_is_in_the_bucket(gcs: Any, home: str, history: Any) -> None:
    names = set(gcs.names(f"{home}/run"))
    assert {
        "config.yaml",
        "training.json",
        "checkpoints/ckpt-12.index",
        "checkpoints/ckpt-12.data-00000-of-00001",
        "predictions/predictions.csv",
        "report/report.json",
        "report/report.html",
        "saved_model/saved_model.pb",
        "saved_model/variables/variables.index",
    } <= names
    assert any(name.startswith("tensorboard/") for name in names)
    assert not [name for name in names if "partial" in name or "tempstate" in name]


def test_the_predictions_are_those_of_an_undisturbed_local_run(
    gcs: Any, home: str, history: Any, local: Any
) -> None:
    disturbed = gcs.read(f"{home}/run/predictions/predictions.csv")
    assert disturbed == (local() / "predictions" / "predictions.csv").read_bytes()
    rows = list(csv.DictReader(io.StringIO(disturbed.decode())))
    assert [row["split"] for row in rows] == ["validation"] * 6 + ["test"] * 6
    scores = [float(row[name]) for row in rows for name in row if name.startswith("score:")]
    assert all(0 < score < 1 for score in scores)
    assert json.loads(gcs.read(f"{home}/run/training.json"))["steps"] == 12


def test_the_saved_model_gives_the_scores_of_the_predictions(
    gcs: Any,
    home: str,
    history: Any,
    radiographs: dict[str, bytes],
    tmp_path: pathlib.Path,
) -> None:
    import tensorflow as tf

    for name, data in gcs.objects(f"{home}/run/saved_model").items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    text = gcs.read(f"{home}/run/predictions/predictions.csv").decode()
    row = next(csv.DictReader(io.StringIO(text)))
    scores = served(image_bytes=tf.constant([radiographs[row["id"]]]))
    for name in ("Mass", "Hernia"):
        assert float(scores[name][0]) == pytest.approx(float(row[f"score:{name}"]), abs=1e-5)


@pytest.mark.parametrize(
    ("flag", "code"),
    [
        ("--data=gs://cxr14-nowhere/shards", (64, 65)),
        ("--output=gs://cxr14-nowhere/run", (64,)),
    ],
)
def test_a_wrong_bucket_is_one_sentence(
    gcs: Any, home: str, shards: str, flag: str, code: tuple[int, ...]
) -> None:
    name = flag.partition("=")[0]
    flags = [own for own in _flags(shards, f"{home}/other") if not own.startswith(f"{name}=")]
    process = _start(gcs, "tests.cluster.small_backbone", *flags, flag)
    text, _ = process.communicate(timeout=600)
    assert process.returncode in code, text
    assert "cxr14-nowhere" in text.strip().splitlines()[-1]
    assert "Traceback" not in text
