# SPDX-License-Identifier: MIT
"""Tests that decoding survives what kills the decoder."""

import os
import random
import signal
import sys

import cv2
import numpy as np
import pytest

from preprocessing.contract.dicom import decoder
from preprocessing.contract.errors import ConfigError
from preprocessing.contract.pictures.image import ImageError

JPEG = "1.2.840.10008.1.2.4.50"
GREY = np.add.outer(np.arange(64), np.arange(48)).astype(np.uint8)
FRAME = cv2.imencode(".jpg", GREY)[1].tobytes()
ATTRIBUTES = {
    **{"Rows": 64, "Columns": 48, "SamplesPerPixel": 1, "NumberOfFrames": 1},
    **{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0},
    "PhotometricInterpretation": "MONOCHROME2",
}


def _pixels() -> np.ndarray:
    return decoder.decode(ATTRIBUTES, JPEG, FRAME)


def test_a_frame_comes_back() -> None:
    assert np.abs(_pixels().astype(int) - GREY).max() <= 5


def test_one_process_serves_until_it_dies_and_then_another(monkeypatch) -> None:
    child = decoder._Child()
    monkeypatch.setattr(decoder, "_CHILD", child)
    try:
        _pixels()
        first = child._process.pid
        _pixels()
        assert child._process.pid == first
        os.kill(first, signal.SIGKILL)
        child._process.wait()
        _pixels()
        assert child._process.pid != first
    finally:
        child.stop()
    assert child._process is None


def test_a_decoder_that_hangs_is_ended(monkeypatch) -> None:
    child = decoder._Child()
    monkeypatch.setattr(decoder, "_CHILD", child)
    monkeypatch.setattr(decoder, "TIMEOUT_S", 0.3)
    os.kill(child.started().pid, signal.SIGSTOP)
    try:
        with pytest.raises(ImageError) as caught:
            _pixels()
        assert caught.value.reason == "damaged"
    finally:
        child.stop()


def test_a_decoder_that_does_not_start_is_a_mistake_of_the_installation(monkeypatch) -> None:
    child = decoder._Child()
    monkeypatch.setattr(decoder, "_CHILD", child)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ConfigError, match="python-gdcm"):
        _pixels()
    child.stop()


def test_damaged_streams_are_refused_or_decoded_and_nothing_dies(capfd) -> None:
    chance, refused = random.Random(0), 0
    for _ in range(40):
        frame = bytearray(FRAME)
        for _ in range(3):
            frame[chance.randrange(2, len(frame))] = chance.randrange(256)
        try:
            assert decoder.decode(ATTRIBUTES, JPEG, bytes(frame)).shape == GREY.shape
        except ImageError as error:
            assert error.reason == "damaged"
            refused += 1
    assert refused > 5
    assert _pixels().shape == GREY.shape
    assert capfd.readouterr() == ("", "")
