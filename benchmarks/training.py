# SPDX-License-Identifier: MIT
"""The loop's images/s against bare compiled steps of the same model, and against Keras fit."""

import contextlib
import dataclasses
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from benchmarks import material
from benchmarks.ratio import Ratio
from benchmarks.rounds import rounds
from preprocessing.contract import manifest as manifests
from preprocessing.contract import schema
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.pictures import image_graph
from trainer.checkpoints import checkpoints
from trainer.checkpoints.progress import Progress
from trainer.config import Config
from trainer.data import dataset
from trainer.distribution import runtime
from trainer.monitoring.monitor import Monitor
from trainer.monitoring.profiling import Profiler
from trainer.network import model
from trainer.training import loop, optimizer
from trainer.training.calls import LoopParts, Validation
from trainer.training.losses import cross_entropies
from trainer.training.step import Step
from trainer.training.steps import make_steps


@dataclasses.dataclass(frozen=True)
class Work:
    """How much is trained: pixels a side, examples a step, steps a round, and rounds."""

    size: int
    batch: int
    steps: int
    rounds: int

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"training ResNet-50, {self.size} px, batch {self.batch}, float32"


# The default size, and one where what is done once a step, such as Adam, is a good part of it
# on a CPU.
_WORKS = (Work(size=224, batch=16, steps=6, rounds=4), Work(size=64, batch=32, steps=20, rounds=5))


def measure(folder: str) -> Iterator[Ratio]:
    """Trains ResNet-50 at two sizes in four ways, in turn, in one process.

    Args:
        folder: where the phantom lies; shards are made beside it.
    """
    shards = material.shards(folder, "png")
    manifest = manifests.read(shards)
    settings = Config()
    running = runtime.connect(settings.runtime, os.environ, settings.seed)
    others = (
        ("bare", "bare tf.function step on one batch", ">= 0.98"),
        ("keras", "the same with Keras's own Adam", ">= 0.98"),
        ("fit", "Keras fit on the same shards, less its first step", ">= 1.0"),
    )
    for work in _WORKS:
        speeds = _speeds(running, work, shards, manifest)
        for other, name, aim in others:
            yield Ratio(work.name, speeds["loop"], name, speeds[other], aim)


def _speeds(
    running: runtime.Runtime, work: Work, shards: str, manifest: Manifest
) -> dict[str, float]:
    """Returns way -> images/s, the median over the rounds."""
    ways = {
        "loop": _loop(running, work, shards, manifest),
        "bare": _bare(work, shards, manifest, optimizer.build(_config(work).optimizer)),
        "keras": _bare(work, shards, manifest, keras.optimizers.Adam(1e-4)),
        "fit": _fit(work, shards, manifest),
    }
    for way in ways.values():
        way()  # traces and fills buffers
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in rounds(work.name, work.rounds):
        for name, way in ways.items():
            speeds[name].append(work.steps * work.batch / way())
    return {name: statistics.median(values) for name, values in speeds.items()}


def _config(work: Work) -> Config:
    config = Config()
    config.model.weights = "none"
    config.data.image_size = work.size
    config.data.global_batch_size = work.batch
    config.data.crop_fraction = 0.875
    config.train.epochs = 0
    config.train.log_every_steps = 10
    config.train.checkpoint_every_steps = 0
    return config


def _loop(
    running: runtime.Runtime, work: Work, shards: str, manifest: Manifest
) -> Callable[[], float]:
    """The product: shards, augmentation, several steps a call, logging; saves are left out."""
    config = _config(work)
    schedule = optimizer.Schedule(config.optimizer, 10_000)
    network = _model(work, manifest)
    adam = optimizer.build(config.optimizer)
    adam.build(network.network.trainable_variables)
    progress = Progress()
    output = storage.join(shards, "..", "loop")
    saver = checkpoints.Checkpoints(
        output=output, network=network.network, optimizer=adam, progress=progress, writes=False
    )
    one = Step(running.strategy, network, adam, config)
    compiled = make_steps(one, schedule)
    batches = dataset.train_batches(
        running.strategy, folder=shards, manifest=manifest, config=config.data, seed=0, start_step=0
    )
    run = LoopParts(
        config=config,
        steps=lambda frozen: compiled,
        batches=iter(batches),
        per_epoch=work.steps,
        schedule=schedule,
        progress=progress,
        checkpoints=saver,
        monitor=Monitor(output),
        profiler=Profiler("", None),
        evaluate=lambda step: Validation({}, math.nan),
        explain=lambda step, loss, losses: SystemExit(f"the loss of step {step} is {loss}"),
        should_stop=lambda: False,
    )

    return lambda: _epoch_seconds(run)


def _epoch_seconds(run: LoopParts) -> float:
    run.config.train.epochs += 1
    start = time.perf_counter()
    # It says how an epoch went, which does not belong into the table.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        loop.train(run)
    return time.perf_counter() - start


def _bare(
    work: Work, shards: str, manifest: Manifest, adam: keras.optimizers.Optimizer
) -> Callable[[], float]:
    """The floor: the same arithmetic on one batch in memory, one step a call, nothing else."""
    network = _model(work, manifest).network
    adam.build(network.trainable_variables)
    pixels, targets = next(iter(_plain_data(work, shards, manifest)))

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            losses, known = cross_entropies(network(pixels, training=True), targets)
            loss = tf.reduce_sum(losses) / tf.reduce_sum(known)
        adam.apply(tape.gradient(loss, network.trainable_variables))
        return loss

    def steps() -> float:
        start = time.perf_counter()
        for _ in range(work.steps):
            loss = step()
        loss.numpy()
        return time.perf_counter() - start

    return steps


def _fit(work: Work, shards: str, manifest: Manifest) -> Callable[[], float]:
    """The usual way: compile and fit, on the same records. XLA is off: it is slower on a CPU."""
    network = _model(work, manifest).network
    network.compile(
        keras.optimizers.Adam(1e-4),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    data = _plain_data(work, shards, manifest).repeat()
    clock = _Clock()

    def steps() -> float:
        network.fit(data, steps_per_epoch=work.steps + 1, epochs=1, verbose=0, callbacks=[clock])
        return clock.ends[-1] - clock.ends[0]

    return steps


class _Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes when each step ended: the first of a call also waits for new buffers to be filled."""

    ends: list[float]

    def on_train_begin(self, logs: object = None) -> None:
        self.ends = []

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.ends.append(time.perf_counter())


def _plain_data(work: Work, shards: str, manifest: Manifest) -> tf.data.Dataset:
    files = [storage.join(shards, shard.name) for shard in manifest.splits["train"].shards]

    def example(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = schema.parse(record, findings=len(manifest.findings))
        return image_graph.stored(parsed["image"], manifest.stored_size), parsed["targets"]

    def fitted(pixels: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return image_graph.fit(pixels, image_size=work.size, crop_fraction=0.875), targets

    return (
        tf.data.TFRecordDataset(files)
        .shuffle(1024, seed=0)
        .map(example, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(work.batch, drop_remainder=True)
        .map(fitted)
        .prefetch(tf.data.AUTOTUNE)
    )


def _model(work: Work, manifest: Manifest) -> model.Model:
    return model.build(_config(work).model, image_size=work.size, findings=len(manifest.findings))
