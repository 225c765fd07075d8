# SPDX-License-Identifier: MIT
"""Flips bits in gradients and in the state of a tiny run, and counts which flips are found.

    python -m benchmarks.corruption [--flips=1000] [--clean=2000] [--no_cost]

It prints how many flips were found and named rightly (step, variable, transient or lasting), what
was reported of steps without a flip, and what verifying every 100th step of ResNet-50 costs.
"""

import argparse
import dataclasses
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from preprocessing.contract.errors import JobError, ResourceError
from preprocessing.contract.manifest import Manifest
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.checkpoints.progress import Progress
from trainer.config import Config, RuntimeConfig
from trainer.distribution import runtime
from trainer.network import batch_norm, model
from trainer.network.model import Model
from trainer.run import Run
from trainer.training import optimizer
from trainer.training.optimizer import LossScale
from trainer.training.step import Step
from trainer.training.steps import make_steps
from trainer.training.verification import Verification
from trainer.training.verified_step import VerifiedStep

EVERY, _STORED = 5, 40
KINDS = (
    "gradient, one of two times",
    "gradient, each time",
    "state, one reading",
    "state, in memory between calls",
    "state, in memory before the gradients",
    "state, in memory after the gradients",
)
_ONCE, _ALWAYS, _MISREAD, _BETWEEN, _BEFORE, _AFTER = range(len(KINDS))


@dataclasses.dataclass(frozen=True)
class Flip:
    """A flip to come: its kind, the step, which variable, element and bit, and at which time."""

    kind: int
    step: int
    variable: int
    element: int
    bit: int
    time: int = 0


