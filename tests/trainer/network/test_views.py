# SPDX-License-Identifier: MIT
"""The views are cut where they should be, and a score is the mean over them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import DataConfig
from trainer.network import views

# 12 x 12, of which a view has 8: no two pixels are alike.
PICTURE = np.arange(144, dtype=np.uint8).reshape(12, 12)
DATA = DataConfig(image_size=32, crop_fraction=0.8)
KINDS = ["one", "flip", "ten_crop"]


def cut_by_hand(picture: np.ndarray, kind: str, side: int) -> list[np.ndarray]:
    """Returns the views by slices: centre, top left, top right, bottom left, bottom right."""
    end, at = len(picture) - side, (len(picture) - side) // 2
    centre = picture[at : at + side, at : at + side]
    corners = [
        picture[:side, :side],
        picture[:side, end:],
        picture[end:, :side],
        picture[end:, end:],
    ]
    cuts = [centre, *(corners if kind == "ten_crop" else [])]
    return [way for cut in cuts for way in ([cut] if kind == "one" else [cut, np.fliplr(cut)])]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("fraction", "side"), [(0.66, 8), (0.75, 9), (1.0, 12)])
def test_views_are_cut_where_they_should_be(kind: str, fraction: float, side: int) -> None:
    rows, columns = views.places(kind, stored_size=12, crop_fraction=fraction)
    found = [PICTURE[np.ix_(*place)] for place in zip(rows, columns, strict=True)]
    expected = cut_by_hand(PICTURE, kind, side)
    assert len(found) == {"one": 1, "flip": 2, "ten_crop": 10}[kind]
    np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def squares() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (5, 40, 40)).astype(np.uint8)


@pytest.fixture
def network(make_tiny_model: Callable[..., Any]) -> Any:
    """Logits and, as the SavedModel has them beside, features."""
    model = make_tiny_model()
    return keras.Model(model.network.input, [model.network.output, model.features.output])


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_is_the_mean_of_the_scores_of_the_views(
    kind: str, squares: np.ndarray, network: Any
) -> None:
    """0.8 of 40 pixels are 32, so that nothing is scaled: float64 against the graph."""
    run = tf.function(lambda given: views.score(network, given, data=DATA, views=kind))
    scores, features = (part.numpy() for part in run(tf.constant(squares)))
    each = []
    for picture in squares:
        cuts = np.stack(cut_by_hand(picture, kind, 32))
        logits = network(cuts, training=False)[0].numpy().astype(np.float64)
        each.append((1 / (1 + np.exp(-logits))).mean(0))
    np.testing.assert_allclose(scores, each, atol=1e-6)
    assert scores.dtype == np.float32 and scores.shape == (5, 3)
    centre = network(squares[:, 4:36, 4:36], training=False)
    np.testing.assert_allclose(features, centre[1], atol=1e-6)
    if kind != "one":
        assert not np.allclose(scores, tf.sigmoid(centre[0]), atol=1e-4)


def test_the_graph_does_not_grow_with_the_views(squares: np.ndarray, network: Any) -> None:
    spec = tf.TensorSpec([None, 40, 40], tf.uint8)

    def size(kind: str) -> int:
        run = tf.function(lambda given: views.score(network, given, data=DATA, views=kind))
        graph = run.get_concrete_function(spec).graph.as_graph_def()
        nodes = [node for part in graph.library.function for node in part.node_def]
        return sum(node.op == "MatMul" for node in [*graph.node, *nodes])

    assert size("ten_crop") == size("flip") <= 2 * size("one")
