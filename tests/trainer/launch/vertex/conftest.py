# SPDX-License-Identifier: MIT
"""Runs `cxr14-launch ... vertex` against the services of Google on this machine, impatiently."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.files import patience
from trainer.launch import task, verbs
from trainer.launch.vertex import entries

PLACE = ("--project=my-project", "--region=us-central1")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up within half a second what is otherwise tried for a minute."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(patience, "SECONDS", 0.5)
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(entries, "POLL_S", 0.01)
    monkeypatch.setattr(verbs, "POLL_S", 0.01)


@pytest.fixture
def launch(
    impatient: None, google_apis: Any, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line; returns exit code, standard output, standard error."""

    def run(verb: str, *arguments: str) -> tuple[int, str, str]:
        where = () if any(word.startswith("--job=") for word in arguments) else PLACE
        endpoint = f"--api_endpoint={google_apis.address}"
        code = task.run(["cxr14-launch", verb, "vertex", *arguments, *where, endpoint])
        return (code, *capsys.readouterr())

    return run
