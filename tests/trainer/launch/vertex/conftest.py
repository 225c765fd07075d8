# SPDX-License-Identifier: MIT
"""Runs `cxr14-launch ... vertex` against the services of Google on this machine, impatiently."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.files import patience, storage
from trainer.launch import task, verbs
from trainer.launch.vertex import entries, jobs, registry
from trainer.predictions.table import Predictions
from trainer.report.report import build
from trainer.report.source import Source
from trainer.runfolder import notes

PLACE = ("--project=my-project", "--region=us-central1")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up within half a second what is otherwise tried for a minute."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "localhost,127.0.0.1")
    monkeypatch.setattr(patience, "SECONDS", 0.5)
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(entries, "POLL_S", 0.01)
    monkeypatch.setattr(verbs, "POLL_S", 0.01)
    monkeypatch.setattr(jobs, "POLL_S", 0.01)
    monkeypatch.setattr(registry, "POLL_S", 0.01)


@pytest.fixture(scope="session")
def report() -> dict[str, Any]:
    """The report on a few made-up predictions, in which Hernia has no positive test image."""
    generator = np.random.default_rng(3)
    labels = (generator.random((240, 2)) < 0.5).astype(np.float32)
    labels[120:, 1] = 0
    predictions = Predictions(
        ids=np.array([f"{row}.png" for row in range(240)]),
        patients=np.array([str(row // 2) for row in range(240)]),
        splits=np.repeat(np.array(["validation", "test"]), 120),
        labels=labels,
        scores=((labels + generator.random(labels.shape)) / 2).astype(np.float32),
        findings=("Pleural_Thickening", "Hernia"),
    )
    return build(Source(predictions, resamples=20))


@pytest.fixture
def make_run(report: dict[str, Any]) -> Callable[[str], str]:
    """Fills the folder of a run as the last stages do; returns the digest of its report."""

    def fill(output: str) -> str:
        storage.write_text(f"{output}/report/report.json", json.dumps(report))
        storage.write_bytes(f"{output}/saved_model/saved_model.pb", b"graph")
        digest = storage.sha256_of(f"{output}/report/report.json")
        notes.write_note(output, notes.EXPORT_NOTE, {"step": 1200, "report_sha256": digest})
        return digest

    return fill


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
