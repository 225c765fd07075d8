# SPDX-License-Identifier: MIT
"""Tests of scoring: each example once, in order, the same under any devices and batches."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from trainer.data import dataset
from trainer.network.scorer import Scorer

Score = Callable[..., Scorer]


@pytest.fixture
def scorer(
    data_set: Any, one_device: Any, make_tiny_model: Callable[..., Any], small_settings: Any
) -> Score:
    def make(network: Any = None, batch: int = 4, views: str = "one") -> Scorer:
        return Scorer(
            one_device,
            network or make_tiny_model().network,
            folder=data_set.folder,
            manifest=data_set.manifest,
            data=small_settings().data,
            global_batch=batch,
            views=views,
        )

    return make


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_each_row_is_the_score_of_its_picture(
    scorer: Score, data_set: Any, make_tiny_model: Callable[..., Any], split: str
) -> None:
    """Against the network applied to the centre of each picture, cut and shrunk by NumPy."""
    network = make_tiny_model().network
    scores = scorer(network).score(split)
    ids = dataset.read_truth(data_set.folder, data_set.manifest, split).ids
    assert scores.shape == (len(ids), 3)
    # 35 of 40 pixels, to 32: area weights of each target pixel over the source pixels.
    edges = np.arange(33) * 35 / 32
    overlap = np.minimum(edges[1:, None], np.arange(1, 36)) - np.maximum(
        edges[:-1, None], np.arange(35)
    )
    weights = np.clip(overlap, 0, None) * 32 / 35
    squares = np.stack([data_set.pixels[name][2:37, 2:37] for name in ids])
    fitted = np.rint(np.einsum("ab,nbc,dc->nad", weights, squares.astype(np.float64), weights))
    logits = network(fitted.astype(np.uint8), training=False).numpy()
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=2e-3)
    assert len(np.unique(scores.round(6), axis=0)) > 1


@pytest.mark.parametrize("batch", [1, 5, 11, 64])
def test_the_batch_size_changes_no_score(scorer: Score, batch: int) -> None:
    np.testing.assert_allclose(
        scorer(batch=batch).score("validation"), scorer().score("validation"), atol=1e-6
    )


def test_predictions_stand_beside_their_labels(scorer: Score, data_set: Any) -> None:
    made = scorer()
    found = made.predictions("test")
    np.testing.assert_array_equal(found.scores, made.score("test"))
    assert found.findings == ("Mass", "Nodule", "Edema")
    assert set(found.splits) == {"test"}
    targets = np.array([data_set.targets[name] for name in found.ids])
    np.testing.assert_array_equal(found.labels, np.where(targets < 0, np.nan, targets))
    assert np.isnan(found.labels).any()
    assert all(name.startswith("test-") for name in found.patients)


def test_scores_follow_the_weights_of_the_network(
    scorer: Score, make_tiny_model: Callable[..., Any]
) -> None:
    """The loop scores one network many times, so nothing of it may be frozen in a graph."""
    network = make_tiny_model().network
    made = scorer(network)
    before = made.score("test")
    for variable in network.trainable_variables:
        variable.assign(variable / 2)
    after = made.score("test")
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, scorer(network).score("test"), atol=1e-6)


def test_an_example_that_is_not_scored_once_is_a_defect_that_stops(
    scorer: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dataset.evaluation_batches

    def two_of_three(*args: Any, **kwargs: Any) -> Any:
        return itertools.islice(iter(whole(*args, **kwargs)), 2)

    monkeypatch.setattr(dataset, "evaluation_batches", two_of_three)
    with pytest.raises(RuntimeError, match="3 examples of validation were not scored once"):
        scorer().score("validation")


@pytest.mark.parametrize(
    ("flip", "views", "warns"), [(0, "flip", 1), (1, "flip", 0), (0, "one", 0)]
)
def test_mirror_images_that_training_never_saw_are_warned_of(
    one_device: Any,
    data_set: Any,
    small_settings: Any,
    caplog: pytest.LogCaptureFixture,
    flip: int,
    views: str,
    warns: int,
) -> None:
    data = dataclasses.replace(small_settings().data, flip=bool(flip))
    Scorer(
        one_device,
        None,
        folder=data_set.folder,
        manifest=data_set.manifest,
        data=data,
        global_batch=4,
        views=views,
    )
    assert ("which training never saw (data.flip=false)" in caplog.text) == warns


def test_views_are_averaged_over_a_whole_split(
    scorer: Score, make_tiny_model: Callable[..., Any], data_set: Any
) -> None:
    """Against the mean of two runs over the split, the second one with mirrored pictures."""
    network = make_tiny_model().network
    mirrored = keras.Sequential([keras.layers.Lambda(lambda x: x[:, :, ::-1]), network])
    mirrored.build([None, 32, 32])
    each = [scorer(one).score("test") for one in (network, mirrored)]
    found = scorer(network, views="flip").score("test")
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-3)
    assert not np.allclose(found, each[0], atol=1e-2)


@pytest.mark.distributed
@pytest.mark.slow
@pytest.mark.parametrize("views", ["scores", "ten_crop"])
def test_two_devices_score_like_one(two_devices: dict[str, Any], views: str) -> None:
    two, one = two_devices[views]["two"], two_devices[views]["one"]
    assert len(two) == 11
    np.testing.assert_allclose(two, one, atol=1e-6)
    assert len(np.unique(np.round(one, 6), axis=0)) == 11
