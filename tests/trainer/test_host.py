# SPDX-License-Identifier: MIT
"""A run can tell what it ran on."""

import json
import os
import platform

import pytest
import tensorflow as tf

from trainer import host


def test_versions_devices_and_hardware_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR14_REVISION", "0123abc")
    found = host.describe()
    assert found["versions"]["tensorflow"] == tf.__version__
    assert found["versions"]["python"] == platform.python_version()
    assert found["versions"]["revision"] == "0123abc"
    assert found["devices"] == [device.name for device in tf.config.list_logical_devices()]
    assert found["hardware"]["logical_cores"] == os.cpu_count()
    gpus = len(tf.config.list_physical_devices("GPU"))
    assert sum(found["hardware"]["accelerators_of_this_host"].values()) == gpus
    assert json.loads(json.dumps(found)) == found


def test_a_revision_that_nobody_stated_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXR14_REVISION", raising=False)
    assert "revision" not in host.describe()["versions"]
    # What the image says when its argument was not given.
    monkeypatch.setenv("CXR14_REVISION", "unknown")
    assert "revision" not in host.describe()["versions"]
