# SPDX-License-Identifier: MIT
"""Tests of what evaluation leaves beside the predictions of a real, if tiny, run."""

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import DataError
from preprocessing.contract.pictures import image_graph
from preprocessing.contract.process.stopping import StopRequests
from preprocessing.contract.settings import settings
from trainer import stages, task
from trainer.checkpoints import checkpoints
from trainer.config import Config
from trainer.explanation import cases, heat_maps
from trainer.explanation.gradcam import placement
from trainer.network import model
from trainer.predictions import heat_map_files, table
from trainer.predictions.placement import normalised
from trainer.predictions.table import Predictions
from trainer.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_backbone")]


@pytest.fixture
def job(finished_run: Any, data_set: Any, one_device: Any, tmp_path: pathlib.Path) -> Iterator[Run]:
    """The finished run in a folder of its own, its network on pictures of 96 px: 3 x 3 cells."""
    output = tmp_path / "out"
    shutil.copytree(finished_run.output, output)
    config = settings.from_yaml(Config, f"{finished_run.output}/config.yaml")
    config.data.image_size = 96
    yield Run(
        str(data_set.folder), str(output), config, data_set.manifest, one_device, StopRequests()
    )


@pytest.fixture
def scored(finished_run: Any) -> Predictions:
    return table.read(f"{finished_run.output}/predictions/predictions.csv").select("test")


def boxes_of(data_set: Any, ids: list[str]) -> list[tuple[str, str, list[float]]]:
    """What the data set of the tests has, by its recipe."""
    return [
        (name, data_set.manifest.findings[at], [6 / 40, (4 + 12 * at) / 40, 24 / 40, 10 / 40])
        for name in ids
        for at, target in enumerate(data_set.targets[name])
        if target == 1
    ]


def slow_map(job: Run, pixels: np.ndarray, finding: int) -> np.ndarray:
    """Grad-CAM of one picture with nothing of the code under test."""
    built = model.build(job.config.model, image_size=96, findings=3, pretrained=False)
    checkpoints.restore_best(job.output, built.network)
    fitted = image_graph.fit(tf.constant(pixels[None]), image_size=96, crop_fraction=0.875)
    colours = tf.cast(fitted, tf.float32)[..., None] - [103.939, 116.779, 123.68]
    maps = built.backbone(colours, training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        hidden = built.features.get_layer("hidden")(tf.reduce_mean(maps, [1, 2]) / 2048**0.5)
        logit = built.head(hidden)[0, finding]
    gradient = tape.gradient(logit, maps)[0].numpy()
    return np.maximum((maps[0].numpy() * gradient.mean(axis=(0, 1))).sum(axis=-1), 0)


def test_a_run_leaves_maps_of_all_boxes_and_the_report_uses_them(
    finished_run: Any, data_set: Any, scored: Predictions
) -> None:
    folder = f"{finished_run.output}/predictions"
    found = heat_map_files.read_boxed(f"{folder}/localisation.npz")
    expected = boxes_of(data_set, scored.ids.tolist())
    rows = zip(found.ids.tolist(), found.findings.tolist(), found.boxes.tolist(), strict=True)
    assert [(name, finding) for name, finding, _ in rows] == [row[:2] for row in expected]
    np.testing.assert_allclose(found.boxes, [row[2] for row in expected], atol=1e-7)
    columns = [scored.findings.index(name) for name in found.findings]
    at = [scored.ids.tolist().index(name) for name in found.ids]
    np.testing.assert_array_equal(found.scores, scored.scores[at, columns].astype(np.float32))
    report = json.loads(pathlib.Path(finished_run.output, "report/report.json").read_text())
    assert report["localisation"]["boxes"] == len(expected)
    assert report["gallery"]["available"]


def test_maps_are_those_of_the_formula_at_the_right_picture(
    job: Run, data_set: Any, scored: Predictions
) -> None:
    heat_maps.write(job, scored)
    found = heat_map_files.read_boxed(f"{job.output}/predictions/localisation.npz")
    assert found.maps.shape[1:] == (6, 6)
    assert found.placement == placement(40, job.config.data)
    for row in (0, len(found.ids) - 1):
        finding = data_set.manifest.findings.index(found.findings[row])
        heat = slow_map(job, data_set.pixels[found.ids[row]], finding)
        np.testing.assert_allclose(found.maps[row], normalised(heat[None])[0], atol=2e-3)


def test_the_gallery_holds_the_chosen_images(job: Run, data_set: Any, scored: Predictions) -> None:
    job.config.evaluation.gallery = 2
    heat_maps.write(job, scored)
    found = heat_map_files.read_gallery(f"{job.output}/predictions/gallery.npz")
    chosen = cases.choose(scored, 2)
    assert found.kinds.tolist() == [choice.kind for choice in chosen]
    assert found.ids.tolist() == [scored.ids[choice.row] for choice in chosen]
    assert found.label_names == scored.findings
    boxed = boxes_of(data_set, scored.ids.tolist())
    for row, name in enumerate(found.ids.tolist()):
        picture = cv2.imdecode(np.frombuffer(found.thumbnails[row], np.uint8), cv2.IMREAD_GRAYSCALE)
        whole = cv2.resize(data_set.pixels[name], (128, 128), interpolation=cv2.INTER_AREA)
        assert picture.shape == (128, 128)
        assert np.abs(picture.astype(int) - whole).mean() < 6
        own = [
            box for image, finding, box in boxed if (image, finding) == (name, found.findings[row])
        ]
        np.testing.assert_allclose(found.boxes[row], np.reshape(own, (-1, 4)), atol=1e-7)


def test_what_is_not_asked_for_is_removed(job: Run, scored: Predictions) -> None:
    folder = pathlib.Path(job.output, "predictions")
    job.config.evaluation.localisation, job.config.evaluation.gallery = False, 0
    heat_maps.write(job, scored)
    assert not (folder / "localisation.npz").exists() and not (folder / "gallery.npz").exists()


def test_asking_for_more_evaluates_again_and_asking_for_the_same_does_not(
    finished_run: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    shutil.copytree(finished_run.output, output)
    own = [a for a in finished_run.argv if not a.startswith("--output=")]
    argv = [*own, f"--output={output}", "--mode=evaluate"]
    assert task.main(argv) == 0
    assert "predictions are complete" in capsys.readouterr().out
    before = (output / "predictions/predictions.csv").read_bytes()
    assert task.main([*argv, "--config.evaluation.gallery=2"]) == 0
    assert "predictions are complete" not in capsys.readouterr().out
    assert (output / "predictions/predictions.csv").read_bytes() == before
    more = heat_map_files.read_gallery(f"{output}/predictions/gallery.npz")
    less = heat_map_files.read_gallery(f"{finished_run.output}/predictions/gallery.npz")
    assert len(more.ids) > len(less.ids)
    # The note is written last: without it everything is done again.
    (output / "predictions/predictions.json").unlink()
    (output / "predictions/localisation.npz").unlink()
    assert task.main(argv) == 0
    assert (output / "predictions/localisation.npz").exists()


def test_the_precision_of_the_run_stays_and_a_damaged_shard_is_named(
    job: Run, scored: Predictions, tmp_path: pathlib.Path, precision: Any
) -> None:
    data = tmp_path / "data"
    shutil.copytree(job.data, data)
    shard = data / job.manifest.splits["test"].shards[0].name
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(bytes(content))
    precision("mixed_bfloat16")
    with pytest.raises(DataError, match="is damaged"):
        stages._explain(dataclasses.replace(job, data=str(data)), scored)
    import keras

    assert keras.config.dtype_policy().name == "mixed_bfloat16"
