# SPDX-License-Identifier: MIT
"""Fixtures that tests of both packages share."""

import os
import pathlib

import cv2
import pytest

# Before anything imports TensorFlow: its start-up notes would drown what tests print.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
cv2.setNumThreads(1)

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="session")
def nih() -> pathlib.Path:
    """The folder of real radiographs and label files of ChestX-ray14; skips where there is none."""
    shared = pathlib.Path(os.environ.get("CXR14_SHARED", ROOT.parent / "shared"))
    folder = shared / "data" / "nih"
    if not folder.is_dir():
        pytest.skip("no real ChestX-ray14 files: name their parent folder in CXR14_SHARED")
    return folder