class Trial:
    """A run of a tiny network on noise, in whose steps bits can be flipped.

    Args:
        config: settings, from `settings`.
        running: the devices.
        output: folder of the run.
        network: makes another network.
        flips: whether bits are to be flipped.
    """

    def __init__(
        self,
        config: Config,
        running: runtime.Runtime,
        output: str,
        network: Any = None,
        *,
        flips: bool = False,
    ) -> None:
        strategy = running.strategy
        self.running, self.config, self.progress = running, config, Progress()
        with strategy.scope():
            random.seed(0)
            keras.utils.set_random_seed(0)
            self.model = made = (network or tiny)()
            average = (network or tiny)().network
            average.set_weights(made.network.get_weights())
            self.optimizer = optimizer.build(config.optimizer)
            self.optimizer.build(made.network.trainable_variables)
        self.saver = Checkpoints(
            output=output,
            network=made.network,
            optimizer=self.optimizer,
            average=average,
            progress=self.progress,
        )
        self.plan = tf.Variable(tf.fill([6], tf.constant(-1, tf.int64)), trainable=False)
        self._turn, self._seen, self._misread = (
            tf.Variable(tf.constant(0, tf.int64), trainable=False) for _ in range(3)
        )
        parts = (strategy, made, self.optimizer, config)
        if config.runtime.verify_every_steps:
            run = Run("", output, config, Manifest(**_MANIFEST), running, None)  # type: ignore
            self.verification = Verification(run, made, self.saver, self.progress, 10**6)
            self.step: Step = VerifiedStep(self.verification, *parts, average=average)
            self.state = list(zip(self.verification._names, self.verification._state, strict=True))
            if flips:
                self._spoil()
        else:
            self.step = Step(*parts, average=average)
        self.steps = make_steps(self.step, optimizer.Schedule(config.optimizer, 100))
        self.batches = iter(_batches(strategy, config))
        self._start = [one.numpy() for one in self.saver.variables().values()]

    def take(self, first: int, count: int) -> Any:
        """Takes steps as the loop would, and has them checked."""
        zero = tf.constant(0, tf.int64)
        measured = self.steps(
            self.batches,
            tf.constant(first, tf.int64),
            tf.constant(count),
            tf.constant(1.0),
            LossScale(tf.constant(self.config.optimizer.loss_scale), zero, zero),
            tf.constant([0.0, 0.0]),
        )
        if self.config.runtime.verify_every_steps:
            self.verification.check(first, count)
        self.progress.step = first + count
        return measured

    def draw(self, kind: int, generator: np.random.Generator) -> Flip:
        """Draws a flip: any bit of any element of a variable, gradients in verified steps alone."""
        step = int(generator.integers(1, 10)) if kind > _ALWAYS else EVERY - 1
        # Batch statistics are not held inside a step.
        least = 0 if kind in (_ONCE, _ALWAYS, _BETWEEN) else self.verification._moving
        last = len(self.step._variables) if kind <= _ALWAYS else len(self.state)
        variable = int(generator.integers(least, last))
        element, bit = int(generator.integers(2**30)), int(generator.integers(32))
        return Flip(kind, step, variable, element, bit, int(generator.integers(2)))

    def outcome(self, flip: Flip) -> JobError | None:
        """Starts again, has a flip happen, and returns what was found."""
        for variable, value in zip(self.saver.variables().values(), self._start, strict=True):
            variable.assign(value)
        watcher = self.verification
        for own in (watcher._agreed, watcher._differ, watcher._changed, self._misread):
            own.assign(tf.zeros_like(own))
        watcher.hold()
        self._seen.assign(-1)
        self.plan.assign([flip.kind, flip.step, flip.variable, flip.element, flip.bit, flip.time])
        try:
            self.take(0, flip.step)
            if flip.kind == _BETWEEN:
                variable = self.state[flip.variable][1]
                variable.assign(_flipped(variable.value, flip.element, flip.bit))
            self.take(flip.step, 10 - flip.step)
        except JobError as error:
            return error
        finally:
            self.plan.assign(-tf.ones_like(self.plan))
        return None

    def is_right(self, flip: Flip, found: JobError | None) -> bool:
        """Tells whether an error names step and variable, and takes it for what it is."""
        names = [name for name, _ in self.state]
        name = names[flip.variable] if flip.kind > _ALWAYS else ""
        if flip.kind <= _ALWAYS:
            name = f" 1 elements of the gradient of {self.step._variables[flip.variable].path} "
        lasts = flip.kind not in (_ONCE, _MISREAD)
        said = f"silent corruption in step {flip.step}: "
        return (
            found is not None
            and isinstance(found, ResourceError) == lasts
            and said in str(found)
            and f" {name.strip()} " in str(found)
        )

    def _spoil(self) -> None:
        """Puts flips between what the step is made of; nothing of it is in the product."""
        sums_of, sums = self.step._sums_of, self.verification._sums

        def spoiled(batch: Any, step: tf.Tensor, scale: tf.Tensor) -> list[tf.Tensor]:
            self._turn.assign(tf.where(step == self._seen, self._turn + 1, 0))
            self._seen.assign(step)
            kind, at, which, element, bit, when = tf.unstack(tf.identity(self.plan))
            turn = tf.identity(self._turn)
            here = (step == at) & (turn == 0)
            self._flip_state(here & (kind == _BEFORE), which, element, bit)
            found = sums_of(batch, step, scale)
            with tf.control_dependencies(found):
                self._flip_state(here & (kind == _AFTER), which, element, bit)
                # Until it is read, which a step that is verified comes to after the second time.
                self._misread.assign_add(tf.cast(here & (kind == _MISREAD), tf.int64))
            hit = (step == at) & ((kind == _ALWAYS) | ((kind == _ONCE) & (turn == when)))
            for place in range(len(self.step._variables)):
                other = _flipped(found[place], element, (bit + turn) % 32)
                found[place] = tf.where(hit & (which == place), other, found[place])
            return found

        def misread(begin: int, end: int) -> tf.Tensor:
            found, _, _, which, _, bit = sums(begin, end), *tf.unstack(tf.identity(self.plan)[:5])
            reads = (tf.identity(self._misread) > 0) & (which >= begin) & (which < end)
            self._misread.assign(tf.where(~reads, tf.identity(self._misread), 0))
            value = tf.bitwise.left_shift(tf.constant(1, tf.int64), bit)
            one = tf.one_hot(which - begin, end - begin, value, tf.constant(0, tf.int64))
            return tf.where(reads, tf.bitwise.bitwise_xor(found, one), found)

        self.step._sums_of = spoiled  # type: ignore[method-assign]
        self.verification._sums = misread  # type: ignore[method-assign]

    def _flip_state(self, now: tf.Tensor, which: Any, element: Any, bit: Any) -> None:
        for place, (_, variable) in enumerate(self.state):
            if place < self.verification._moving:
                continue
            own = variable.value

            def flip(own: tf.Variable = own) -> bool:
                own.assign(_flipped(own, element, bit))
                return True

            tf.cond(now & (which == place), flip, lambda: False)


_MANIFEST: dict[str, Any] = {
    "schema_version": 1,
    "findings": ["Mass", "Nodule", "Edema"],
    "stored_size": _STORED,
    "encoding": "raw",
    "splits": {},
    "official_split": False,
    "list_hashes": {},
    "counters": {},
    "parameters": {},
    "sources": {},
    "writer": "benchmark",
}


def _flipped(value: tf.Tensor, element: Any, bit: Any) -> tf.Tensor:
    """Returns a tensor with one bit of one element flipped; numbers wrap around."""
    kind = tf.int64 if value.dtype.size == 8 else tf.int32
    flat = tf.reshape(tf.bitcast(tf.identity(value), kind), [-1])
    size = tf.size(flat, tf.int64)
    place = tf.reshape(tf.cast(element, tf.int64) % size, [1, 1])
    one = tf.bitwise.left_shift(tf.constant(1, kind), tf.cast(bit, kind))
    mask = tf.scatter_nd(place, tf.reshape(one, [1]), [size])
    return tf.bitcast(tf.reshape(tf.bitwise.bitwise_xor(flat, mask), value.shape), value.dtype)


