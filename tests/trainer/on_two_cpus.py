# SPDX-License-Identifier: MIT
"""Trains and scores on two logical CPUs and on one device, and prints what came out as JSON.

A program of its own because TensorFlow's devices are set once in a process.
"""

import itertools
import json
import sys
import tempfile
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from conftest import DataSet, small_config, tiny_model, write_data_set

from trainer import dataset, loop, optimizer, runtime
from trainer.config import RuntimeConfig
from trainer.evaluation.predict import Scorer
from trainer.runtime import Runtime

STEPS = 9


def train(running: Runtime, data: DataSet, precision: str) -> tuple[list[float], Any]:
    """Returns the losses of some steps, and the network."""
    config = small_config()
    keras.config.set_dtype_policy(precision)
    with running.strategy.scope():
        model = tiny_model()
        schedule = optimizer.Schedule(config.optimizer, STEPS)
        adam = optimizer.build(schedule, epsilon=1e-7, precision=precision)
        adam.build(model.network.trainable_variables)
    batches = dataset.train_batches(
        running.strategy,
        folder=data.folder,
        manifest=data.manifest,
        config=config.data,
        seed=0,
        start_step=0,
    )
    steps = loop.make_train_steps(running.strategy, model, adam, config)
    losses = steps(iter(batches), tf.constant(0, tf.int64), tf.constant(STEPS))
    return [float(loss) for loss in losses], model.network


def score(running: Runtime, network: keras.Model, data: DataSet) -> list[list[float]]:
    """Returns the scores of the validation split, whose last batch is not full."""
    scorer = Scorer(
        running,
        network,
        folder=data.folder,
        manifest=data.manifest,
        data=small_config().data,
        global_batch=4,
    )
    return scorer.score("validation").tolist()


def indices(running: Runtime, data: DataSet, split: str, batch: int) -> list[int]:
    """Returns the indices of evaluation, over all replicas, in the order they come."""
    batches = dataset.evaluation_batches(
        running.strategy,
        folder=data.folder,
        manifest=data.manifest,
        split=split,
        global_batch=batch,
    )
    per_batch = [running.strategy.experimental_local_results(part["index"]) for part in batches]
    return np.concatenate(list(itertools.chain(*per_batch))).tolist()


def main() -> None:
    """Prints one line of JSON."""
    settings = RuntimeConfig(logical_cpus=2)
    two = runtime.connect(settings, {}, seed=0)
    one = Runtime(
        topology=runtime.Topology("one_device"),
        strategy=tf.distribute.OneDeviceStrategy("/CPU:0"),
        precision="float32",
    )
    with tempfile.TemporaryDirectory() as folder:
        data = write_data_set(folder)
        losses, trained = train(two, data, "float32")
        single, alone = train(one, data, "float32")
        half, _ = train(two, data, "mixed_float16")
        alone.set_weights(trained.get_weights())
        result = {
            "strategy": two.topology.strategy,
            "replicas": two.replicas,
            "losses": {"two": losses, "one": single, "mixed_float16": half},
            "scores": {"two": score(two, trained, data), "one": score(one, alone, data)},
            "indices": {split: indices(two, data, split, 6) for split in data.manifest.splits},
        }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
