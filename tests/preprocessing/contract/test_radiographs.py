# SPDX-License-Identifier: MIT
"""One picture is made alike from every kind of file, and the files are read in their order."""

import os
import pathlib

import cv2
import numpy as np
import pytest

from preprocessing.contract import radiographs
from preprocessing.contract.invocation import config
from preprocessing.contract.pictures import image
from preprocessing.contract.pictures.image import ImageError
from preprocessing.contract.radiographs import Recipe

_PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
_PNG = cv2.imencode(".png", _PIXELS)[1].tobytes()


@pytest.mark.parametrize("encoding", config.ENCODINGS)
def test_a_file_becomes_its_canonical_picture(encoding: str) -> None:
    picture = radiographs.from_file(_PNG, Recipe(20, encoding))
    pixels = image.canonical(_PNG, 20)
    np.testing.assert_array_equal(image.decode_stored(picture.data, 20, encoding), pixels)
    assert picture.digest == image.digest(pixels)
    assert (picture.width, picture.height) == (60, 40)


def test_the_size_that_originals_must_have_is_held() -> None:
    with pytest.raises(ImageError) as caught:
        radiographs.from_file(_PNG, Recipe(20, "png", source_px=60))
    assert caught.value.reason == "wrong_size"


def test_files_come_in_their_order_or_with_what_is_wrong(
    tmp_path: pathlib.Path, unprivileged: None
) -> None:
    for name in ("0", "5", "shut"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "shut").chmod(0)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    names = ["0", "gone", "shut", "folder", "loop", "pipe", "5"]
    found = list(radiographs.read_all([str(tmp_path / name) for name in names]))
    assert [found[0], found[-1]] == [b"0", b"5"]
    reasons = ["vanished", "unreadable", "not_a_file", "not_a_file", "not_a_file"]
    assert [error.reason for error in found[1:-1] if isinstance(error, ImageError)] == reasons
    assert set(reasons) <= set(radiographs.REASONS)


def test_a_reason_stands_once() -> None:
    assert len(set(radiographs.REASONS)) == len(radiographs.REASONS)
    assert set(image.REASONS) <= set(radiographs.REASONS)
