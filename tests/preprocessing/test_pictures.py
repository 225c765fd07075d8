# SPDX-License-Identifier: MIT
"""One picture is made alike from every kind of file, and the files are read in their order."""

import pathlib

import cv2
import numpy as np
import pytest

from preprocessing import pictures
from preprocessing.contract import image, schema
from preprocessing.contract.image import ImageError
from preprocessing.pictures import Recipe

_PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
_PNG = cv2.imencode(".png", _PIXELS)[1].tobytes()


@pytest.mark.parametrize("encoding", schema.ENCODINGS)
def test_a_file_becomes_its_canonical_picture(encoding: str) -> None:
    picture = pictures.from_file(_PNG, Recipe(20, encoding))
    pixels = image.canonical(_PNG, 20)
    np.testing.assert_array_equal(image.decode_stored(picture.data, 20, encoding), pixels)
    assert picture.digest == image.digest(pixels)
    assert (picture.width, picture.height) == (60, 40)


def test_the_size_that_originals_must_have_is_held() -> None:
    with pytest.raises(ImageError) as caught:
        pictures.from_file(_PNG, Recipe(20, "png", source_px=60))
    assert caught.value.reason == "wrong_size"


def test_files_come_in_their_order_and_gone_ones_as_none(tmp_path: pathlib.Path) -> None:
    for n in (0, 2):
        (tmp_path / str(n)).write_bytes(bytes([n]))
    uris = [str(tmp_path / str(n)) for n in range(3)]
    assert list(pictures.read_all(uris)) == [b"\0", None, b"\2"]


def test_a_reason_stands_once() -> None:
    assert len(set(pictures.REASONS)) == len(pictures.REASONS)
    assert set(image.REASONS) <= set(pictures.REASONS)
