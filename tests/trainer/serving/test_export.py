# SPDX-License-Identifier: MIT
"""Tests of the SavedModel: scores of file bytes equal those of evaluation, without this package."""

import csv
import json
import pathlib
from typing import Any

import cv2
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract import manifest as manifests
from trainer.serving import export, names

pytestmark = pytest.mark.slow

FINDINGS = ["Mass", "Nodule", "Edema"]

OUTSIDE = """
import json, sys
import tensorflow as tf
files = sys.argv[2:]
images = tf.constant([open(file, "rb").read() for file in files])
served = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](image_bytes=images)
ours = {"preprocessing", "trainer"} & set(sys.modules)
scored = {name: part.numpy().tolist() for name, part in served.items() if part.dtype.is_floating}
print(json.dumps(scored))
sys.exit(f"serving imported {ours}" if ours else 0)
"""


@pytest.fixture(scope="module")
def folder(finished_run: Any) -> str:
    return f"{finished_run.output}/saved_model"


@pytest.fixture(scope="module")
def signatures(folder: str) -> Any:
    loaded = tf.saved_model.load(folder)
    # The signatures do not keep the model alive by themselves.
    yield loaded.signatures
    del loaded


@pytest.fixture(scope="module")
def evaluated(finished_run: Any) -> dict[str, list[float]]:
    """Returns id -> scores from the predictions file."""
    with open(f"{finished_run.output}/predictions/predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["id"]: [float(row[f"score:{name}"]) for name in FINDINGS] for row in rows}


def test_file_bytes_score_as_in_evaluation(
    signatures: Any, evaluated: dict[str, list[float]], data_set: Any
) -> None:
    files = [f"{data_set.raw}/{name}" for name in evaluated]
    images = tf.constant([pathlib.Path(file).read_bytes() for file in files])
    served = signatures["serving_default"](image_bytes=images)
    found = np.stack([served[name].numpy() for name in FINDINGS], axis=1)
    np.testing.assert_allclose(found, list(evaluated.values()), atol=1e-5)
    assert len(np.unique(found.round(6), axis=0)) > 10


def test_both_signatures_name_their_scores(signatures: Any, data_set: Any) -> None:
    for name in ("serving_default", "as_array"):
        spec = signatures[name].structured_input_signature[1]
        assert spec == {"image_bytes": tf.TensorSpec([None], tf.string, name="image_bytes")}
    image = pathlib.Path(f"{data_set.raw}/00000000_000.png").read_bytes()
    images = tf.constant([image] * 2)
    served = signatures["serving_default"](image_bytes=images)
    assert {*FINDINGS, *names.OUTPUTS} >= {*served} > {*FINDINGS}
    assert all(served[name].shape == (2,) for name in FINDINGS)
    assert all(served[name].dtype == tf.float32 for name in FINDINGS)
    array = signatures["as_array"](image_bytes=images)
    assert array["findings"].numpy().astype(str).tolist() == [FINDINGS] * 2
    expected = np.stack([served[name].numpy() for name in FINDINGS], axis=1)
    np.testing.assert_array_equal(array["scores"].numpy(), expected)


def encodings(grey: np.ndarray) -> dict[str, bytes]:
    """Returns one picture as the kinds of files that hospitals and data sets hold."""
    colour = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    alpha = np.dstack([colour, np.full_like(grey, 255)])
    deep = grey.astype(np.uint16) * 257
    made = {
        "grey": cv2.imencode(".png", grey),
        "rgb": cv2.imencode(".png", colour),
        "rgba": cv2.imencode(".png", alpha),
        "deep": cv2.imencode(".png", deep),
        "jpeg": cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 98]),
        "jpeg_rgb": cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_QUALITY, 98]),
    }
    assert all(done for done, _ in made.values())
    return {name: data.tobytes() for name, (_, data) in made.items()}


def test_every_kind_of_file_is_scored_alike(signatures: Any, data_set: Any) -> None:
    grey = cv2.imread(f"{data_set.raw}/00000004_000.png", cv2.IMREAD_UNCHANGED)
    grey = cv2.GaussianBlur(grey, (5, 5), 2)  # JPEG keeps what is smooth
    files = encodings(grey)
    scores = signatures["as_array"](image_bytes=tf.constant(list(files.values())))["scores"]
    by_kind = dict(zip(files, scores.numpy(), strict=True))
    assert all(np.isfinite(found).all() for found in by_kind.values())
    for kind in ("rgb", "rgba", "deep"):
        np.testing.assert_array_equal(by_kind[kind], by_kind["grey"])
    for kind in ("jpeg", "jpeg_rgb"):
        np.testing.assert_allclose(by_kind[kind], by_kind["grey"], atol=0.05)


def test_pictures_of_any_shape_are_scored_together(signatures: Any) -> None:
    shapes = [(40, 40), (100, 60), (33, 200), (16, 16), (1024, 1024)]
    generator = np.random.default_rng(1)
    files = [
        cv2.imencode(".png", generator.integers(0, 256, shape).astype(np.uint8))[1].tobytes()
        for shape in shapes
    ]
    scores = signatures["as_array"](image_bytes=tf.constant(files))["scores"].numpy()
    assert scores.shape == (5, 3)
    assert np.isfinite(scores).all()
    assert ((scores > 0) & (scores < 1)).all()


def test_bytes_that_are_no_picture_are_an_error_not_a_score(signatures: Any, data_set: Any) -> None:
    whole = pathlib.Path(f"{data_set.raw}/00000000_000.png").read_bytes()
    # TensorFlow quotes the bytes in its message, which Python may fail to decode.
    errors = (tf.errors.InvalidArgumentError, UnicodeDecodeError)
    for broken in (b"no picture", b"", whole[:200]):
        with pytest.raises(errors):
            signatures["serving_default"](image_bytes=tf.constant([whole, broken]))


def test_the_folder_holds_where_the_network_comes_from(
    folder: str, finished_run: Any, data_set: Any
) -> None:
    extra = pathlib.Path(folder) / export.EXTRA
    assert {path.name for path in extra.iterdir()} == {
        "manifest.json",
        "config.yaml",
        "report.json",
        "thresholds.json",
        "calibration.json",
        "export.json",
    }
    text = (extra / "manifest.json").read_text()
    assert manifests.from_json(text, origin="asset") == data_set.manifest
    output = pathlib.Path(finished_run.output)
    assert (extra / "report.json").read_bytes() == (output / "report/report.json").read_bytes()
    assert (extra / "config.yaml").read_text() == (output / "config.yaml").read_text()
    note = json.loads((extra / "export.json").read_text())
    training = json.loads((output / "training.json").read_text())
    assert note["step"] == training["best_step"]
    assert note["validation_mean_auc"] == training["best_validation_mean_auc"]


def test_a_process_with_tensorflow_alone_serves_it(
    folder: str, evaluated: dict[str, list[float]], data_set: Any, fresh_python: Any, tmp_path: Any
) -> None:
    names = list(evaluated)[:3]
    done = fresh_python(
        "-P",
        "-c",
        OUTSIDE,
        folder,
        *(f"{data_set.raw}/{name}" for name in names),
        environ={"PYTHONPATH": ""},
        cwd=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    served = json.loads(done.stdout)
    found = np.array([served[name] for name in FINDINGS]).T
    np.testing.assert_allclose(found, [evaluated[name] for name in names], atol=1e-5)
