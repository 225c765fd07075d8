# SPDX-License-Identifier: MIT
"""Trains and scores on two devices and on one: `PROGRAM cpu|gpu` prints what came out as JSON.

A program of its own because TensorFlow's devices are set once in a process.
"""

import dataclasses
import itertools
import json
import sys
import tempfile
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from conftest import DataSet, small_config, tiny_model, write_data_set

from trainer.config import Config, RuntimeConfig
from trainer.data import dataset
from trainer.data.teacher import Teacher
from trainer.distribution import runtime
from trainer.distribution.runtime import Runtime
from trainer.network import batch_norm
from trainer.network.model import Model
from trainer.network.scorer import Scorer
from trainer.training import optimizer
from trainer.training.optimizer import LossScale
from trainer.training.step import Step
from trainer.training.steps import make_steps

STEPS = 9

# What a run may be told, by the name under which its figures are printed; "__" for the dot.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulated": {"train__accumulation_steps": 2},
    "averaged": {"optimizer__ema_decay": 0.9},
    "clipped": {"optimizer__clip_norm": 0.05, "optimizer__name": "sgd"},
    "grouped": {
        "optimizer__name": "adamw",
        "optimizer__weight_decay": 1.0,
        "optimizer__backbone_factor": 0.3,
    },
    "normalised": {"model__batch_norm": "synchronized"},
    "per_replica": {"model__batch_norm": "per_replica"},
    "half_known": {},
    "taught": {"loss__name": "asymmetric", "loss__label_smoothing": 0.1},
    "mixed_float16": {"runtime__precision": "mixed_float16"},
    "overflowing": {
        "runtime__precision": "mixed_float16",
        "optimizer__loss_scale": 2.0**21,
    },
}


def settings_of(kind: str) -> Config:
    """Returns the small settings with those of a kind."""
    config = small_config()
    config.optimizer.clip_norm = config.optimizer.ema_decay = 0.0
    for name, value in KINDS.get(kind, {}).items():
        section, _, setting = name.partition("__")
        setattr(getattr(config, section), setting, value)
    return config


def normalised_model(synchronized: bool) -> Model:
    """Returns the tiny network with batch normalisation before its last layer."""
    tiny = tiny_model(dropout=0.0)
    layer = keras.layers.BatchNormalization(name="statistics")
    plain = keras.Model(tiny.features.inputs, layer(tiny.features.output))
    features = batch_norm.replace_in(plain, momentum=0.9, synchronized=synchronized)
    features.set_weights(plain.get_weights())
    network = keras.Model(features.inputs, tiny.head(features.output))
    return Model(network=network, features=features, head=tiny.head, backbone=features, dropout=0.0)


def make(kind: str, config: Config) -> Model:
    """Returns the network of a kind."""
    if "model__batch_norm" in KINDS.get(kind, {}):
        return normalised_model(config.model.batch_norm == "synchronized")
    return tiny_model()


def train(running: Runtime, data: DataSet, kind: str) -> tuple[dict[str, Any], keras.Model]:
    """Returns the figures of some steps, and the network."""
    config = settings_of(kind)
    keras.config.set_dtype_policy(config.runtime.precision)
    with running.strategy.scope():
        model = make(kind, config)
        average = make(kind, config).network if config.optimizer.ema_decay else None
        chosen = optimizer.build(config.optimizer)
        chosen.build(model.network.trainable_variables)
    if average is not None:
        average.set_weights(model.network.get_weights())
    makers = {"half_known": half_known, "taught": taught_batches}
    batches = makers.get(kind, all_batches)(running, data, config)
    step = Step(running.strategy, model, chosen, config, average=average)
    schedule = optimizer.Schedule(config.optimizer, STEPS)
    steps = make_steps(step, schedule)
    zero = tf.constant(0, tf.int64)
    measured = steps(
        iter(batches),
        zero,
        tf.constant(STEPS),
        tf.constant(1.0),
        LossScale(tf.constant(config.optimizer.loss_scale), zero, zero),
        tf.constant([0.0, 0.0]),
    )
    keras.config.set_dtype_policy("float32")
    figures = {
        "losses": measured.loss,
        "norms": tf.where(tf.math.is_finite(measured.norms), measured.norms, -1.0),
        "each": measured.losses,
        "weights": model.network.get_weights()[0],
        "average": [] if average is None else average.get_weights()[0],
        "scale": measured.scale.value,
        "skipped": measured.scale.skipped,
        "iterations": chosen.iterations,
        "moving": moving_of(running, model.network),
        "apart": apart(running, [*model.network.variables, *chosen.variables]),
    }
    return {name: np.asarray(value).tolist() for name, value in figures.items()}, model.network


def moving_of(running: Runtime, network: keras.Model) -> list[list[float]]:
    """Returns what each replica remembers as the mean of the batches."""
    found = [one for one in network.variables if one.path.endswith("statistics/moving_mean")]
    return [
        part.numpy().tolist()
        for one in found
        for part in running.strategy.experimental_local_results(one.value)
    ]


