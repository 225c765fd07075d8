# SPDX-License-Identifier: MIT
"""Measures the memory that this process holds, on the host and on its GPUs."""

import os
import pathlib

import tensorflow as tf

MIB = 2**20

# Fields of /proc/PID/statm count pages; the second is the resident set (proc(5)).
_STATM = pathlib.Path("/proc/self/statm")
_RESIDENT = 1


def memory() -> dict[str, float]:
    """Returns what is in use, in MiB.

    Returns:
        memory/host_mib, the resident set of this process, where the system is Linux; for each GPU
        memory/gpu0_mib, what tensors take now, and memory/gpu0_peak_mib, the most they ever took.
        TensorFlow reserves more of a GPU than that.
    """
    found: dict[str, float] = {}
    if _STATM.exists():
        pages = int(_STATM.read_text(encoding="ascii").split()[_RESIDENT])
        found["memory/host_mib"] = pages * os.sysconf("SC_PAGE_SIZE") / MIB
    for at, device in enumerate(tf.config.list_logical_devices("GPU")):
        used = tf.config.experimental.get_memory_info(device.name)
        found[f"memory/gpu{at}_mib"] = used["current"] / MIB
        found[f"memory/gpu{at}_peak_mib"] = used["peak"] / MIB
    return found
