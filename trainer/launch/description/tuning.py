# SPDX-License-Identifier: MIT
"""The section `tune` of a job file: which settings of the trainer Vertex AI tries values for."""

import dataclasses

from preprocessing.contract.settings.declaration import FREE, REQUIRED, setting
from trainer.launch.description.arguments import ArgumentValue


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter:
    """The values of one setting: from `min` to `max`, or one of `values`."""

    min: float | None = None
    """Least value of a setting that is a number."""
    max: float | None = None
    """Greatest value."""
    scale: str | None = None
    """linear; log, of which small values are tried as often as great ones; or reverse_log."""
    values: list[ArgumentValue] | None = None
    """The only values, in the place of a range."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tuning:
    """A search for better settings on Vertex AI: `--stage=tune`."""

    parameters: dict[str, Parameter] = setting(REQUIRED, FREE)
    """Setting of the trainer, such as optimizer.learning_rate -> min and max and scale (linear, log
    or reverse_log), or values. Each trial is a run with values of its own, in the folder of its
    number below `output`."""
    trials: int = setting(20, FREE, ge=1, le=1000, unit="trials")
    """How many runs there are, each for at most `timeout_hours`."""
    parallel_trials: int = setting(2, FREE, ge=1, le=100, unit="trials")
    """How many run at a time; fewer learn more from those before."""
    failed_trials: int = setting(0, FREE, ge=0, le=1000, unit="trials")
    """After how many failed runs the search is given up; 0 leaves it to Vertex AI."""
    algorithm: str = setting("bayesian", FREE, choices=("bayesian", "random", "grid"))
    """How the next values are chosen; grid tries all, and needs `values` or whole numbers."""
    measurement: str = setting("best", FREE, choices=("best", "last"))
    """Which validation of a run counts; the best, since its best network is what a run keeps."""
    early_stopping: str = setting("none", FREE, choices=("none", "median", "decay_curve"))
    """Which rule ends runs that do worse than the others did."""
