# SPDX-License-Identifier: MIT
"""Lowers the training step by XLA and, in bfloat16, runs it; prints what came out as JSON.

A program of its own because XLA refuses where operations are deterministic, as in other tests.
"""

import itertools
import json
import sys
import tempfile
import warnings

import keras
import tensorflow as tf
from conftest import small_config, write_data_set

from trainer.data import dataset
from trainer.network import model
from trainer.training import optimizer
from trainer.training.optimizer import LossScale
from trainer.training.step import Step
from trainer.training.steps import make_steps


def main(kind: str) -> None:
    """Prints one line of JSON."""
    keras.config.set_dtype_policy(kind)
    config = small_config()
    config.runtime.precision, config.runtime.xla = kind, True
    strategy = tf.distribute.OneDeviceStrategy("/CPU:0")
    made = model.build(config.model, image_size=32, findings=3, strategy=strategy)
    with strategy.scope():
        adam = optimizer.build(config.optimizer)
        adam.build(made.network.trainable_variables)
    step = Step(strategy, made, adam, config)
    with tempfile.TemporaryDirectory() as folder:
        data = write_data_set(folder)
        batches = iter(
            dataset.train_batches(
                strategy,
                folder=data.folder,
                manifest=data.manifest,
                config=config.data,
                seed=0,
                start_step=0,
            )
        )
        (batch,) = itertools.islice(batches, 1)
        zero = tf.constant(0, tf.int64)
        given = (batch, zero, tf.constant(0.001), tf.constant(1.0))
        lowered = step.compiled.experimental_get_compiler_ir(*given)
        with warnings.catch_warnings():
            # Of the device's name, which TensorFlow 2.20 would otherwise draw at random.
            warnings.simplefilter("ignore")
            found = {"hlo": lowered(stage="hlo", device_name="/device:CPU:0")}
        if kind == "mixed_bfloat16":
            schedule = optimizer.Schedule(config.optimizer, 100)
            steps = make_steps(step, schedule)
            scale = LossScale(tf.constant(1.0), zero, zero)
            measured = steps(
                batches, zero, tf.constant(2), tf.constant(1.0), scale, tf.constant([0.0, 0.0])
            )
            found["losses"] = measured.loss.numpy().tolist()
            found["iterations"] = int(adam.iterations.numpy())
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
