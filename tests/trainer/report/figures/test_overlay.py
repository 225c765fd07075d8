# SPDX-License-Identifier: MIT
"""Tests of the drawings: heat where the map has it, boxes where they were drawn, safe text."""

import base64
import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np
import pytest

from trainer.predictions.placement import Placement
from trainer.report.figures import overlay

PLACE = Placement(first=16.5 / 256, step=32 / 256, left=16 / 256, side=224 / 256)


def pixels(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)


def test_the_layer_is_as_opaque_as_the_map_is_hot_and_clear_where_nothing_was_seen() -> None:
    heat = np.random.default_rng(0).random((7, 7))
    layer = pixels(overlay.heat_layer(heat, PLACE))
    assert layer.shape == (32, 32, 4)
    share = layer[..., 3] / (0.65 * 255)
    np.testing.assert_allclose(share, PLACE.laid_out(heat, 32), atol=0.03)
    assert not layer[:2].any() and not layer[:, -2:].any()
    hot = layer[layer[..., 3] > 0]
    assert (hot[:, :3] == hot[0, :3]).all()


def test_the_layer_is_small() -> None:
    heat = np.random.default_rng(1).random((7, 7))
    assert len(overlay.heat_layer(heat, PLACE)) < 1200


def test_the_drawing_is_svg_with_picture_heat_and_boxes() -> None:
    drawing = overlay.drawing(
        picture=base64.b64encode(b"jpeg").decode(),
        heat=b"png",
        boxes=[[0.25, 0.5, 0.125, 0.25]],
        label='a "b" <c>',
    )
    root = ElementTree.fromstring(drawing)
    assert root.get("role") == "img" and root.get("aria-label") == 'a "b" <c>'
    sources = [one.get("href") for one in root.findall("image")]
    assert sources == ["data:image/jpeg;base64,anBlZw==", "data:image/png;base64,cG5n"]
    box = root.findall("rect")[1]
    assert [box.get(name) for name in ("x", "y", "width", "height")] == ["32", "64", "16", "32"]


@pytest.mark.parametrize(
    ("cell", "words"),
    [((0, 0), "upper left"), ((3, 3), "middle centre"), ((6, 1), "lower left"), ((2, 6), "right")],
)
def test_the_hottest_place_is_said_in_words(cell: tuple[int, int], words: str) -> None:
    heat = np.zeros((7, 7))
    heat[cell] = 1
    assert words in overlay.where(heat, PLACE)


def test_no_heat_is_said_too() -> None:
    assert overlay.where(np.zeros((7, 7)), PLACE) == "no heat"
