# SPDX-License-Identifier: MIT
"""An object store that speaks S3 on this machine, and the command lines run against it."""

import importlib.metadata
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUCKET = "cxr14-test"


def has_tensorflow_io() -> bool:
    """Tells whether the package is installed, without the seconds of importing it."""
    try:
        importlib.metadata.version("tensorflow-io")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def pytest_configure(config: pytest.Config) -> None:
    for name in ("with", "without"):
        config.addinivalue_line("markers", f"{name}_tensorflow_io: needs that environment")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what belongs to the other environment, and says where it runs."""
    if has_tensorflow_io():
        skipped, reason = "without_tensorflow_io", "tensorflow-io is installed: run `make unit`"
    else:
        skipped = "with_tensorflow_io"
        reason = "tensorflow-io is not installed: run `make test-tensorflow-io`"
    for item in items:
        if item.get_closest_marker(skipped):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def s3() -> Iterator[Any]:
    """A client of the official SDK on an empty bucket, to see what others would see.

    The server is a process of its own: the S3 client under test holds Python's lock while it waits.
    """
    import boto3

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("S3_VERIFY_SSL", "0")
        server, address = _start_server()
        patch.setenv("S3_ENDPOINT", address)
        try:
            client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
            client.create_bucket(Bucket=BUCKET)
            yield client
            client.close()
        finally:
            server.kill()
            server.wait()


_SERVER = """
import threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("%s:%d" % server.get_host_and_port(), flush=True)
threading.Event().wait()
"""


def _start_server() -> tuple["subprocess.Popen[str]", str]:
    """Starts the object store on a free port that the system chooses; returns its address."""
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    with server.stdout as lines:
        address = lines.readline().strip()
    assert address, "the object store did not start"
    return server, f"http://{address}"


@pytest.fixture(scope="session")
def start() -> Callable[..., "subprocess.Popen[str]"]:
    """Starts an installed command of this environment, as a user would, or `-m` a module."""

    def begin(*arguments: str) -> "subprocess.Popen[str]":
        command, *flags = arguments
        program = os.path.join(os.path.dirname(sys.executable), command)
        return subprocess.Popen(
            [sys.executable, *arguments] if command == "-m" else [program, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    return begin


@pytest.fixture(scope="session")
def finish(start: Callable[..., "subprocess.Popen[str]"]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command to its end; returns exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        process = start(*arguments)
        output, errors = process.communicate(timeout=600)
        return process.returncode, output, errors

    return run


@pytest.fixture(scope="session")
def radiographs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Flags for `cxr14-preprocess`: 15 patients with two pictures each, one of them with a mass."""
    import cv2
    import numpy as np

    base = tmp_path_factory.mktemp("raw")
    (base / "images").mkdir()
    generator = np.random.default_rng(1)
    lists: dict[str, list[str]] = {"train_val_list": [], "test_list": []}
    lines = [_HEADER]
    for patient in range(15):
        for at, label in enumerate(("No Finding", "Mass|Edema")):
            picture = generator.integers(0, 80, (40, 40)).astype(np.uint8)
            picture[12:25, 6:32] += 120 * at
            name = f"{patient:08d}_{at:03d}.png"
            assert cv2.imwrite(str(base / "images" / name), picture)
            lines.append(f"{name},{label},{at},{patient},50,F,PA,40,40,0.1,0.1,")
            lists["test_list" if patient >= 12 else "train_val_list"].append(name)
    (base / "labels.csv").write_text("\n".join(lines))
    for name, names in lists.items():
        (base / f"{name}.txt").write_text("\n".join(names))
    return [f"--images={base}/images", f"--labels={base}/labels.csv", *_list_flags(base, lists)]


_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)


def _list_flags(base: pathlib.Path, names: Iterable[str]) -> list[str]:
    return [f"--{name}={base}/{name}.txt" for name in names]
