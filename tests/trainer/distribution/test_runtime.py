# SPDX-License-Identifier: MIT
"""Tests of the choice of devices (a table) and of connecting to them."""

import json
import pathlib
import random
from typing import Any

import pytest
from cxr14_workers import Job, Ports, on_loopback

from preprocessing.contract.errors import ConfigError
from trainer.config import RuntimeConfig
from trainer.distribution import runtime
from trainer.distribution.runtime import Topology


def tf_config(
    cluster: dict[str, list[str]], kind: str | None = None, index: int = 0, **more: Any
) -> dict[str, str]:
    values: dict[str, Any] = {"cluster": cluster, **more}
    if kind is not None:
        values["task"] = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps(values)}


CHIEF = {"chief": ["c:1"], "worker": ["a:1", "b:1"]}
WORKERS = {"worker": ["a:1", "b:1"]}
ONE = Topology("one_device")
MIRRORED = Topology("mirrored")


def of_workers(worker: int, workers: int = 2) -> Topology:
    return Topology("multi_worker", workers=workers, worker=worker)


@pytest.mark.parametrize(
    ("settings", "environ", "gpus", "expected"),
    [
        ({}, {}, 0, ONE),
        ({}, {}, 1, ONE),
        ({}, {}, 8, MIRRORED),
        ({"logical_cpus": 2}, {}, 0, MIRRORED),
        ({"logical_cpus": 1}, {}, 0, ONE),
        ({"logical_cpus": 2}, {}, 1, ONE),
        ({"strategy": "one_device"}, {}, 8, ONE),
        ({"strategy": "mirrored"}, {}, 1, MIRRORED),
        ({"strategy": "mirrored", "logical_cpus": 2}, {}, 0, MIRRORED),
        ({"accelerator": "gpu"}, {}, 1, ONE),
        ({"tpu": "local"}, {}, 0, Topology("tpu", tpu="local")),
        ({"strategy": "tpu", "tpu": "node-1"}, {}, 0, Topology("tpu", tpu="node-1")),
        ({}, {"TPU_NAME": "node-2"}, 0, Topology("tpu", tpu="node-2")),
        ({"tpu": "local"}, tf_config(WORKERS, "worker", 1), 0, Topology("tpu", tpu="local")),
        ({"strategy": "one_device", "tpu": "local"}, {}, 0, ONE),
        ({"xla": True}, {}, 1, ONE),
        ({}, {"TF_CONFIG": ""}, 8, MIRRORED),
        ({}, tf_config({"worker": ["a:1"]}, "worker"), 0, ONE),
        ({}, tf_config({"chief": ["a:1"]}, "chief"), 8, MIRRORED),
        ({}, tf_config({}, "worker"), 0, ONE),
        ({}, tf_config(WORKERS, "worker", 0), 0, of_workers(0)),
        ({}, tf_config(WORKERS, "worker", 1), 8, of_workers(1)),
        ({}, tf_config(CHIEF, "chief", 0), 1, of_workers(0, 3)),
        ({}, tf_config(CHIEF, "worker", 0), 1, of_workers(1, 3)),
        ({}, tf_config(CHIEF, "worker", 1), 1, of_workers(2, 3)),
        ({}, tf_config({"master": ["c:1"], "worker": ["a:1"]}, "master"), 1, of_workers(0)),
        ({}, tf_config({"chief": ["c:1"], **WORKERS}, "chief", job="x"), 1, of_workers(0, 3)),
        ({}, tf_config({**WORKERS, "evaluator": ["e:1"]}, "worker", 1), 1, of_workers(1)),
        ({"strategy": "multi_worker"}, tf_config(WORKERS, "worker", 1), 0, of_workers(1)),
    ],
)
def test_the_topology_follows_from_settings_and_surroundings(
    settings: dict[str, Any], environ: dict[str, str], gpus: int, expected: Topology
) -> None:
    assert runtime.choose(RuntimeConfig(**settings), environ, gpus) == expected