def tiny() -> Model:
    """Returns a network with batch statistics, of some hundred weights."""
    pixels = keras.Input([32, 32], dtype="uint8")
    grey = keras.layers.Reshape([32, 32, 1])(
        keras.layers.Rescaling(1 / 255, dtype="float32")(pixels)
    )
    maps = keras.layers.Conv2D(4, 5, strides=4, name="maps")(grey)
    plain = keras.Model(pixels, keras.layers.BatchNormalization(name="norm")(maps))
    backbone = batch_norm.replace_in(plain, momentum=0.9, synchronized=True)
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    hidden = keras.layers.Dense(6, activation="tanh", name="hidden")(pooled)
    features = keras.Model(backbone.inputs[0], hidden)
    inner = keras.Input([6])
    head = keras.Model(inner, keras.layers.Dense(3, dtype="float32", name="logits")(inner))
    network = keras.Model(backbone.inputs[0], head(hidden))
    return Model(network=network, features=features, head=head, backbone=backbone, dropout=0.2)


def settings(every: int, **changes: Any) -> Config:
    """Returns settings of a tiny run; keywords are further ones, with "__" for the dot."""
    config = Config()
    config.data.global_batch_size, config.data.image_size = 4, 32
    config.train.checkpoint_every_steps = 0
    config.optimizer.ema_decay = 0.9
    config.runtime.verify_every_steps = every
    for name, value in changes.items():
        section, _, setting = name.partition("__")
        setattr(getattr(config, section), setting, value)
    return config


def _batches(strategy: tf.distribute.Strategy, config: Config) -> Any:
    """Returns noise for ever, in the shape of batches."""
    size, parts = config.data.global_batch_size, config.train.accumulation_steps
    generator, side = np.random.default_rng(3), config.data.image_size * 5 // 4
    rows = 8 * size
    columns = {
        "pixels": generator.integers(0, 255, (rows, side, side), dtype=np.uint8),
        "targets": generator.integers(-1, 2, (rows, 3)),
        "positions": np.arange(rows) % size,
    }
    own = size // strategy.num_replicas_in_sync // parts
    return strategy.distribute_datasets_from_function(
        lambda context: tf.data.Dataset.from_tensor_slices(columns).batch(own).repeat()
    )


def _found_table(flips: int, running: runtime.Runtime) -> Iterator[str]:
    trial = Trial(settings(EVERY), running, tempfile.mkdtemp(), flips=True)
    generator = np.random.default_rng(1)
    yield "| a bit flipped in | injected | found | named rightly |\n|---|---|---|---|"
    for kind, name in enumerate(KINDS):
        drawn = [trial.draw(kind, generator) for _ in range(-(-flips // len(KINDS)))]
        outcomes = [(flip, trial.outcome(flip)) for flip in drawn]
        found = sum(error is not None for _, error in outcomes)
        right = sum(trial.is_right(*one) for one in outcomes)
        yield f"| {name} | {len(drawn)} | {found} | {right} |"


def _clean_line(steps: int, running: runtime.Runtime) -> str:
    trial = Trial(settings(1), running, tempfile.mkdtemp())
    for first in range(0, steps, 10):
        trial.take(first, 10)  # an error would end it
    return f"\nVerified without a flip: {steps} steps, nothing reported."


def _cost_line(running: runtime.Runtime, steps: int = 3, rounds: int = 5) -> str:
    """Measures steps that are not watched, that are, and that are verified, in turn."""

    def resnet() -> Model:
        return model.build(Config().model, image_size=64, findings=3, pretrained=False)

    large = {"data__image_size": 64, "data__global_batch_size": 32}
    trials = {
        every: Trial(settings(every, **large), running, tempfile.mkdtemp(), resnet)
        for every in (0, 10**6, 1)
    }
    seconds: dict[int, list[float]] = {every: [] for every in trials}
    for trial in trials.values():
        trial.take(0, 1)
    for at in range(rounds):
        for every, trial in trials.items():
            start = time.perf_counter()
            trial.take(1 + at * steps, steps)
            seconds[every].append((time.perf_counter() - start) / steps)
    plain, watched, twice = (statistics.median(seconds[every]) for every in trials)
    each = (99 * watched + twice) / 100
    return (
        f"\nResNet-50, 64 px, batch 32, moving average: {plain:.3f} s a step, {watched:.3f} s "
        f"watched ({watched / plain:.3f}), {twice:.3f} s verified ({twice / plain:.3f}); every "
        f"100th verified: {each / plain:.3f}"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="flips bits and counts those found")
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--clean", type=int, default=2000)
    parser.add_argument("--no_cost", action="store_true")
    arguments = parser.parse_args()
    running = runtime.connect(RuntimeConfig(), {}, 0)
    for line in _found_table(arguments.flips, running):
        print(line, flush=True)
    print(_clean_line(arguments.clean, running), flush=True)
    if not arguments.no_cost:
        print(_cost_line(running), flush=True)


if __name__ == "__main__":
    main()
