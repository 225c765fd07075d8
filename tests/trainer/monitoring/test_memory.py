# SPDX-License-Identifier: MIT
"""Tests of the measured memory."""

import sys

import numpy as np
import psutil
import pytest
import tensorflow as tf

from trainer.monitoring.memory import MIB, memory


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell it in /proc")
def test_host_memory_is_what_the_system_says_and_grows_with_what_is_held() -> None:
    before = memory()["memory/host_mib"]
    assert before == pytest.approx(psutil.Process().memory_info().rss / MIB, rel=0.02)
    held = np.ones(200 * MIB, np.uint8)
    assert 190 < memory()["memory/host_mib"] - before < 220
    assert held.size


def test_every_gpu_is_named_and_no_other_device() -> None:
    gpus = range(len(tf.config.list_logical_devices("GPU")))
    expected = {f"memory/gpu{at}{kind}_mib" for at in gpus for kind in ("", "_peak")}
    assert set(memory()) - {"memory/host_mib"} == expected


@pytest.mark.gpu
@pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="no GPU here")
def test_gpu_memory_grows_with_what_is_held_and_the_peak_stays() -> None:
    before = memory()["memory/gpu0_mib"]
    with tf.device("GPU:0"):
        held = tf.ones([64, MIB // 4])
    used = memory()["memory/gpu0_mib"]
    assert 63 < used - before < 70
    del held
    after = memory()
    assert after["memory/gpu0_mib"] < used - 60
    assert after["memory/gpu0_peak_mib"] >= used
