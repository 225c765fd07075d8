# SPDX-License-Identifier: MIT
"""Runs in 16 bits on two devices and in two processes learn what one in float32 learns.

`CXR14_LONG=1 python -m pytest tests/integration/test_precision.py` takes a quarter of an hour.
"""

import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from cxr14_workers import Cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.distributed,
    pytest.mark.skipif(
        not os.environ.get("CXR14_LONG"),
        reason="five runs until they have learned: CXR14_LONG=1 runs them, in a quarter of an hour",
    ),
]

_EPOCHS = 10
# Strategy -> processes, logical devices in each.
_STRATEGIES = {"one_device": (1, 0), "mirrored": (1, 2), "multi_worker": (2, 0)}

Learned = Callable[[str, str], float]


@pytest.fixture(scope="module")
def learned(
    cluster: Cluster,
    train_flags: Callable[..., list[str]],
    make_data: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Learned:
    """Trains on a strategy with a precision and returns the mean AUC on the test split."""
    data = make_data(patients=160, stored_size=40)

    def train(strategy: str, precision: str) -> float:
        output = tmp_path_factory.mktemp(f"{strategy}-{precision}")
        workers, devices = _STRATEGIES[strategy]
        settings: dict[str, Any] = {
            "model__hidden_units": 32,
            "model__batch_norm": "synchronized",
            "data__global_batch_size": 12,
            # Findings are told apart by their side of the picture.
            "data__flip": "false",
            "optimizer__schedule": "cosine",
            "train__epochs": _EPOCHS,
            "runtime__precision": precision,
            "runtime__strategy": strategy,
            **({"runtime__logical_cpus": devices} if devices else {}),
        }
        flags = ["--mode=all", *train_flags(str(output), data, **settings)]
        job = cluster.job(flags, workers=workers).start()
        assert job.wait(1500) == [0] * workers, job.text()
        return _mean_auc(output, strategy, precision)

    return train


def _mean_auc(output: pathlib.Path, strategy: str, precision: str) -> float:
    training = json.loads((output / "training.json").read_text())
    assert (training["strategy"], training["precision"]) == (strategy, precision)
    report = json.loads((output / "report" / "report.json").read_text())
    return float(report["splits"]["test"]["mean_auc"]["value"])


@pytest.fixture(scope="module")
def float32(learned: Learned) -> float:
    area = learned("one_device", "float32")
    assert area > 0.95, "there is nothing to compare with where nothing is learned"
    return area


@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker"])
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_sixteen_bits_learn_like_float32(
    strategy: str, precision: str, learned: Learned, float32: float
) -> None:
    assert learned(strategy, precision) == pytest.approx(float32, abs=0.02)
