# SPDX-License-Identifier: MIT
"""Says what is wrong with a search for better settings before it is paid for."""

import difflib
import functools
from collections.abc import Iterator
from typing import Any

from preprocessing.contract.settings import declaration
from trainer import flags
from trainer.config import Config
from trainer.launch.description.arguments import ArgumentValue, text, value_of
from trainer.launch.description.job import Job
from trainer.launch.description.tuning import Parameter, Tuning

_SCALES = ("linear", "log", "reverse_log")


@functools.cache
def _defaults() -> dict[str, Any]:
    return {name: value for name, _, value in declaration.walk(Config())}


def kind_of(name: str) -> type:
    """Returns the type of a setting of the trainer: float, int, bool or str."""
    return type(_defaults()[name])


def tried(name: str, parameter: Parameter) -> list[ArgumentValue]:
    """Returns a few values of a setting: if any value is wrong, one of these is."""
    if parameter.values is not None:
        return parameter.values
    assert parameter.min is not None and parameter.max is not None
    if kind_of(name) is float:
        return [parameter.min, parameter.max]
    least, greatest = round(parameter.min), round(parameter.max)
    return sorted({least, least + 1, greatest})  # of neighbours one is odd


def problems(job: Job, tuning: Tuning) -> Iterator[str]:
    """Yields what is wrong with the section, each time the key in the job file first."""
    if not tuning.parameters:
        yield "tune.parameters is empty: name at least one setting"
    if tuning.parallel_trials > tuning.trials:
        yield (
            f"tune.parallel_trials is {tuning.parallel_trials}, more than the "
            f"{tuning.trials} of tune.trials: lower it"
        )
    if (mode := value_of("mode", job.args) or "all") not in ("train", "all"):
        yield f"args.mode is {mode}, but only training is tuned: use train or all"
    for name, parameter in tuning.parameters.items():
        if problem := _name_problem(name) or _problem(name, parameter, tuning.algorithm):
            yield f"tune.parameters.{name} {problem}"


def _name_problem(name: str) -> str:
    known = _defaults()
    if name not in known:
        near = difflib.get_close_matches(name.removeprefix("config."), known, n=1)
        return f"is not a setting of the trainer: {f'use {near[0]}' if near else 'see its --help'}"
    return "holds a path, which cannot be tuned" if name in flags.PATH_SETTINGS else ""


def _problem(name: str, parameter: Parameter, algorithm: str) -> str:
    kind, ends = kind_of(name), (parameter.min, parameter.max)
    if (parameter.values is None) == (ends == (None, None)):
        return "needs either min and max or values"
    if parameter.scale not in (None, *_SCALES):
        return f"has the scale {parameter.scale!r}: use {', '.join(_SCALES)}"
    if parameter.values is not None:
        values = [_spelled(kind, value) for value in parameter.values]
        if len(set(values)) < 2:
            return "has fewer than two values: name several, or set it in args"
        if twice := [value for value in values if values.count(value) > 1]:
            return f"has the value {twice[0]} twice: name it once"
        if parameter.scale is not None and kind is not float:
            return "has values that are taken as words, which have no scale: leave it out"
        return ""
    return _range_problem(kind, parameter, algorithm)


def _spelled(kind: type, value: ArgumentValue) -> str:
    """Returns a value so that the same value is the same text."""
    try:
        return str(float(value)) if kind is float else text(value)
    except ValueError:
        return text(value)  # what the trainer would refuse


def _range_problem(kind: type, parameter: Parameter, algorithm: str) -> str:
    least, greatest = parameter.min, parameter.max
    if kind not in (int, float):
        return "is not a number: give values, not min and max"
    if least is None or greatest is None or not least < greatest:
        return f"has the range {least} to {greatest}: min must be given and be less than max"
    if kind is int and (least % 1 or greatest % 1):
        return f"is a whole number, but has the range {least} to {greatest}"
    if kind is float and algorithm == "grid":
        return "cannot be tried on a grid over a range: give values, or use another algorithm"
    if parameter.scale in ("log", "reverse_log") and least <= 0:
        return f"has a logarithmic scale, but min is {least}: it must be more than 0"
    return ""
