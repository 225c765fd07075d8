# SPDX-License-Identifier: MIT
"""Runs the launcher against the local Kubernetes API, without its pauses."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trainer.launch import task, verbs
from trainer.launch.kubernetes import namespace, pod_logs, service, submission

Launch = Callable[..., tuple[int, str, str]]


@pytest.fixture
def launch(
    kubernetes_api: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Launch:
    """Runs a command line; returns exit code, standard output, standard error."""
    monkeypatch.setattr(service, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(submission, "_SETTLES_S", 0.0)
    monkeypatch.setattr(namespace, "POLL_S", 0.05)
    monkeypatch.setattr(pod_logs, "_AGAIN_S", 0.05)
    monkeypatch.setattr(verbs, "POLL_S", 0.05)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return (task.run(["cxr14-launch", *arguments]), *capsys.readouterr())

    return run


@pytest.fixture
def script() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Does beside the command under test what a cluster would."""
    threads: list[threading.Thread] = []

    def start(steps: Callable[[], None]) -> None:
        threads.append(threading.Thread(target=steps))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()
