# SPDX-License-Identifier: MIT
"""Fixtures that tests of both packages share."""

import importlib.util
import os
import pathlib

import cv2
import pytest

# Before anything imports TensorFlow: its start-up notes would drown what tests print.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
cv2.setNumThreads(1)

ROOT = pathlib.Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Makes the fixtures of tests/cloud/emulator.py known to all tests.

    The folders of tests are no packages, so the file cannot be named in `pytest_plugins`.
    """
    path = ROOT / "tests" / "cloud" / "emulator.py"
    specification = importlib.util.spec_from_file_location("cxr14_emulator", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    config.pluginmanager.register(module, "cxr14_emulator")


@pytest.fixture(scope="session")
def nih() -> pathlib.Path:
    """The folder of real radiographs and label files of ChestX-ray14; skips where there is none."""
    shared = pathlib.Path(os.environ.get("CXR14_SHARED", ROOT.parent / "shared"))
    folder = shared / "data" / "nih"
    if not folder.is_dir():
        pytest.skip("no real ChestX-ray14 files: name their parent folder in CXR14_SHARED")
    return folder
