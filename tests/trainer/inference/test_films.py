# SPDX-License-Identifier: MIT
"""A film is read as preprocessing reads it, whatever its format."""

import pathlib

import cv2
import numpy as np
import pytest

from preprocessing.contract.pictures import image
from trainer.inference import films


def test_a_picture_becomes_what_preprocessing_stores() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (60, 90)).astype(np.uint8)
    encoded = cv2.imencode(".png", grey)[1].tobytes()
    film = films.read(encoded, "a.png", stored_size=32)
    np.testing.assert_array_equal(film.pixels, image.canonical(encoded, 32))
    np.testing.assert_array_equal(film.original.pixels, grey)
    assert not film.is_dicom


def test_a_dicom_film_is_the_picture_that_it_was_made_from(nih: pathlib.Path) -> None:
    encoded = (nih.parent / "dicom" / "test3.dcm").read_bytes()
    film = films.read(encoded, "test3.dcm", stored_size=256)
    png = (nih.parent / "dicom" / "00000061_002.png").read_bytes()
    np.testing.assert_array_equal(film.pixels, image.canonical(png, 256))
    assert film.is_dicom


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [(b"", "not_dicom"), (b"text" * 100, "not_dicom"), (b"\x89PNG\r\n\x1a\n", "cut_short")],
)
def test_what_is_no_film_is_refused_with_a_reason(encoded: bytes, reason: str) -> None:
    with pytest.raises(films.ImageError) as caught:
        films.read(encoded, "a", stored_size=32)
    assert caught.value.reason == reason
