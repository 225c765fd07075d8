# SPDX-License-Identifier: MIT
"""Evaluation, SavedModel and ONNX average the same views, and no others are mixed in."""

import importlib.util
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from cxr14_small_backbone import used

from preprocessing.contract.process.stopping import StopRequests
from preprocessing.contract.settings import settings
from trainer import task
from trainer.checkpoints import checkpoints
from trainer.config import Config
from trainer.predictions import table
from trainer.run import Run
from trainer.serving import facts, names, served
from trainer.serving.signatures import Serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(finished_run: Any, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return pathlib.Path(
        shutil.copytree(finished_run.output, tmp_path_factory.mktemp("ten_crop") / "out")
    )


@pytest.fixture(scope="module")
def run(finished_run: Any, folder: pathlib.Path) -> Callable[..., int]:
    less = {"localisation": False, "gallery": 0, "familiarity": 0}
    given = [f"--config.evaluation.{name}={value}" for name, value in less.items()]
    argv = [flag for flag in finished_run.argv if not flag.startswith("--output")]

    def start(views: str, *more: str) -> int:
        asked = f"--config.evaluation.views={views}"
        with used():
            return task.main([*argv, f"--output={folder}", *given, asked, *more])

    return start


@pytest.fixture(scope="module")
def ten_crop(run: Callable[..., int], folder: pathlib.Path) -> pathlib.Path:
    """A run that was whole with one view, evaluated and exported with ten."""
    onnx = ["--onnx"] if importlib.util.find_spec("tf2onnx") else []
    for asked in (["--mode=evaluate"], ["--mode=report"], ["--mode=export", *onnx]):
        assert run("ten_crop", *asked) == 0
    return folder


def test_the_saved_model_scores_as_evaluation_did(
    ten_crop: pathlib.Path, data_set: Any, finished_run: Any
) -> None:
    evaluated, before = (
        table.read(f"{output}/predictions/predictions.csv")
        for output in (ten_crop, finished_run.output)
    )
    assert np.abs(evaluated.scores - before.scores).max() > 1e-3
    pixels = np.stack([data_set.pixels[name] for name in evaluated.ids])
    model = served.ServedModel(str(ten_crop))
    answer = model.answer(pixels)
    np.testing.assert_allclose(answer.raw, evaluated.scores, atol=1e-5)
    assert model.answer(pixels[:0]).raw.shape == (0, 3)
    if not importlib.util.find_spec("tf2onnx"):
        pytest.skip("tf2onnx is not installed")
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(f"{ten_crop}/model.onnx")
    found = session.run(["scores", "probabilities"], {"pixels": pixels})
    for ours, theirs in zip((answer.raw, answer.probabilities), found, strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-4, rtol=0)


def test_mirror_images_are_averaged_alike_by_evaluation_and_serving(
    finished_run: Any, data_set: Any, one_device: Any
) -> None:
    config = settings.from_yaml(Config, f"{finished_run.output}/config.yaml")
    job = Run(
        data_set.folder,
        finished_run.output,
        config,
        data_set.manifest,
        one_device,
        StopRequests(),
    )
    with used():
        model = job.build(pretrained=False)
    checkpoints.restore_best(finished_run.output, model.network)
    evaluated = job.scorer(model.network, views="flip").predictions("test")
    serving = Serving(
        model,
        findings=evaluated.findings,
        stored_size=40,
        encoding="png",
        data=config.data,
        thresholds={},
        calibration={},
        views="flip",
    )
    pixels = tf.constant(np.stack([data_set.pixels[name] for name in evaluated.ids]))
    answer = tf.function(serving.of_pixels)(pixels)
    np.testing.assert_allclose(answer[names.SCORES], evaluated.scores, atol=1e-5)
    one = job.scorer(model.network).score("test")
    assert np.abs(evaluated.scores - one).max() > 1e-3


def test_everything_says_which_views(ten_crop: pathlib.Path) -> None:
    extra = ten_crop / "saved_model/assets.extra"
    assert facts.read(str(ten_crop)).views == "ten_crop"
    for note in (ten_crop / "predictions/predictions.json", extra / "export.json"):
        assert json.loads(note.read_text())["views"] == "ten_crop"
    report = json.loads((ten_crop / "report/report.json").read_text())
    assert report["context"]["config"]["evaluation"]["views"] == "ten_crop"
    for card in (ten_crop / "report/report.md", extra / "model_card.md"):
        assert "10: the centre and the four corners" in card.read_text()


def test_views_that_differ_from_those_of_the_report_are_never_mixed(
    ten_crop: pathlib.Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    note = ten_crop / "saved_model/assets.extra/export.json"
    before = note.read_bytes()
    assert run("one", "--mode=export") == 78
    said = capsys.readouterr().err
    assert "chosen on scores of evaluation.views=ten_crop, which do not hold for one" in said
    assert note.read_bytes() == before
    # A report alone states what the predictions are of, whatever the command line names.
    assert run("one", "--mode=report") == 0
    assert run("ten_crop", "--mode=export") == 0
    assert note.read_bytes() == before
