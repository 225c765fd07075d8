# SPDX-License-Identifier: MIT
"""The SavedModel's distance from training's pictures: what it is, and what it tells apart."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.pictures import image_graph
from trainer import stages
from trainer.checkpoints import checkpoints
from trainer.data import dataset
from trainer.network.model import Model
from trainer.serving import familiarity, familiarity_fit, names, served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(finished_run: Any) -> served.ServedModel:
    return served.ServedModel(finished_run.output)


@pytest.fixture(scope="module")
def note(loaded: served.ServedModel) -> Any:
    return json.loads(
        pathlib.Path(loaded.facts.folder, names.EXTRA, "familiarity.json").read_text()
    )


@pytest.fixture(scope="module")
def run(finished_run: Any, data_set: Any, small_settings: Any) -> Any:
    return stages.alone(
        data_set.folder,
        finished_run.output,
        small_settings(),
        data_set.manifest,
        None,
    )


@pytest.fixture(scope="module")
def network(run: Any) -> Model:
    from cxr14_small_backbone import used

    with used():
        built: Model = run.build(pretrained=False, distributed=False)
    checkpoints.restore_best(run.output, built.network)
    return built


def layout(pixels: np.ndarray) -> np.ndarray:
    """Computes `familiarity.layout` of a picture by loops in float64."""
    small = image_graph.scale(tf.constant(pixels[np.newaxis]), 64).numpy()[0] / 255
    contrast = max(small.std(), 0.01)
    cells = [small[y : y + 8, x : x + 8] for y in range(0, 64, 8) for x in range(0, 64, 8)]
    bright = [(cell.mean() - small.mean()) / contrast for cell in cells]
    rough = [np.log(cell.std() / contrast + 0.02) for cell in cells]
    return np.array([*bright, *rough, small.mean(), np.log(small.std() + 0.01)])


def covariance(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns mean, scale and the shrunk covariance, by the formulas of Ledoit and Wolf."""
    mean, scale = features.mean(0), features.std(0)
    scale = np.maximum(scale, 0.01 * scale.mean() + 1e-6)
    apart = (features - mean) / scale
    count, width = apart.shape
    plain = apart.T @ apart / count
    level = np.trace(plain) / width
    target = level * np.eye(width)
    noise = sum(((np.outer(one, one) - plain) ** 2).sum() for one in apart) / count**2
    shrunk = min(noise / ((plain - target) ** 2).sum(), 1)
    return mean, scale, (1 - shrunk) * plain + shrunk * target


def distances(train: np.ndarray, features: np.ndarray) -> np.ndarray:
    mean, scale, spread = covariance(train.astype(np.float64))
    apart = (features - mean) / scale
    squares = np.einsum("ni,ij,nj->n", apart, np.linalg.inv(spread), apart)
    return np.sqrt(squares / len(mean))


def test_distance_and_threshold_equal_those_of_a_computation_in_numpy(
    loaded: served.ServedModel, run: Any, network: Model, data_set: Any, note: Any
) -> None:
    pooled = familiarity.with_pooled(network)
    views: dict[str, list[np.ndarray]] = {}
    pictures = {}
    for split, examples in (("train", 29), ("validation", 11), ("test", 9)):
        squares = dataset.read_pictures(run.data, run.manifest, split, examples)
        fitted = image_graph.fit(
            tf.constant(squares), image_size=32, crop_fraction=run.config.data.crop_fraction
        )
        pictures[split] = squares
        views[split] = [pooled(fitted)[1].numpy(), np.stack([layout(one) for one in squares])]
    units, apart = [], {}
    for at in range(2):
        own = {split: distances(views["train"][at], views[split][at]) for split in views}
        units.append(np.quantile(own["validation"], 0.99))
        apart[at] = {split: one / units[at] for split, one in own.items()}
    expected = {split: np.maximum(apart[0][split], apart[1][split]) for split in views}
    threshold = np.quantile(expected["validation"], 0.99)
    assert note["pictures"] == {"train": 29, "validation": 11, "test": 9}
    assert note["threshold"] == pytest.approx(threshold, rel=2e-3)
    assert loaded.facts.unfamiliar_above == note["threshold"]
    for split, squares in pictures.items():
        answer = loaded.answer(squares)
        assert answer.distance is not None and answer.unfamiliar is not None
        np.testing.assert_allclose(answer.distance, expected[split], rtol=5e-3)
        np.testing.assert_array_equal(answer.unfamiliar, answer.distance > note["threshold"])
        if split != "train":
            assert answer.unfamiliar.mean() == note["flagged"][split]
    assert note["flagged"]["validation"] == 1 / 11


def test_turned_and_inverted_pictures_are_farther(
    loaded: served.ServedModel, data_set: Any, run: Any
) -> None:
    squares = dataset.read_pictures(run.data, run.manifest, "validation", 11)
    own = loaded.answer(squares).distance
    assert own is not None
    for other in (np.rot90(squares, 1, (1, 2)), np.rot90(squares, 2, (1, 2)), 255 - squares):
        found = loaded.answer(np.ascontiguousarray(other)).distance
        assert found is not None
        assert np.median(found) > own.max()


def test_what_cannot_be_used_has_no_distance(loaded: served.ServedModel, data_set: Any) -> None:
    model = tf.saved_model.load(loaded.facts.folder)
    good = pathlib.Path(f"{data_set.raw}/00000000_000.png").read_bytes()
    found = model.signatures[names.AS_ARRAY](image_bytes=tf.constant([b"text", good]))
    distance, unfamiliar = (found[name].numpy() for name in (names.DISTANCE, names.UNFAMILIAR))
    assert np.isnan(distance).tolist() == [True, False] and not unfamiliar[0]
    alone = model.signatures[names.AS_ARRAY](image_bytes=tf.constant([good]))
    np.testing.assert_allclose(distance[1:], alone[names.DISTANCE], rtol=1e-5)


@pytest.mark.parametrize(("asked", "lost"), [(0, ""), (2048, "validation")])
def test_nothing_is_measured_if_not_asked_for_or_without_validation(
    run: Any, network: Model, asked: int, lost: str
) -> None:
    config = dataclasses.replace(
        run.config, evaluation=dataclasses.replace(run.config.evaluation, familiarity=asked)
    )
    splits = {name: split for name, split in run.manifest.splits.items() if name != lost}
    less = dataclasses.replace(
        run, config=config, manifest=dataclasses.replace(run.manifest, splits=splits)
    )
    assert familiarity_fit.fit(less, network) == (None, "{}\n")


def test_few_pictures_of_many_features_that_never_vary_give_finite_distances() -> None:
    features = np.zeros([3, 500], np.float32)
    features[:, :2] = np.random.default_rng(0).normal(size=(3, 2))
    spread = familiarity_fit.spread_of(features)
    for far in (features, features + 1, np.zeros([1, 500], np.float32)):
        assert np.isfinite(spread(tf.constant(far))).all()
    single = familiarity_fit.spread_of(features[:1])
    assert np.isfinite(single(tf.constant(features))).all()
