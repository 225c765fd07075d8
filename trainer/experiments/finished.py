# SPDX-License-Identifier: MIT
"""Reads runs that are to be compared: their predictions, and the settings that they were made with.

A run may also be a predictions file alone, of anybody's model. Imports no TensorFlow.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.settings import settings
from trainer.predictions import table
from trainer.predictions.table import Predictions
from trainer.report import series
from trainer.runfolder import identity, notes

_FILES = (".csv", ".npz", ".parquet")
_AGAIN = "run its command again until it ends, or leave it out of --runs"
# Settings that a run may change on its way and that decide what its predictions are.
_DECIDE = identity.FIRST_START | {
    *("train.epochs", "train.patience_epochs", "optimizer.restart_rate", "evaluation.views"),
}


@dataclasses.dataclass(frozen=True)
class Finished:
    """A run that has come to its end, or predictions of which nothing else is known.

    Attributes:
        name: last part of the path; the whole path where another run has the same.
        path: as given.
        predictions: of all its splits.
        settings: that decide the predictions, by name, with `data`, which names the data set; empty
            if they are not known.
        averaged: how many runs the scores are the mean of, where the folder is that of a series.
    """

    name: str
    path: str
    predictions: Predictions
    settings: dict[str, Any]
    averaged: int = 1

    @property
    def recipe(self) -> str:
        """What runs have in common that differ in the seed alone."""
        known = {name: value for name, value in self.settings.items() if name != "seed"}
        return repr(sorted(known.items())) if known else self.path


def read(paths: Sequence[str]) -> list[Finished]:
    """Reads runs, in their order.

    Args:
        paths: folders of runs, or predictions files; local or gs://.

    Raises:
        DataError: a run is missing or not finished, or its predictions cannot be used.
        ConfigError: a run's settings are not of this version.
    """
    names = [storage.basename(path) for path in paths]
    return [
        Finished(
            name=name if names.count(name) == 1 else path,
            path=path,
            predictions=table.read(path if path.endswith(_FILES) else _checked(path)),
            settings={} if path.endswith(_FILES) else _settings(path),
            averaged=_averaged(path.removesuffix(f"/{notes.PREDICTIONS}")),
        )
        for name, path in zip(names, paths, strict=True)
    ]


def varied(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """Returns the settings of each run that are not the same in all runs; empty if not known."""
    known = [run.settings for run in runs if run.settings]
    names = sorted({name for each in known for name in each})
    differ = [name for name in names if any(each[name] != known[0][name] for each in known)]
    return [{name: run.settings[name] for name in differ} if run.settings else {} for run in runs]


def series_of(path: str) -> dict[str, Any]:
    """Returns what the report in a folder says of the series that it is on; empty for none."""
    context = notes.read_note(path, notes.REPORT).get("context")
    facts = context.get(series.KEY) if isinstance(context, dict) else None
    return facts if isinstance(facts, dict) else {}


def _averaged(path: str) -> int:
    runs = {} if path.endswith(_FILES) else series_of(path).get("runs")
    return max(1, len(runs)) if isinstance(runs, dict) else 1


def _checked(path: str) -> str:
    """Returns the predictions file of a run that has come to its end."""
    file = storage.join(path, notes.PREDICTIONS)
    training, begun = notes.read_note(path, notes.TRAINING), notes.is_begun(path)
    there = storage.exists(file)
    if not there and not begun:
        raise DataError(f"{path} holds no run and no {notes.PREDICTIONS}: name another in --runs")
    scored = notes.read_note(path, notes.PREDICTIONS_NOTE).get("step")
    # What was copied without its notes is taken as it is.
    if not there or (begun and not training) or training.get("best_step", scored) != scored:
        raise DataError(f"{path} is not finished (its best network is not scored): {_AGAIN}")
    if notes.predictions_changed(path):
        raise DataError(f"{file} is not what the evaluation of this run wrote: {_AGAIN}")
    return file


def _settings(path: str) -> dict[str, Any]:
    config = notes.scored_with(path)
    if config is None:
        return {}
    flat = settings.flat(config)
    ignored = identity.FREE - _DECIDE
    kept = {name: value for name, value in flat.items() if name not in ignored}
    return kept | {"data": notes.data_of(path)[:12]}