@pytest.mark.parametrize(
    ("settings", "environ", "words"),
    [
        ({"accelerator": "gpu"}, {}, "TensorFlow sees none"),
        ({"accelerator": "gpu", "strategy": "one_device"}, {}, "TensorFlow sees none"),
        ({"strategy": "mirrored"}, {}, "sees no GPU"),
        ({"strategy": "mirrored", "logical_cpus": 1}, {}, "logical_cpus=2"),
        ({"strategy": "tpu"}, {}, "set runtime.tpu"),
        ({"strategy": "multi_worker"}, {}, "fewer than two tasks"),
        (
            {"strategy": "multi_worker"},
            tf_config({"worker": ["a:1"]}, "worker"),
            "fewer than two tasks",
        ),
        ({"strategy": "one_device"}, tf_config(WORKERS, "worker"), "use multi_worker or auto"),
        ({"strategy": "mirrored"}, tf_config(CHIEF, "chief"), "names 3 processes"),
        ({"xla": True}, tf_config(WORKERS, "worker"), "runtime.xla works on one device"),
        ({"xla": True, "deterministic": True}, {}, "exclude each other"),
        ({"xla": True, "logical_cpus": 2}, {}, "not with strategy mirrored"),
        ({}, {"TF_CONFIG": "{"}, "TF_CONFIG is not"),
        ({}, {"TF_CONFIG": "[1, 2]"}, "TF_CONFIG is not"),
        ({}, {"TF_CONFIG": '{"cluster": {"worker": 3}}'}, "TF_CONFIG gives worker 3: "),
        ({}, tf_config(WORKERS, "worker", "one"), "the index 'one', which"),  # type: ignore[arg-type]
        ({}, tf_config({**WORKERS, "evaluator": ["e:1"]}, "evaluator"), "does not train"),
        ({}, tf_config(WORKERS, "worker", 2), "worker 2, which does not train"),
        ({}, tf_config(CHIEF, "ps"), "does not train"),
    ],
)
def test_what_is_not_here_is_refused_in_one_line(
    settings: dict[str, Any], environ: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        runtime.choose(RuntimeConfig(**settings), environ, gpus=0)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_device_is_one_replica_and_chief(one_device: runtime.Runtime) -> None:
    assert one_device.topology == ONE
    assert (one_device.replicas, one_device.is_chief) == (1, True)


def test_the_seed_decides_initial_weights(one_device: runtime.Runtime) -> None:
    import keras

    def weights(seed: int) -> list[float]:
        runtime.connect(RuntimeConfig(), {}, seed=seed)
        layer = keras.layers.Dense(3)
        layer.build([None, 2])
        return layer.kernel.numpy().ravel().tolist()

    state = random.getstate()
    assert weights(1) == weights(1) != weights(2)
    random.setstate(state)


def test_connecting_sets_the_precision(one_device: runtime.Runtime, precision: Any) -> None:
    import keras

    running = runtime.connect(RuntimeConfig(precision="mixed_bfloat16"), {}, seed=0)
    assert running.precision == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    runtime.connect(RuntimeConfig(), {}, seed=0)
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.distributed
@pytest.mark.slow
def test_two_logical_cpus_are_two_mirrored_replicas(two_devices: dict[str, Any]) -> None:
    assert (two_devices["strategy"], two_devices["replicas"]) == ("mirrored", 2)


@pytest.mark.distributed
def test_two_processes_reduce_with_the_same_keys_in_every_call(tmp_path: pathlib.Path) -> None:
    """TensorFlow never forgets a key: with new ones in every call, memory would grow for ever."""
    ports = Ports(2)
    job = Job(
        [],
        folder=tmp_path,
        places=on_loopback(ports.numbers),
        module="tests.trainer.on_two_processes",
    ).start()
    try:
        assert job.wait(180) == [0, 0], job.text()
    finally:
        job.stop()
        ports.release()
    for worker in (0, 1):
        found = json.loads(job.text(worker).splitlines()[-1])
        assert found["sums"] == [27.0 * call + 9.0 for call in range(len(found["sums"]))]
        assert len(set(found["drawn"])) == 1 and found["drawn"][0] > 0
