# SPDX-License-Identifier: MIT
"""Every shipped recipe trains: loaded, validated, two steps through all of its phases."""

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from benchmarks import ablation
from preprocessing.contract.settings import settings
from tests.cluster import small_backbone as small
from trainer import flags, task
from trainer.config import Config
from trainer.predictions import table
from trainer.predictions.table import Predictions

RECIPES = sorted((pathlib.Path(__file__).parents[2] / "configs" / "training").glob("*.yaml"))

pytestmark = [
    pytest.mark.usefixtures("small_backbone"),
    # Keras, which writes the weights file, and NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture
def weights(tmp_path: pathlib.Path) -> str:
    """A weights file in the place of ImageNet's."""
    path = str(tmp_path / "backbone.weights.h5")
    network = small.build(include_top=False, weights=None, input_shape=(32, 32, 3))
    network.save_weights(path)
    return path


@pytest.fixture
def teacher(data_set: Any, tmp_path: pathlib.Path) -> str:
    """Predictions on the train split."""
    from trainer.data import dataset

    truth = dataset.read_truth(data_set.folder, data_set.manifest, "train")
    path = str(tmp_path / "teacher.csv")
    labels = np.where(truth.targets >= 0, truth.targets, np.nan).astype(np.float32)
    scores = np.random.default_rng(0).random(labels.shape).astype(np.float32)
    splits = np.full(len(truth.ids), "train")
    findings = tuple(data_set.manifest.findings)
    table.write(path, Predictions(truth.ids, truth.patients, splits, labels, scores, findings))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_trains_two_steps(
    recipe: pathlib.Path,
    data_set: Any,
    weights: str,
    teacher: str,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = settings.from_yaml(Config, str(recipe))
    given = {
        "runtime.accelerator": "any",
        "data.global_batch_size": data_set.manifest.splits["train"].examples,
        "data.image_size": 32,
        "model.weights": weights if config.model.weights == "imagenet" else "none",
        "train.teacher": teacher if config.train.teacher else "",
        "train.epochs": 2,
        # Both phases, where there are two.
        "train.frozen_epochs": min(1, config.train.frozen_epochs),
        "evaluation.global_batch_size": 4,
    }
    argv = ["cxr14-train", "--mode=train", f"--data={data_set.folder}", f"--output={tmp_path}/run"]
    argv += [f"--config={recipe}", *(f"--config.{name}={value}" for name, value in given.items())]
    assert task.main(argv) == 0, capsys.readouterr().err
    note = json.loads((tmp_path / "run" / "training.json").read_text())
    assert note["steps"] == 2
    assert np.isfinite(note["best_validation_mean_auc"])


def test_the_recipe_of_the_jobs_is_the_published_one_on_a_gpu() -> None:
    jobs, published = (
        settings.from_yaml(Config, str(RECIPES[0].parent / f"{name}.yaml"))
        for name in ("nih_gpu1", "resnet50_224")
    )
    assert jobs.runtime != published.runtime
    jobs.runtime = published.runtime
    assert jobs == published


@pytest.mark.parametrize("name", [*ablation.TRAINED, *ablation.EVALUATED])
def test_every_change_of_the_ablation_is_a_valid_setting(name: str) -> None:
    given = {**ablation.BASE, **ablation.TRAINED.get(name, {}), **ablation.EVALUATED.get(name, {})}
    overrides = [f"--config.{key}={value}" for key, value in given.items()]
    flags.parse(["cxr14-train", "--mode=train", "--data=shards", "--output=run", *overrides], {})
