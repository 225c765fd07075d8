# SPDX-License-Identifier: MIT
"""Loads Matplotlib without the settings of the shell, the working folder or the home folder.

A matplotlibrc that another project left there, or a backend that is not installed, would change
the figures or end the run. Imports no Matplotlib until it is asked to.
"""

import atexit
import os
import shutil
import sys
import tempfile


def load() -> None:
    """Imports Matplotlib with its defaults; its cache lies among this process's temporary files."""
    if sys.modules.get("matplotlib"):
        return
    sys.modules.pop("matplotlib", None)  # None where it is kept from Keras
    folder = tempfile.mkdtemp(prefix="cxr14-matplotlib-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ |= {"MPLBACKEND": "agg", "MPLCONFIGDIR": folder}
    os.environ.pop("MATPLOTLIBRC", None)
    # No variable keeps it from reading ./matplotlibrc. Changing the working folder meanwhile would
    # mislead other threads, such as the one that renews the lock of a relative output folder.
    exists = os.path.exists
    os.path.exists = lambda path: path != "matplotlibrc" and exists(path)
    try:
        import matplotlib  # noqa: F401
    finally:
        os.path.exists = exists
