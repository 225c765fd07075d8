# SPDX-License-Identifier: MIT
"""What ran a training: versions of programs, devices and the make of the hardware."""

import contextlib
import importlib.metadata
import os
import platform
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def describe() -> dict[str, Any]:
    """Returns `devices` (as TensorFlow names them), `hardware` and `versions`.

    `versions` holds this program's under `cxr14`, and under `revision` what the environment
    variable CXR14_REVISION says, which the image sets to the commit that it was built from.
    """
    versions = {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
    # A checkout that nobody installed has no version.
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        versions["cxr14"] = importlib.metadata.version("cxr14")
    # An image that was built without the argument says "unknown".
    if (revision := os.environ.get("CXR14_REVISION", "")) not in ("", "unknown"):
        versions["revision"] = revision
    return {
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "hardware": _hardware(),
        "versions": versions,
    }


def _hardware() -> dict[str, Any]:
    """The accelerators by make, how many of each, and the processors of this host."""
    makes: dict[str, int] = {}
    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        make = str(details.get("device_name", "GPU of unknown make"))
        makes[make] = makes.get(make, 0) + 1
    return {
        "accelerators_of_this_host": makes,
        "processor": platform.machine(),
        "logical_cores": os.cpu_count(),
    }
