# SPDX-License-Identifier: MIT
"""Runs that look finished, with synthetic predictions: nothing is trained."""

import pathlib
from collections.abc import Callable

import numpy as np
import pytest

from preprocessing.contract.settings import settings
from trainer.config import Config
from trainer.predictions import table
from trainer.predictions.table import Predictions
from trainer.runfolder import notes

FINDINGS = ("Mass", "Edema", "Hernia")


def made(skill: float, seed: int, rows: int = 240) -> Predictions:
    """Two splits of patients with three images each; labels are the same for every seed."""
    known = np.random.default_rng(1)
    labels = (known.random((2 * rows, 3)) < [0.5, 0.3, 0.1]).astype(np.float32)
    labels[::9, 1] = np.nan
    labels[-rows:, 2] = 0
    noise = np.random.default_rng(seed).normal(0, 1, labels.shape)
    scores = 1 / (1 + np.exp(-(skill * np.nan_to_num(labels) + noise)))
    return Predictions(
        ids=np.array([f"{row:08d}_000.png" for row in range(2 * rows)]),
        patients=np.array([f"{row // 3:08d}" for row in range(2 * rows)]),
        splits=np.repeat(np.array(["validation", "test"]), rows),
        labels=labels,
        scores=scores.astype(np.float32),
        findings=FINDINGS,
    )


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Callable[..., str]:
    """Writes a run's folder and returns its path; settings have "__" for the dot."""

    def write(name: str, skill: float = 1.0, seed: int = 0, **given: object) -> str:
        folder = tmp_path / name
        config = Config(seed=seed)
        for key, value in given.items():
            section, setting = key.split("__")
            setattr(getattr(config, section), setting, value)
        table.write(str(folder / notes.PREDICTIONS), made(skill, seed))
        (folder / notes.CONFIG).write_text(settings.to_yaml(config))
        notes.write_note(str(folder), notes.TRAINING, {"best_step": 5, "identity": name})
        note = {"step": 5, "sha256": table.fingerprint(str(folder / notes.PREDICTIONS))}
        notes.write_note(str(folder), notes.PREDICTIONS_NOTE, note)
        return str(folder)

    return write
