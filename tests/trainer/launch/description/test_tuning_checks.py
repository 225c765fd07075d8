# SPDX-License-Identifier: MIT
"""A search that cannot work is refused before its first trial is paid for."""

from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from trainer.launch.description import job_file as reader

RATE = {"optimizer.learning_rate": {"min": 1e-5, "max": 1e-2, "scale": "log"}}


def section(name: str, **parameter: Any) -> dict[str, Any]:
    return {"parameters": {name: parameter}}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no parameters": ({}, 'missing value for field "tune.parameters"'),
    "empty": ({"parameters": {}}, "tune.parameters is empty"),
    "no trials": ({"parameters": RATE, "trials": 0}, "tune.trials is 0"),
    "more at a time than at all": (
        {"parameters": RATE, "trials": 2, "parallel_trials": 3},
        "tune.parallel_trials is 3, more than the 2 of tune.trials",
    ),
    "algorithm": ({"parameters": RATE, "algorithm": "tpe"}, "tune.algorithm is 'tpe': use one of"),
    "misspelt key": (
        section("model.dropout", mni=0, max=1),
        "key tune.parameters.model.dropout.mni",
    ),
    "unknown setting": (section("optimizer.rate", min=1, max=2), "is not a setting of the trainer"),
    "with its prefix": (
        section("config.optimizer.learning_rate", min=1, max=2),
        "use optimizer.learning_rate",
    ),
    "path": (section("model.weights", values=["a", "b"]), "holds a path"),
    "nothing to try": (section("model.dropout"), "needs either min and max or values"),
    "two ways": (section("model.dropout", min=0, max=0.5, values=[0, 1]), "needs either"),
    "half a range": (section("model.dropout", max=0.5), "min must be given and be less than max"),
    "range upside down": (section("model.dropout", min=0.5, max=0.1), "the range 0.5 to 0.1"),
    "range of words": (section("optimizer.name", min=0, max=1), "is not a number: give values"),
    "range of a truth value": (section("data.flip", min=0, max=1), "is not a number: give values"),
    "half epochs": (
        section("train.epochs", min=0.5, max=3),
        "is a whole number, but has the range",
    ),
    "one value": (section("optimizer.name", values=["sgd", "sgd"]), "fewer than two values"),
    "one value in two ways": (
        section("data.global_batch_size", values=[64, "64"]),
        "fewer than two values",
    ),
    "a value twice": (
        section("model.dropout", values=["0.1", 0.10, 0.3]),
        "has the value 0.1 twice: name it once",
    ),
    "scale": (section("model.dropout", min=0, max=0.5, scale="exp"), "has the scale 'exp'"),
    "scale of words": (
        section("data.global_batch_size", values=[32, 64], scale="log"),
        "taken as words, which have no scale",
    ),
    "logarithm of nothing": (section("model.dropout", min=0, max=0.5, scale="log"), "but min is 0"),
    "grid of real numbers": (
        {**section("model.dropout", min=0, max=0.5), "algorithm": "grid"},
        "cannot be tried on a grid over a range",
    ),
    "out of range": (section("model.dropout", min=0, max=2), "may be 2.0, but the trainer says"),
    "no such word": (section("optimizer.name", values=["adam", "lion"]), "may be lion, but"),
    "no number": (section("model.dropout", values=[0.1, "much"]), "may be much, but the trainer"),
    "batch that does not divide": (
        section("data.global_batch_size", values=[32, 33]),
        "may be 33, but the trainer says: data.global_batch_size 33 does not divide over 2",
    ),
    "batches of any size": (section("data.global_batch_size", min=32, max=64), "may be 33, but"),
}


@pytest.mark.parametrize(("values", "named"), BAD.values(), ids=BAD.keys())
def test_a_search_that_cannot_work_is_named(
    job_file: Callable[..., str], values: dict[str, Any], named: str
) -> None:
    path = job_file(tune=values)
    with pytest.raises(ConfigError) as caught:
        reader.load(path)
    assert named in str(caught.value)
    assert str(caught.value).startswith(f"{path}, line ") and "\n" not in str(caught.value)


def test_a_run_that_does_not_train_is_not_tuned(job_file: Callable[..., str]) -> None:
    path = job_file(args={"mode": "evaluate", "data": "gs://b-1/d"}, tune={"parameters": RATE})
    with pytest.raises(ConfigError, match="args.mode is evaluate, but only training is tuned"):
        reader.load(path)


def test_the_line_is_that_of_the_parameter(
    job_file: Callable[..., str],
) -> None:
    path = job_file(tune={"parameters": {**RATE, "model.dropout": {"min": 0.5, "max": 0.1}}})
    with open(path, encoding="utf-8") as file:
        line = 1 + file.read().splitlines().index("    model.dropout:")
    with pytest.raises(ConfigError, match=f"line {line}: tune.parameters.model.dropout has"):
        reader.load(path)


@pytest.mark.parametrize(
    "values",
    [
        {"parameters": RATE},
        {"parameters": {**RATE, "model.dropout": {"values": [0, 0.3, "0.5"]}}, "trials": 2},
        {**section("data.global_batch_size", values=[32, 64]), "algorithm": "grid"},
        {**section("train.epochs", min=1, max=4), "algorithm": "grid"},
        section("data.flip", values=[True, False]),
        section("optimizer.name", values=["adam", "sgd"]),
        section("model.dropout", min="0", max="5e-1", scale="linear"),
    ],
)
def test_a_search_that_can_work_passes(
    job_file: Callable[..., str], values: dict[str, Any]
) -> None:
    assert reader.load(job_file(tune=values)).tune is not None