def normalised_far_from_zero(running: Runtime) -> dict[str, Any]:
    """Returns what a layer makes of values with a large mean, and the gradient of a sum of it."""
    generator = np.random.default_rng(4)
    values = 1000 + generator.normal(size=(12, 3)) / 10
    values[6:] += 0.3  # the second device's share
    factors = generator.normal(size=(12, 3))
    replicas = running.replicas
    with running.strategy.scope():
        layer = batch_norm.BatchNormalization(synchronized=True, momentum=0.0)
        layer.build((None, 3))

    def share(array: np.ndarray) -> Any:
        parts = np.split(array.astype(np.float32), replicas)
        return running.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    def replica(own: tf.Tensor, by: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(own)
            out = layer(own, training=True)
            total = tf.reduce_sum(out * by)
        return out, tape.gradient(total, own)

    run = tf.function(lambda own, by: running.strategy.run(replica, args=(own, by)))
    out, gradient = (
        np.concatenate([part.numpy() for part in running.strategy.experimental_local_results(both)])
        for both in run(share(values), share(factors))
    )
    return {
        "values": values.astype(np.float32).tolist(),
        "factors": factors.tolist(),
        "out": out.tolist(),
        "gradient": gradient.tolist(),
        "variance": layer.moving_variance.numpy().tolist(),
    }


def apart(running: Runtime, variables: list[keras.Variable]) -> float:
    """Returns by how much the variables of replicas differ at most."""
    found = 0.0
    for variable in variables:
        first, *others = running.strategy.experimental_local_results(variable.value)
        for other in others:
            found = max(found, float(np.abs(first.numpy() - other.numpy()).max()))
    return found


def all_batches(
    running: Runtime, data: DataSet, config: Config, teacher: Teacher | None = None
) -> Any:
    """Returns the stream of training batches."""
    return dataset.train_batches(
        running.strategy,
        folder=data.folder,
        manifest=data.manifest,
        config=config.data,
        seed=0,
        start_step=0,
        parts=config.train.accumulation_steps,
        teacher=teacher,
    )


def taught_batches(running: Runtime, data: DataSet, config: Config) -> Any:
    """Returns batches with a teacher's scores of most images."""
    ids = dataset.read_truth(data.folder, data.manifest, "train").ids[3:]
    scores = np.random.default_rng(8).random((len(ids), len(data.manifest.findings)))
    return all_batches(running, data, config, Teacher(ids, scores))


def half_known(running: Runtime, data: DataSet, config: Config) -> Any:
    """Returns batches whose first half has no known target, so that one replica knows nothing."""
    alone = dataclasses.replace(running, strategy=tf.distribute.OneDeviceStrategy("/CPU:0"))
    whole = list(itertools.islice(all_batches(alone, data, config), STEPS))
    columns = {name: np.concatenate([batch[name] for batch in whole]) for name in whole[0]}
    size = config.data.global_batch_size
    columns["targets"][columns["positions"] < size // 2] = -1
    return running.strategy.distribute_datasets_from_function(
        lambda context: tf.data.Dataset.from_tensor_slices(columns).batch(
            context.get_per_replica_batch_size(size), drop_remainder=True
        )
    )


def score(
    running: Runtime, network: keras.Model, data: DataSet, views: str = "one"
) -> list[list[float]]:
    """Returns the scores of the validation split, whose last batch is not full."""
    scorer = Scorer(
        running,
        network,
        folder=data.folder,
        manifest=data.manifest,
        data=small_config().data,
        global_batch=4,
        views=views,
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
    whole = itertools.islice(batches, -(-data.manifest.splits[split].examples // batch))
    per_batch = [running.strategy.experimental_local_results(part["index"]) for part in whole]
    return np.concatenate(list(itertools.chain(*per_batch))).tolist()


def connect(kind: str) -> tuple[Runtime, Runtime]:
    """Returns two devices and one, of a machine that may have one GPU, or none."""
    gpus = tf.config.list_physical_devices("GPU") if kind == "gpu" else []
    if len(gpus) == 1:
        # Two halves of it, which exchange what they compute as two GPUs do, without NCCL.
        half = tf.config.LogicalDeviceConfiguration(memory_limit=2048)
        tf.config.set_logical_device_configuration(gpus[0], [half, half])
        tf.config.experimental.enable_op_determinism()
        strategy = tf.distribute.MirroredStrategy(["/GPU:0", "/GPU:1"])
        two = Runtime(runtime.Topology("mirrored"), strategy, "float32")
    else:
        settings = RuntimeConfig(
            strategy="mirrored", logical_cpus=0 if gpus else 2, deterministic=True
        )
        two = runtime.connect(settings, {}, seed=0)
    # Sums of products of 10 bits of mantissa could not be compared to 1e-5.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    one = tf.distribute.OneDeviceStrategy(f"/{kind.upper()}:0")
    return two, Runtime(runtime.Topology("one_device"), one, "float32")


def main() -> None:
    """Prints one line of JSON."""
    two, one = connect(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        data = write_data_set(folder)
        trained: dict[str, dict[str, Any]] = {"two": {}, "one": {}}
        networks = {}
        for name, running in (("two", two), ("one", one)):
            for kind in KINDS:
                trained[name][kind], networks[name, kind] = train(running, data, kind)
        spread, alone = networks["two", "plain"], networks["one", "plain"]
        alone.set_weights(spread.get_weights())
        result = {
            "strategy": two.topology.strategy,
            "replicas": two.replicas,
            "trained": trained,
            "scores": {"two": score(two, spread, data), "one": score(one, alone, data)},
            "ten_crop": {
                "two": score(two, spread, data, "ten_crop"),
                "one": score(one, alone, data, "ten_crop"),
            },
            "normalised_far_from_zero": normalised_far_from_zero(two),
            "indices": {split: indices(two, data, split, 6) for split in data.manifest.splits},
        }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
