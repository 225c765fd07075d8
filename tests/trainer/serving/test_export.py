# SPDX-License-Identifier: MIT
"""Tests of the SavedModel: scores of file bytes equal those of evaluation, without this package."""

import csv
import json
import pathlib
import struct
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
pixels = tf.stack([tf.io.decode_png(image, channels=1)[..., 0] for image in images])
record = lambda image: tf.train.Example(features=tf.train.Features(feature={
    "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))}))
examples = tf.constant([record(image).SerializeToString() for image in images.numpy()])
given = {"image_bytes": images, "pixels": pixels, "examples": examples}
served = tf.saved_model.load(sys.argv[1])
found = {}
for name, signature in served.signatures.items():
    (taken,) = signature.structured_input_signature[1]
    made = signature(**{taken: given[taken]})
    scores = {key: part for key, part in made.items() if part.dtype.is_floating}
    found[name] = {key: part.numpy().tolist() for key, part in scores.items()}
print(json.dumps(found))
ours = {"preprocessing", "trainer"} & set(sys.modules)
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


def giant(png: bytes) -> bytes:
    """Returns a PNG with a header that claims 30,000 x 30,000 pixels."""
    return png[:16] + struct.pack(">II", 30_000, 30_000) + png[24:]


def test_one_bad_file_never_fails_a_batch(signatures: Any, data_set: Any) -> None:
    whole = [path.read_bytes() for path in sorted(pathlib.Path(data_set.raw).iterdir())[:5]]
    files = [*whole[:2], whole[0][:900], whole[2], b"text", giant(whole[0]), *whole[3:]]
    good = [0, 1, 3, 6, 7]
    alone = signatures["as_array"](image_bytes=tf.constant(whole))
    found = signatures["serving_default"](image_bytes=tf.constant(files))
    reasons = ["", "", "cut_short", "", "not_a_picture", "too_large", "", ""]
    assert found["reason"].numpy().astype(str).tolist() == reasons
    assert found["usable"].numpy().tolist() == [not reason for reason in reasons]
    for name in ("scores", "probabilities", "flags"):
        np.testing.assert_allclose(found[name].numpy()[good], alone[name], atol=1e-6)
    bad = [2, 4, 5]
    for name in ("scores", "probabilities", *FINDINGS):
        assert np.isnan(found[name].numpy()[bad]).all()
    assert (found["flags"].numpy()[bad] == -1).all()
    maps = signatures["explain"](image_bytes=tf.constant(files))
    assert maps["reason"].numpy().astype(str).tolist() == reasons
    assert not maps["heat_maps"].numpy()[bad].any() and maps["heat_maps"].numpy()[good].any()


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
        "familiarity.json",
        "export.json",
        "golden.png",
        "golden.json",
        "tf_serving_warmup_requests",
        "model_card.md",
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
    used = list(evaluated)[:3]
    done = fresh_python(
        "-P",
        "-c",
        OUTSIDE,
        folder,
        *(f"{data_set.raw}/{name}" for name in used),
        environ={"PYTHONPATH": ""},
        cwd=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    served = json.loads(done.stdout)
    expected = [evaluated[name] for name in used]
    found = np.array([served["serving_default"][name] for name in FINDINGS]).T
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for name in (names.AS_ARRAY, names.OF_PIXELS, names.OF_EXAMPLES):
        np.testing.assert_allclose(served[name][names.SCORES], expected, atol=1e-5)
    maps = [
        np.array(served[name][names.HEAT_MAPS]) for name in (names.EXPLAIN, names.EXPLAIN_PIXELS)
    ]
    assert maps[0].shape == (3, 3, 32, 32)
    np.testing.assert_array_equal(*maps)
    assert len(served) == 6
