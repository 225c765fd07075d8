# SPDX-License-Identifier: MIT
"""Lets a Beam runner on this machine do the preprocessing by containers of its SDK.

The runner is Beam's own local one, which asks `docker` for containers and gets podman's.
"""

import hashlib
import io
import os
import pathlib
import shlex
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from typing import Any

# A shell script in the place of docker: the runner pulls, runs, looks at and stops containers.
_DOCKER = """#!/bin/sh
case "$1" in
  pull) exit 0 ;;
  run) shift; exec {podman} run {flags} "$@" ;;
  *) exec {podman} "$@" ;;
esac
"""


def make_sdk(engine: Any, name: str) -> None:
    """Makes a stand-in for the image of Beam's SDK, which needs a registry."""
    archive = engine.folder / "sdk.tar"
    with tarfile.open(archive, "w") as tar:
        source = pathlib.Path(__file__).with_name("boot.py").read_bytes()
        program = b"#!/usr/bin/env python\n" + source
        member = tarfile.TarInfo("opt/apache/beam/boot")
        member.mode, member.size = 0o755, len(program)
        tar.addfile(member, io.BytesIO(program))
    engine.import_tree(archive, f"docker.io/{name}")


def run(engine: Any, image: str, data: pathlib.Path, flags: Sequence[str]) -> tuple[int, float]:
    """Runs the preprocessing with its work in containers; returns exit code and seconds.

    Args:
        engine: whose store has the image.
        image: a container of Beam's SDK with the package.
        data: folder that the flags know as /data; containers see it where it is.
        flags: of cxr14-preprocess.
    """
    programs = engine.folder / "bin"
    programs.mkdir()
    docker = programs / "docker"
    mounted = f"--volume={data}:{data} --ulimit=nofile=4096:4096 --ulimit=nproc=4096:4096"
    docker.write_text(_DOCKER.format(podman=shlex.join(engine.program()), flags=mounted))
    docker.chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    root = pathlib.Path(__file__).parents[2]
    environment["PYTHONPATH"] = str(root)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service = "apache_beam.runners.portability.local_job_service_main"
    log = engine.folder / "workers.log"
    with log.open("wb") as file:
        runner = subprocess.Popen(
            [sys.executable, "-m", service, f"--port={port}"], env=environment, stdout=file,
            stderr=file,
        )  # fmt: skip
        begun = time.monotonic()
        beam = ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}"]
        beam += ["--environment_type=DOCKER", f"--environment_config={image}"]
        try:
            local = [flag.replace("=/data", f"={data}") for flag in flags]
            done = subprocess.run(
                [sys.executable, "-m", "preprocessing.task", *local, *beam],
                env=environment, cwd=root, stdout=file, stderr=file, check=False,
            )  # fmt: skip
        finally:
            runner.terminate()
            runner.wait()
    if done.returncode:
        print(log.read_text(errors="replace")[-6000:], file=sys.stderr)
    return done.returncode, time.monotonic() - begun


def shards(folder: pathlib.Path) -> dict[str, str]:
    """Returns the names of shards -> the hash of their content."""
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.tfrecord")
    }
    assert found, f"{folder} holds no shards"
    return found
