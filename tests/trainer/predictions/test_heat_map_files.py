# SPDX-License-Identifier: MIT
"""Tests of the two files of heat maps: what was written comes back, and damage is named."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.predictions import heat_map_files
from trainer.predictions.heat_map_files import BoxedMaps, Gallery
from trainer.predictions.placement import Placement

PLACE = Placement(0.1, 0.125, 0.0625, 0.875)


def made_boxed(rows: int = 5) -> BoxedMaps:
    generator = np.random.default_rng(1)
    return BoxedMaps(
        ids=np.array([f"{row}.png" for row in range(rows)], np.str_),
        findings=np.array(["Mass", "Pleural_Thickening"] * rows, np.str_)[:rows],
        scores=generator.random(rows).astype(np.float32),
        boxes=generator.random((rows, 4)),
        maps=generator.random((rows, 7, 7)).astype(np.float16).astype(np.float32),
        placement=PLACE,
    )


def made_gallery() -> Gallery:
    boxed = made_boxed(3)
    return Gallery(
        ids=boxed.ids,
        findings=boxed.findings,
        kinds=np.array(["false_alarm", "miss", "hit"]),
        scores=boxed.scores,
        labels=np.array([[0, 1], [1, np.nan], [1, 0]], np.float32),
        label_names=("Mass", "Pleural_Thickening"),
        thumbnails=(b"\xff\xd8one", b"\xff\xd8", b"\xff\xd8three"),
        maps=boxed.maps,
        boxes=(np.zeros((0, 4)), np.array([[0.1, 0.2, 0.3, 0.4]] * 2), np.zeros((0, 4))),
        placement=PLACE,
    )


def assert_equal(one: Any, other: Any) -> None:
    for field in dataclasses.fields(one):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if field.name == "boxes" and isinstance(first, tuple):
            assert [box.tolist() for box in first] == [box.tolist() for box in second]
        elif isinstance(first, np.ndarray):
            np.testing.assert_array_equal(first, second)
            assert first.dtype == second.dtype
        else:
            assert first == second


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_maps_of_boxes_come_back_as_they_were(rows: int, tmp_path: pathlib.Path) -> None:
    path = f"{tmp_path}/localisation.npz"
    heat_map_files.write_boxed(path, made_boxed(rows))
    assert_equal(heat_map_files.read_boxed(path), made_boxed(rows))


def test_a_gallery_comes_back_as_it_was(tmp_path: pathlib.Path) -> None:
    path = f"{tmp_path}/gallery.npz"
    heat_map_files.write_gallery(path, made_gallery())
    assert_equal(heat_map_files.read_gallery(path), made_gallery())


def test_an_empty_gallery_comes_back_too(tmp_path: pathlib.Path) -> None:
    full, path = made_gallery(), f"{tmp_path}/gallery.npz"
    empty = dataclasses.replace(
        full,
        **{name: getattr(full, name)[:0] for name in ("ids", "findings", "kinds", "scores")},
        **{name: getattr(full, name)[:0] for name in ("labels", "thumbnails", "maps", "boxes")},
    )
    heat_map_files.write_gallery(path, empty)
    assert_equal(heat_map_files.read_gallery(path), empty)


def changed(path: str, **arrays: Any) -> None:
    """Writes the file again with some arrays replaced, or left out where None."""
    with np.load(path) as found:
        kept = {name: found[name] for name in found.files}
    kept |= arrays
    np.savez(path, **{name: array for name, array in kept.items() if array is not None})


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"version": np.array([2])}, "has version [2], this program reads 1"),
        ({"version": None}, "holds no array 'version'"),
        ({"map": None}, "holds no array 'map'"),
        ({"map": np.zeros((5, 7, 6))}, "map is float64 of the shape (5, 7, 6)"),
        ({"map": np.zeros(())}, "map is float64 of the shape ()"),
        ({"map": np.full((5, 2, 2), 1.5)}, "outside 0 to 1"),
        ({"map": np.full((5, 2, 2), np.nan)}, "map holds a value that is not a finite number"),
        ({"score": np.array(["a"] * 5)}, "score is <U1"),
        ({"score": np.zeros(4)}, "score is float64 of the shape (4,)"),
        ({"id": np.arange(5)}, "id is not one text a row"),
        ({"finding": np.array(["Mass"] * 4)}, "finding is not one text a row"),
        ({"box": np.zeros((5, 4))}, "no width or no height"),
        ({"box": np.full((5, 4), np.inf)}, "box holds a value"),
        ({"placement": np.zeros(4)}, "have no size"),
        ({"placement": np.ones(3)}, "placement is"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_in_one_sentence(
    arrays: dict[str, Any], words: str, tmp_path: pathlib.Path
) -> None:
    path = f"{tmp_path}/localisation.npz"
    heat_map_files.write_boxed(path, made_boxed())
    changed(path, **arrays)
    with pytest.raises(DataError) as caught:
        heat_map_files.read_boxed(path)
    sentence = str(caught.value)
    assert sentence.startswith(path) and words in sentence
    assert sentence.endswith("bring it back from a copy, or move it away")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"kind": np.array(["hit", "hit", "draw"])}, "not one of false_alarm, miss, hit"),
        ({"jpeg_bytes": np.array([1, 1, 99])}, "jpeg is uint8"),
        ({"jpeg_bytes": np.array([9, -4, 9])}, "are not counts"),
        ({"boxes_of_row": np.array([0, 1, 0])}, "box is"),
        ({"boxes_of_row": np.array([3, -1, 0])}, "are not counts"),
        ({"jpeg": np.zeros(14, np.uint8)}, "is not a JPEG file"),
        ({"label": np.full((3, 2), np.inf)}, "label holds a value"),
    ],
)
def test_a_gallery_that_breaks_a_rule_is_refused_in_one_sentence(
    arrays: dict[str, Any], words: str, tmp_path: pathlib.Path
) -> None:
    path = f"{tmp_path}/gallery.npz"
    heat_map_files.write_gallery(path, made_gallery())
    changed(path, **arrays)
    with pytest.raises(DataError, match=words):
        heat_map_files.read_gallery(path)
