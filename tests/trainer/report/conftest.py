# SPDX-License-Identifier: MIT
"""Predictions for the tests of the report."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainer.predictions.table import Predictions, write

FINDINGS = ("Mass", "Edema", "Hernia")


def made_predictions(
    splits: tuple[str, ...] = ("validation", "test"), rows: int = 240
) -> Predictions:
    """Mass is common, Edema has unknown labels, Hernia no positive in the last split."""
    generator = np.random.default_rng(11)
    count = rows * len(splits)
    labels = (generator.random((count, 3)) < [0.6, 0.3, 0.1]).astype(np.float32)
    labels[::9, 1] = np.nan
    labels[-rows:, 2] = 0
    noise = generator.normal(0, 1, labels.shape)
    scores = 1 / (1 + np.exp(-(np.nan_to_num(labels) + noise)))
    return Predictions(
        ids=np.array([f"{row:08d}_000.png" for row in range(count)]),
        patients=np.array([f"{row // 3:08d}" for row in range(count)]),
        splits=np.repeat(np.array(splits), rows),
        labels=labels,
        scores=scores.astype(np.float32),
        findings=FINDINGS,
    )


@pytest.fixture(scope="session")
def make() -> Callable[..., Predictions]:
    return made_predictions


@pytest.fixture
def predictions_file(tmp_path: Path) -> str:
    path = f"{tmp_path}/predictions.csv"
    write(path, made_predictions())
    return path
