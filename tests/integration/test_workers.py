# SPDX-License-Identifier: MIT
"""One run on one device, on two, and on two and three processes: the same losses and weights.

`CXR14_LONG=1 python -m pytest tests/integration/test_workers.py` compares Adam too.
"""

import math
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cxr14_results import distance, losses, scores, tensors
from cxr14_workers import Cluster

from preprocessing.contract import manifest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.distributed,
    pytest.mark.skipif(
        not os.environ.get("CXR14_LONG"),
        reason="several processes against one: CXR14_LONG=1 runs it, in some eight minutes",
    ),
]

_LONG = bool(os.environ.get("CXR14_LONG"))
_STEPS, _BATCH, _PIXELS = 30, 12, 64

# Name -> processes, logical devices in each.
_STRATEGIES = {"one_device": (1, 0), "mirrored": (1, 2), "two": (2, 0), "three": (3, 0)}
_DISTRIBUTED = [name for name in _STRATEGIES if name != "one_device"]


@pytest.fixture(scope="module")
def epochs(larger_preprocessed: str) -> int:
    """How many epochs are at least 30 steps, of a data set that divides by nothing."""
    splits = manifest.read(larger_preprocessed).splits
    assert splits["train"].examples % _BATCH
    assert splits["validation"].examples % _BATCH or splits["test"].examples % _BATCH
    return math.ceil(_STEPS / (splits["train"].examples // _BATCH))


@pytest.fixture(scope="module")
def finish(
    cluster: Cluster, train_flags: Callable[..., list[str]], larger_preprocessed: str
) -> Callable[[str, str, pathlib.Path, dict[str, Any]], None]:
    """Runs a mode of the trainer on a strategy, to a good end."""

    def run(mode: str, strategy: str, output: pathlib.Path, settings: dict[str, Any]) -> None:
        workers, devices = _STRATEGIES[strategy]
        more = {"runtime__logical_cpus": devices} if devices else {}
        given = train_flags(str(output), larger_preprocessed, **settings, **more)
        flags = [f"--mode={mode}", *given]
        job = cluster.job(flags, workers=workers).start()
        assert job.wait(900) == [0] * workers, job.text()

    return run


@pytest.fixture(scope="module")
def sgd(epochs: int, calm_backbone: str) -> dict[str, Any]:
    """The settings of all runs."""
    return {
        "optimizer__name": "sgd",
        "optimizer__learning_rate": 1e-4,
        "model__weights": calm_backbone,
        "model__batch_norm": "synchronized",
        "data__global_batch_size": _BATCH,
        "data__image_size": _PIXELS,
        "train__epochs": epochs,
        "train__log_every_steps": 1,
    }


@pytest.fixture(scope="module")
def trained(
    finish: Callable[..., None],
    sgd: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, pathlib.Path]:
    """The same run under each strategy, with SGD."""
    folder = tmp_path_factory.mktemp("strategies")
    for name in _STRATEGIES:
        finish("train", name, folder / name, sgd)
    return {name: folder / name for name in _STRATEGIES}


@pytest.mark.parametrize("strategy", _DISTRIBUTED)
def test_the_losses_are_those_of_one_device(
    trained: dict[str, pathlib.Path], strategy: str
) -> None:
    alone, together = losses(trained["one_device"]), losses(trained[strategy])
    assert alone.keys() == together.keys()
    assert len(alone) >= _STEPS
    assert len(set(alone.values())) > _STEPS / 2
    for step, loss in alone.items():
        assert together[step] == pytest.approx(loss, rel=1e-5), step


@pytest.mark.parametrize("strategy", _DISTRIBUTED)
def test_the_weights_are_those_of_one_device(
    trained: dict[str, pathlib.Path], strategy: str
) -> None:
    alone, together = tensors(trained["one_device"]), tensors(trained[strategy])
    assert len(alone) > 300
    furthest, where = distance(alone, together)
    assert furthest <= 1e-5, where


@pytest.fixture(scope="module")
def scored(
    trained: dict[str, pathlib.Path], finish: Callable[..., None], sgd: dict[str, Any]
) -> dict[str, tuple[list[str], np.ndarray]]:
    """Ids and scores that each strategy writes for one set of weights."""
    found = {}
    for name in _STRATEGIES:
        if name == "two" and not _LONG:
            continue
        output = trained[name].with_name(f"scored-{name}")
        shutil.copytree(trained["one_device"], output)
        finish("evaluate", name, output, sgd)
        found[name] = scores(output)
    return found


def test_every_image_is_scored_exactly_once(
    scored: dict[str, tuple[list[str], np.ndarray]], larger_preprocessed: str
) -> None:
    splits = manifest.read(larger_preprocessed).splits
    expected = splits["validation"].examples + splits["test"].examples
    first = scored["one_device"][0]
    for name, (ids, _) in scored.items():
        assert len(ids) == len(set(ids)) == expected, name
        assert ids == first, name


def test_the_scores_are_those_of_one_device(
    scored: dict[str, tuple[list[str], np.ndarray]],
) -> None:
    alone = scored["one_device"][1]
    assert alone.std() > 1e-4
    for name, (_, together) in scored.items():
        np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.skipif(not _LONG, reason="CXR14_LONG=1 compares Adam too")
def test_adam_takes_the_same_way(
    finish: Callable[..., None], sgd: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    # Each parameter whose gradient is only rounding noise walks by the rate at every step.
    adam = {**sgd, "optimizer__name": "adam", "optimizer__learning_rate": 2e-5}
    curves = {}
    for name in ("one_device", "mirrored", "two"):
        finish("train", name, tmp_path / name, adam)
        curves[name] = losses(tmp_path / name)
    for name in ("mirrored", "two"):
        assert curves[name].keys() == curves["one_device"].keys()
        for step, loss in curves["one_device"].items():
            assert curves[name][step] == pytest.approx(loss, rel=1e-3), (name, step)


def test_workers_with_unequal_settings_are_turned_away(
    cluster: Cluster, train_flags: Callable[..., list[str]], tmp_path: pathlib.Path
) -> None:
    flags = [
        [
            "--mode=train",
            *train_flags(
                str(tmp_path / "out"), optimizer__learning_rate=rate, runtime__formation_seconds=30
            ),
        ]
        for rate in (1e-3, 1e-2)
    ]
    job = cluster.job(flags, workers=2).start()
    # The second may find the settings of the first in the folder, or hear of them from it.
    assert 78 in job.wait(200), job.text()
    assert set(job.codes) <= {75, 78}, job.text()
    assert "learning_rate" in job.text() or "settings, data or folder of process 1" in job.text()
