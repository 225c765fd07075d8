# SPDX-License-Identifier: MIT
"""Fixtures that tests of both packages share."""

import fcntl
import importlib.util
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Generator

import cv2
import pytest

from preprocessing.contract.process import log

# Before anything imports TensorFlow: its start-up notes would drown what tests print.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Its gs:// reads these when it is imported: ten tries, whose pauses would take three minutes.
os.environ.setdefault("GCS_RETRY_CONFIG_INIT_DELAY_TIME_US", "10000")
os.environ.setdefault("GCS_RETRY_CONFIG_MAX_DELAY_TIME_US", "20000")
cv2.setNumThreads(1)

ROOT = pathlib.Path(__file__).parents[1]


# What tests share. Their folders are no packages, so no test can import from another's folder.
SHARED = {
    "cxr14_emulator": "cloud/emulator.py",
    "cxr14_kubernetes_api": "cloud/kubernetes_api.py",
    "cxr14_workers": "cluster/workers.py",
    "cxr14_results": "cluster/results.py",
    "cxr14_small_backbone": "cluster/small_backbone.py",
    "cxr14_google_apis": "cloud/google_apis.py",
    "cxr14_kustomization": "cluster/kustomization.py",
    "cxr14_schemas": "cluster/schemas.py",
    "cxr14_fields": "cluster/fields.py",
    "cxr14_jobs": "cluster/jobs.py",
    "cxr14_jobsets": "cluster/jobsets.py",
    "cxr14_network": "cluster/network.py",
    "cxr14_sandbox": "cluster/sandbox.py",
    "cxr14_pods": "cluster/pods.py",
    "cxr14_chromium": "browser/chromium.py",
    "cxr14_executed": "cluster/executed.py",
}


def pytest_configure(config: pytest.Config) -> None:
    """Makes those files importable, their fixtures known to all tests, and the log speak."""
    log.configure([])
    for name, path in SHARED.items():
        file = ROOT / "tests" / path
        specification = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        specification.loader.exec_module(module)
        config.pluginmanager.register(module, name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escapes what is not text in captured lines, which pytest-xdist cannot send on."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode())
        for title, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[pathlib.Path], object]], pathlib.Path]:
    """Fills a folder once for all processes of the session; tests only read what is in it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "once"
    shared.mkdir(exist_ok=True)

    def make(name: str, fill: Callable[[pathlib.Path], object]) -> pathlib.Path:
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                # What a failure has left does not come in the way of the next process.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def nih() -> pathlib.Path:
    """The folder of real radiographs and label files of ChestX-ray14; skips where there is none."""
    shared = pathlib.Path(os.environ.get("CXR14_SHARED", ROOT.parent / "shared"))
    folder = shared / "data" / "nih"
    if not folder.is_dir():
        pytest.skip("no real ChestX-ray14 files: name their parent folder in CXR14_SHARED")
    return folder
