# SPDX-License-Identifier: MIT
"""Tests what is read of compressed frames before they are decoded."""

import cv2
import numpy as np
import pytest
from pydicom import encaps

from preprocessing.contract.dicom import frames

GREY = np.add.outer(np.arange(40), np.arange(56)).astype(np.uint8)
JPEG, J2K = (cv2.imencode(kind, GREY)[1].tobytes() for kind in (".jpg", ".jp2"))


@pytest.mark.parametrize("frame", [JPEG, J2K])
def test_size_and_depth_are_read(frame: bytes) -> None:
    assert frames.read(frame) == frames.Stream(40, 56, 1, 8)


@pytest.mark.parametrize("frame", [b"", b"12", JPEG[:8], J2K[:90], bytes(100)])
def test_what_is_no_stream_states_nothing(frame: bytes) -> None:
    assert frames.read(frame) == frames.Stream()


def test_padding_is_cut_off_and_a_stream_without_end_is_empty() -> None:
    assert frames.without_padding(JPEG + bytes(5000)) == JPEG
    # The end of a thumbnail in a segment before the pixels is not the end of the frame.
    thumbnail = JPEG[:2] + b"\xff\xe1\0\4\xff\xd9" + JPEG[2:]
    assert frames.without_padding(thumbnail) == thumbnail
    assert frames.without_padding(thumbnail[:-2]) == b""


def test_compressed_pixels_are_told_from_plain_ones() -> None:
    assert frames.is_encapsulated(encaps.encapsulate([JPEG]))
    assert frames.is_encapsulated(JPEG)
    assert not frames.is_encapsulated(GREY.tobytes())
    assert not frames.is_encapsulated(np.array([0xFFFE, 0xE000] * 99, "<u2").tobytes())
    assert not frames.is_encapsulated(b"\xff\xd8\xff" + bytes(500))
