# SPDX-License-Identifier: MIT
"""Imports TensorFlow without its notes about GPUs on a machine that has none.

TensorFlow 2.21 writes six lines to standard error on such a machine, whatever TF_CPP_MIN_LOG_LEVEL
says, and Google's Cloud Logging shows each as an error. They are dropped on the way; whatever else
is written meanwhile passes, also what a process that dies writes last, unless it is process 1 of a
container: the filter is killed with it, and its last lines may be lost.
"""

import contextlib
import ctypes
import glob
import os
import sys
from collections.abc import Iterator

from absl import logging

from preprocessing.contract.process import streams

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_DEVICES = ("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/dxg")
# On a processor without AVX, TensorFlow says in the import why it aborts, which passes but in
# process 1 of a container.
_FILTER = r"""
import re, sys
notes = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IWE][0-9]{4} [^\]]*(port|cudart_stub|cuda_platform|cpu_feature_guard|cuda_executor)\.cc:"
    rb"|To enable the following instructions:"
)
for line in sys.stdin.buffer:
    if not notes.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""

_WAIT_SECONDS = 5.0

_wanted = False


def show() -> None:
    """Lets all notes pass from now on: the user wants a GPU, and has to see why none is found."""
    global _wanted
    _wanted = True


def load() -> None:
    """Imports TensorFlow and looks for GPUs once, which is when it writes its notes.

    They are kept where there is a driver or a device of NVIDIA, after `show`, and where the user
    has set TF_CPP_MIN_LOG_LEVEL below 2. A TensorFlow without CUDA has no notes, and gets one.
    """
    if "tensorflow" in sys.modules:
        return
    near = _gpu_is_near()
    keep = _wanted or os.environ.get(LEVEL, "2") < "2" or sys.platform != "linux" or near
    with contextlib.nullcontext() if keep else _filtered():
        import tensorflow as tf

        tf.config.list_physical_devices()
    if near and not tf.sysconfig.get_build_info()["is_cuda_build"]:
        logging.warning(
            "there is a GPU or a driver of NVIDIA here, which this TensorFlow cannot use: install "
            "configs/requirements/gpu.txt, or use an image of FLAVOR=gpu"
        )


def _gpu_is_near() -> bool:
    """Tells whether this machine has a driver of NVIDIA, as TensorFlow would load it, or a GPU."""
    if any(glob.glob(pattern) for pattern in _DEVICES):
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _filtered() -> Iterator[None]:
    """Sends standard error, of this process and by its number, through the filter for a while."""
    diversion = streams.Diversion(2, _FILTER)
    try:
        yield
    finally:
        diversion.restore()
        diversion.wait(_WAIT_SECONDS)
