# SPDX-License-Identifier: MIT
"""Tests of the training loop with a tiny network: exact, whatever the calls and the stops."""

import contextlib
import functools
import math
import pathlib
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, StoppedError, UsageError
from trainer import course
from trainer.checkpoints import checkpoints
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.checkpoints.progress import Progress
from trainer.config import Config
from trainer.data import dataset
from trainer.data.teacher import Teacher
from trainer.monitoring.monitor import Monitor
from trainer.monitoring.profiling import Profiler
from trainer.network.model import Model
from trainer.training import loop, optimizer
from trainer.training.calls import LoopParts, Validation
from trainer.training.optimizer import LossScale
from trainer.training.step import Step
from trainer.training.steps import Measured, Steps, make_steps

PER_EPOCH = 7


class Harness:
    """Assembles runs over one data set; each call is a new start, as of a new process."""

    def __init__(self, data_set: Any, runtime: Any, tiny: Callable[..., Any], config: Config):
        self.data_set, self.runtime, self.tiny, self.config = data_set, runtime, tiny, config
        self.explained: list[tuple[int, float, np.ndarray]] = []
        self.teacher: Teacher | None = None

    def start(self, output: pathlib.Path, **more: Any) -> tuple[LoopParts, Any]:
        """Returns a run that goes on from the newest checkpoint, and its network.

        Keywords take the place of the run's parts.
        """
        config, strategy = self.config, self.runtime.strategy
        with strategy.scope():
            model = self.tiny(seed=config.seed)
            chosen = optimizer.build(config.optimizer)
            chosen.build(model.network.trainable_variables)
        schedule = optimizer.Schedule(
            config.optimizer,
            config.train.epochs * PER_EPOCH,
            phase=course.own_phase(config, PER_EPOCH),
        )
        progress = Progress(loss_scale=config.optimizer.loss_scale)
        saver = Checkpoints(
            output=str(output),
            network=model.network,
            optimizer=chosen,
            progress=progress,
            keep=config.train.keep_checkpoints,
        )
        if saver.newest() >= 0:
            saver.restore(saver.newest())

        @functools.cache
        def steps(frozen: bool) -> Steps:
            one = Step(strategy, model, chosen, config, frozen=frozen)
            return make_steps(one, schedule)

        parts = {
            "config": config,
            "steps": steps,
            "batches": iter(self.batches(progress.step)),
            "per_epoch": PER_EPOCH,
            "schedule": schedule,
            "progress": progress,
            "checkpoints": saver,
            "monitor": Monitor(""),
            "profiler": Profiler("", None),
            "evaluate": lambda at: validated(0.5),
            "explain": self.explain,
            "should_stop": lambda: False,
        }
        return LoopParts(**{**parts, **more}), model.network

    def batches(self, start_step: int = 0) -> Any:
        return dataset.train_batches(
            self.runtime.strategy,
            folder=self.data_set.folder,
            manifest=self.data_set.manifest,
            config=self.config.data,
            seed=self.config.seed,
            start_step=start_step,
            parts=self.config.train.accumulation_steps,
            teacher=self.teacher,
        )

    def explain(self, at: int, loss: float, losses: np.ndarray) -> Exception:
        self.explained.append((at, loss, losses))
        return ConfigError(f"the loss of step {at} is {loss:g}")


def take(run: LoopParts, first: int, batches: Any = None) -> Measured:
    """Takes one step as the loop would."""
    zero = tf.constant(0, tf.int64)
    return run.steps(False)(
        run.batches if batches is None else batches,
        tf.constant(first, tf.int64),
        tf.constant(1),
        tf.constant(1.0),
        LossScale(tf.constant(run.progress.loss_scale), zero, zero),
        tf.constant([0.0, 0.0]),
    )


def observe(run: LoopParts, look: Callable[..., None]) -> None:
    """Has the run's compiled steps tell what they are called with, and what they return."""
    original = run.steps

    def steps(frozen: bool) -> Steps:
        def call(*arguments: Any) -> Measured:
            measured = original(frozen)(*arguments)
            look(frozen, arguments, measured)
            return measured

        return call

    run.steps = steps


def validated(auc: float, loss: float = 0.5) -> Validation:
    return Validation({"Mass": auc}, loss)


def weights(network: Any) -> list[np.ndarray]:
    return [np.array(variable.numpy()) for variable in network.variables]


def assert_equal(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.fixture
def harness(
    data_set: Any, on_device: Any, make_tiny_model: Callable[..., Any], small_settings: Any
) -> Harness:
    return Harness(data_set, on_device, make_tiny_model, small_settings())


def test_training_lowers_the_loss_and_counts_what_it_did(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    harness.config.train.epochs = 6
    run, _ = harness.start(tmp_path)
    began = time.monotonic()
    summary = loop.train(run)
    seconds = time.monotonic() - began
    assert (summary.step, summary.epochs) == (42, 6)
    assert summary.losses.shape == (42,)
    assert summary.losses[-7:].mean() < summary.losses[:7].mean()
    # Without what traced, and so more than over all of the time.
    assert 42 * 4 / seconds < summary.images_per_second < math.inf
    assert harness.explained == []


def test_the_first_loss_is_that_of_the_definition(harness: Harness, tmp_path: Any) -> None:
    """Nothing augmented, nothing dropped: the loss can be computed from files and weights."""
    harness.config.data.flip = False
    harness.config.data.crop_fraction = 1.0
    harness.config.data.image_size = 40
    harness.tiny = tiny_at_40
    run, network = harness.start(tmp_path)
    batch = next(iter(harness.batches()))
    logits = network(batch["pixels"], training=False).numpy().astype(np.float64)
    targets = batch["targets"].numpy()
    known = targets >= 0
    each = np.where(known, np.logaddexp(0, np.where(targets == 1, -logits, logits)), 0)
    measured = take(run, 0)
    assert measured.loss.numpy() == pytest.approx(each.sum() / known.sum(), rel=1e-5)
    own = each.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    np.testing.assert_allclose(measured.losses.numpy(), [own], rtol=1e-5)


def tiny_at_40(seed: int) -> Model:
    pixels = keras.Input([40, 40], dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255, dtype="float32")(pixels))
    dense = keras.layers.Dense(4, activation="tanh", name="hidden")
    features = keras.Model(pixels, dense(flat))
    inner = keras.Input([4])
    logits = keras.layers.Dense(3, name="logits")
    head = keras.Model(inner, logits(inner))
    return Model(
        network=keras.Model(pixels, logits(features.output)),
        features=features,
        head=head,
        backbone=features,
        dropout=0.0,
    )


def test_steps_per_call_changes_nothing(harness: Harness, tmp_path: pathlib.Path) -> None:
    results = []
    for steps_per_call in (1, 3, 100):
        harness.config.train.steps_per_call = steps_per_call
        run, network = harness.start(tmp_path / str(steps_per_call))
        results.append([loop.train(run).losses, *weights(network)])
    assert_equal(results[0], results[1])
    assert_equal(results[0], results[2])


def calls_of(run: LoopParts, seconds: float) -> list[tuple[int, int]]:
    """Trains with steps that say they take so long; returns first step and count of each call."""
    calls = []
    original = run.steps

    def steps(frozen: bool) -> Steps:
        def call(*arguments: Any) -> Measured:
            calls.append((int(arguments[1]), int(arguments[2])))
            measured = original(frozen)(*arguments)
            return measured._replace(signals=tf.constant([0.0, seconds]))

        return call

    run.steps = steps
    loop.train(run)
    return calls


def test_calls_end_at_the_next_thing_to_do(harness: Harness, tmp_path: pathlib.Path) -> None:
    settings = harness.config.train
    settings.steps_per_call, settings.log_every_steps, settings.checkpoint_every_steps = 100, 4, 6
    run, _ = harness.start(tmp_path)
    run.profiler = Profiler(str(tmp_path / "log"), (11, 11))
    ends = [first + count for first, count in calls_of(run, 1e-6)]
    # The first call is one step, since nobody knows yet how long one takes.
    assert ends == [1, 4, 6, 7, 8, 10, 11, 12, 14]


@pytest.mark.parametrize(("seconds", "most"), [(0.9, 2), (5.0, 1), (0.4, 3)])
def test_calls_of_slow_steps_are_short(
    harness: Harness, tmp_path: pathlib.Path, seconds: float, most: int
) -> None:
    """Two seconds at most, so that a request to stop is answered in time."""
    settings = harness.config.train
    settings.steps_per_call, settings.log_every_steps = 3, 100
    calls = calls_of(harness.start(tmp_path)[0], seconds)
    assert calls[0] == (0, 1)
    assert max(count for _, count in calls) == most
    assert sum(count for _, count in calls) == 14


def test_another_seed_changes_the_losses(harness: Harness, tmp_path: pathlib.Path) -> None:
    first = loop.train(harness.start(tmp_path / "a")[0]).losses
    harness.config.seed = 1
    assert not np.allclose(first, loop.train(harness.start(tmp_path / "b")[0]).losses)


@pytest.mark.parametrize(("every", "taught"), [(0, False), (1, False), (5, False), (5, True)])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    harness: Harness, tmp_path: pathlib.Path, every: int, taught: bool
) -> None:
    """Dies without warning inside the first and the second epoch."""
    plain = loop.train(harness.start(tmp_path / "plain")[0]).losses if taught else None
    if taught:
        harness.config.loss.name, harness.config.train.teacher_share = "focal", 0.7
        truth = dataset.read_truth(harness.data_set.folder, harness.data_set.manifest, "train")
        harness.teacher = Teacher(truth.ids[4:], np.random.default_rng(8).random((25, 3)))
    run, network = harness.start(tmp_path / "whole")
    expected = [loop.train(run).losses, *weights(network)]
    assert plain is None or not np.allclose(plain, expected[0], rtol=0.05)
    harness.config.train.checkpoint_every_steps = every
    harness.config.train.steps_per_call = 2
    losses: dict[int, float] = {}

    def look(frozen: bool, arguments: Any, measured: Measured) -> None:
        losses.update(enumerate(measured.loss.numpy().tolist(), start=int(arguments[1])))

    starts = []
    for dies_at in (5, 12, 10**6):
        run, network = harness.start(tmp_path / "cut")
        starts.append(run.progress.step)

        def stop_dead(run: LoopParts = run, dies_at: int = dies_at) -> bool:
            if run.progress.step >= dies_at:
                raise KeyboardInterrupt
            return False

        run.should_stop = stop_dead
        observe(run, look)
        try:
            summary = loop.train(run)
        except KeyboardInterrupt:
            run.checkpoints.wait()
    assert starts == {0: [0, 0, 7], 1: [0, 5, 12], 5: [0, 5, 10]}[every]
    assert summary.step == 14
    np.testing.assert_array_equal(expected[0], [losses[step] for step in range(14)])
    assert_equal(expected[1:], weights(network))


def test_a_process_that_dies_while_it_scores_repeats_the_scoring_and_no_step(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    run, network = harness.start(tmp_path / "whole")
    loop.train(run)
    expected = weights(network)

    def dies(at: int) -> Validation:
        raise KeyboardInterrupt

    run, _ = harness.start(tmp_path / "cut", evaluate=dies)
    with pytest.raises(KeyboardInterrupt):
        loop.train(run)
    run.checkpoints.wait()
    scored: list[int] = []

    def evaluate(at: int) -> Validation:
        scored.append(at)
        return validated(0.5 + at / 100)

    run, network = harness.start(tmp_path / "cut", evaluate=evaluate)
    assert run.progress.step == 7
    summary = loop.train(run)
    assert scored == [7, 14]
    assert (len(summary.losses), summary.best_step) == (7, 14)
    assert_equal(expected, weights(network))


def test_a_finished_run_has_no_step_to_take(harness: Harness, tmp_path: pathlib.Path) -> None:
    first = loop.train(harness.start(tmp_path)[0])
    run, network = harness.start(tmp_path)
    before = weights(network)
    summary = loop.train(run)
    assert (summary.step, len(summary.losses)) == (14, 0)
    assert (summary.best_auc, summary.best_step) == (first.best_auc, first.best_step)
    assert math.isnan(summary.images_per_second)
    assert_equal(before, weights(network))


def test_the_best_checkpoint_has_the_highest_mean_validation_auc(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    """The mean leaves out what is undefined; an equal later epoch does not replace the best."""
    harness.config.train.epochs = 4
    scripted = iter(
        [
            {"Mass": 0.9, "Nodule": 0.5, "Edema": math.nan},
            {"Mass": 0.7, "Nodule": 0.8, "Edema": math.nan},
            {"Mass": 0.8, "Nodule": 0.7, "Edema": math.nan},
            {"Mass": 0.99, "Nodule": 0.2, "Edema": math.nan},
        ]
    )
    kept: dict[int, list[np.ndarray]] = {}

    def evaluate(at: int) -> Validation:
        kept[at] = weights(network)
        return Validation(next(scripted), math.nan)

    run, network = harness.start(tmp_path, evaluate=evaluate)
    summary = loop.train(run)
    assert sorted(kept) == [7, 14, 21, 28]
    assert (summary.best_step, summary.best_auc) == (14, 0.75)
    restored = harness.tiny(seed=5).network
    assert checkpoints.restore_best(str(tmp_path), restored) == (14, 0.75)
    assert_equal(kept[14], weights(restored))


def test_patience_ends_a_run_that_no_longer_improves(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    harness.config.train.epochs = 9
    harness.config.train.patience_epochs = 2
    scripted = {7: 0.5, 14: 0.6, 21: 0.6, 28: 0.55, 35: 0.9}

    def evaluate(at: int) -> Validation:
        return validated(scripted[at])

    summary = loop.train(harness.start(tmp_path, evaluate=evaluate)[0])
    assert (summary.epochs, summary.best_step) == (4, 14)
    assert loop.train(harness.start(tmp_path, evaluate=evaluate)[0]).epochs == 4


def test_a_plateau_lowers_the_rate_and_a_restart_does_not_lower_it_twice(
    harness: Harness, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.config.train.epochs = 6
    settings = harness.config.optimizer
    settings.schedule, settings.plateau_factor, settings.plateau_epochs = "plateau", 0.5, 2
    scripted = {7: 0.6, 14: 0.5, 21: 0.6, 28: 0.7, 35: 0.7, 42: 0.65}
    factors: dict[int, float] = {}

    def look(frozen: bool, arguments: Any, measured: Measured) -> None:
        for step in range(int(arguments[1]), int(arguments[1]) + int(arguments[2])):
            factors[step] = float(arguments[3])

    def start(evaluate: Callable[[int], Validation]) -> LoopParts:
        run, _ = harness.start(tmp_path, evaluate=evaluate)
        observe(run, look)
        return run

    def dies(at: int) -> Validation:
        if at == 28:
            raise KeyboardInterrupt
        return validated(scripted[at])

    run = start(dies)
    with pytest.raises(KeyboardInterrupt):
        loop.train(run)
    run.checkpoints.wait()
    run = start(lambda at: validated(scripted[at]))
    assert (run.progress.step, run.progress.rate_factor) == (28, 0.5)
    loop.train(run)
    assert [factors[step] for step in range(42)] == [1.0] * 21 + [0.5] * 21
    assert run.progress.rate_factor == 0.25
    assert "learning rate lowered to 0.5 of the schedule's" in capsys.readouterr().out


# Where AUC and loss disagree: what each of them keeps, how often it lowers the rate, and where it
# ends.
SCRIPT = {
    7: validated(0.6, 0.5),
    14: validated(0.7, 0.6),
    21: validated(0.5, 0.4),
    28: validated(math.nan, 0.4),
    35: validated(0.65, 0.45),
    42: validated(0.6, 0.41),
    49: validated(0.9, 0.1),
}


@pytest.mark.parametrize(
    ("monitor", "best", "ends", "factor"),
    [("auc", (14, 0.7, 0.6), 35, 0.5), ("loss", (21, 0.5, 0.4), 42, 0.5)],
)
def test_what_is_monitored_chooses_the_network_lowers_the_rate_and_ends_the_run_wherever_it_dies(
    harness: Harness,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monitor: str,
    best: tuple[int, float, float],
    ends: int,
    factor: float,
) -> None:
    train, settings = harness.config.train, harness.config.optimizer
    train.monitor, train.epochs, train.patience_epochs = monitor, 8, 3
    train.checkpoint_every_steps, train.keep_checkpoints = 3, 100
    settings.schedule, settings.plateau_factor, settings.plateau_epochs = "plateau", 0.5, 2
    run, network = harness.start(tmp_path / "whole", evaluate=SCRIPT.__getitem__)
    summary = loop.train(run)
    assert (summary.best_step, summary.best_auc, summary.best_loss) == best
    assert (summary.step, run.progress.rate_factor) == (ends, factor)
    said = capsys.readouterr().out
    assert "step 14: validation mean AUC 0.7000, loss 0.6000" in said
    # The file of the best network says the AUC of that network.
    restored = harness.tiny(seed=5).network
    assert checkpoints.restore_best(f"{tmp_path}/whole", restored) == best[:2]
    # Killed in a step, or, where the number is below zero, while it scores.
    for dies in (10, -21, -28, 30, 10**6):
        run_again, again = harness.start(tmp_path / "cut")

        def evaluate(at: int, dies: int = dies) -> Validation:
            if at == -dies:
                raise KeyboardInterrupt
            return SCRIPT[at]

        def stop_dead(run: LoopParts = run_again, dies: int = dies) -> bool:
            if run.progress.step >= dies > 0:
                raise KeyboardInterrupt
            return False

        run_again.evaluate, run_again.should_stop = evaluate, stop_dead
        with contextlib.suppress(KeyboardInterrupt):
            loop.train(run_again)
        run_again.checkpoints.wait()
    assert run_again.progress == run.progress
    assert_equal(weights(network), weights(again))


def test_a_lowered_rate_moves_the_weights_less(harness: Harness, tmp_path: pathlib.Path) -> None:
    """Plain descent with half the rate takes half the way."""
    harness.config.optimizer.name = "sgd"
    harness.config.train.epochs = 1
    ways = []
    for factor in (1.0, 0.5):
        run, network = harness.start(tmp_path / str(factor))
        run.progress.rate_factor = factor
        before = weights(network)
        observe(run, lambda frozen, arguments, measured: None)
        run.per_epoch = 1
        run.evaluate = lambda at: validated(0.5)
        loop.train(run)
        ways.append(weights(network)[0] - before[0])
    np.testing.assert_allclose(ways[0], 2 * ways[1], rtol=1e-3, atol=1e-7)
    assert np.abs(ways[0]).max() > 0


def test_the_backbone_stays_as_it_was_in_frozen_epochs(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    harness.config.train.frozen_epochs = 1
    at_end: dict[int, list[np.ndarray]] = {}

    def evaluate(at: int) -> Validation:
        at_end[at] = weights(network)
        return validated(0.5)

    run, network = harness.start(tmp_path / "whole", evaluate=evaluate)
    at_end[0] = weights(network)
    loop.train(run)
    names = [variable.path for variable in network.variables]
    changed = {
        last: [
            name
            for name, a, b in zip(names, at_end[first], at_end[last], strict=True)
            if not np.array_equal(a, b)
        ]
        for first, last in ((0, 7), (7, 14))
    }
    assert changed == {7: ["logits/kernel", "logits/bias"], 14: names}
    # And a restart takes up where the epochs of the head alone ended.
    run, _ = harness.start(tmp_path / "cut")
    run.should_stop = lambda run=run: run.progress.step >= 7
    with pytest.raises(StoppedError):
        loop.train(run)
    run, network = harness.start(tmp_path / "cut")
    loop.train(run)
    assert_equal(at_end[14], weights(network))


def test_a_frozen_phase_at_its_own_rate_is_exact_and_neither_plateau_nor_patience_counts_in_it(
    harness: Harness, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its validations stay below the first; then the schedule begins, and counts two epochs."""
    train, settings = harness.config.train, harness.config.optimizer
    train.epochs, train.frozen_epochs, train.patience_epochs = 9, 3, 3
    settings.frozen_rate, settings.schedule, settings.warmup_steps = 0.01, "plateau", 4
    settings.plateau_epochs, settings.plateau_factor, settings.name = 2, 0.5, "adamw"
    scripted = {7: 0.6, 14: 0.5, 21: 0.5, 28: 0.5, 35: 0.55, 42: 0.4}

    def start(folder: str) -> tuple[LoopParts, Any]:
        return harness.start(tmp_path / folder, evaluate=lambda at: validated(scripted[at]))

    run, network = start("whole")
    summary = loop.train(run)
    assert (summary.step, summary.best_step, summary.stale_epochs) == (42, 7, 3)
    assert run.progress.rate_factor == 0.5
    said = capsys.readouterr().out
    assert said.count("the backbone is frozen up to step 21") == 1
    assert said.count("from step 21 on the backbone learns too") == 1
    for stop in (10, 21, 24, 35):
        run, _ = start("cut")
        run.should_stop = lambda run=run, stop=stop: run.progress.step >= stop
        with pytest.raises(StoppedError):
            loop.train(run)
    said = capsys.readouterr().out
    assert said.count("frozen up to") == said.count("learns too") == 1
    run, again = start("cut")
    assert loop.train(run).step == 42
    assert run.progress.rate_factor == 0.5
    assert_equal(weights(network), weights(again))


def test_a_loss_that_is_no_number_ends_the_run_and_is_not_saved(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    harness.config.train.checkpoint_every_steps = 2
    run, network = harness.start(tmp_path)

    def poison(frozen: bool, arguments: Any, measured: Measured) -> None:
        if int(arguments[1]) + int(arguments[2]) == 4:
            kernel = network.trainable_variables[0]
            run.checkpoints.wait()
            kernel.assign(tf.fill(kernel.shape, math.nan))

    run.config.train.checkpoint_every_steps = 3
    observe(run, poison)
    with pytest.raises(ConfigError, match="the loss of step 4 is nan"):
        loop.train(run)
    ((at, loss, losses),) = harness.explained
    assert (at, math.isnan(loss), losses.shape) == (4, True, (4,))
    run.checkpoints.wait()
    again, network = harness.start(tmp_path)
    assert again.progress.step == 3
    assert all(np.isfinite(variable).all() for variable in weights(network))


@pytest.mark.parametrize("limit", [0.0, 1e-3])
def test_a_loss_beyond_the_limit_ends_the_run_if_there_is_one(
    harness: Harness, tmp_path: pathlib.Path, limit: float
) -> None:
    harness.config.train.max_loss = limit
    run, _ = harness.start(tmp_path)
    if not limit:
        assert loop.train(run).step == 14
        return
    with pytest.raises(ConfigError, match="the loss of step 0 is 0"):
        loop.train(run)
    ((at, loss, losses),) = harness.explained
    assert at == 0
    assert loss > limit
    assert losses.shape == (4,)


def test_steps_that_overflow_float16_are_skipped_and_counted(
    harness: Harness, tmp_path: pathlib.Path, precision: Callable[[str], None]
) -> None:
    """From a scale that is too large the run finds one that fits, and then trains."""
    precision("mixed_float16")
    harness.config.runtime.precision = "mixed_float16"
    harness.config.optimizer.loss_scale = 2.0**24
    harness.config.train.epochs = 4
    run, network = harness.start(tmp_path)
    before = weights(network)
    seen: list[tuple[int, bool, list[np.ndarray]]] = []

    def look(frozen: bool, arguments: Any, measured: Measured) -> None:
        finite = bool(np.isfinite(measured.norms.numpy()).all())
        seen.append((int(arguments[1]), finite, weights(network)))

    observe(run, look)
    harness.config.train.steps_per_call = 1
    summary = loop.train(run)
    skipped = run.progress.skipped_steps
    assert 0 < skipped < 14
    assert [finite for _, finite, _ in seen].count(False) == skipped
    assert run.progress.loss_scale == 2.0**24 / 2**skipped
    assert run.progress.good_steps == next(
        count
        for count, (_, finite, _) in enumerate([*reversed(seen), (0, False, [])])
        if not finite
    )
    for (_, _, old), (_, finite, new) in zip([(0, True, before), *seen], seen, strict=False):
        assert np.array_equal(old[0], new[0]) != finite
    assert np.isfinite(summary.losses).all()
    assert summary.losses[-7:].mean() < summary.losses[:7].mean()
    assert harness.explained == []
    again, _ = harness.start(tmp_path)
    assert again.progress.skipped_steps == skipped
    assert again.progress.loss_scale == run.progress.loss_scale


def test_a_stop_request_saves_and_the_next_start_goes_on(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    run, network = harness.start(tmp_path / "whole")
    loop.train(run)
    expected = weights(network)
    run, _ = harness.start(tmp_path / "cut")
    run.should_stop = lambda: run.progress.step >= 4
    with pytest.raises(StoppedError, match="saved at step 4 of 14") as caught:
        loop.train(run)
    assert caught.value.exit_code == 75
    run, network = harness.start(tmp_path / "cut")
    assert run.progress.step == 4
    loop.train(run)
    assert_equal(expected, weights(network))


@pytest.mark.parametrize("asked", ["here", "elsewhere"])
def test_one_process_of_several_stops_only_when_all_know(
    harness: Harness, tmp_path: pathlib.Path, asked: str
) -> None:
    """Its own wish goes out with the next call, and what comes back with it decides."""
    harness.config.train.steps_per_call = 1
    run, _ = harness.start(tmp_path, alone=False)
    if asked == "here":
        run.should_stop = lambda: run.progress.step >= 4
    else:
        original = run.steps

        def steps(frozen: bool) -> Steps:
            def call(*arguments: Any) -> Measured:
                share = 0.25 * (int(arguments[1]) == 4)
                return original(frozen)(*arguments)._replace(signals=tf.constant([share, 0.1]))

            return call

        run.steps = steps
    with pytest.raises(StoppedError, match="saved at step 5 of 14"):
        loop.train(run)
    assert run.checkpoints.newest() == 5


def test_a_stop_request_at_the_end_of_an_epoch_leaves_the_scoring_to_the_next_start(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    """Scoring a large split takes longer than the grace."""
    scored: list[int] = []

    def evaluate(at: int) -> Validation:
        scored.append(at)
        return validated(0.5)

    run, _ = harness.start(tmp_path, evaluate=evaluate)
    run.should_stop = lambda: run.progress.step >= 14
    with pytest.raises(StoppedError, match="saved at step 14 of 14"):
        loop.train(run)
    assert scored == [7]
    run, _ = harness.start(tmp_path, evaluate=evaluate)
    assert loop.train(run).step == 14
    assert scored == [7, 14]


def test_a_stop_request_while_the_last_epoch_is_scored_lets_the_run_end(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    asked: list[int] = []

    def evaluate(at: int) -> Validation:
        if at == 14:
            asked.append(at)
        return validated(0.5)

    run, _ = harness.start(tmp_path, evaluate=evaluate, should_stop=lambda: bool(asked))
    assert loop.train(run).step == 14
    assert asked


def test_checkpoints_lie_where_the_settings_put_them(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    harness.config.train.checkpoint_every_steps = 3
    harness.config.train.keep_checkpoints = 100
    loop.train(harness.start(tmp_path)[0])
    found = {int(path.stem[5:]) for path in (tmp_path / "checkpoints").glob("ckpt-*.index")}
    assert found == {3, 6, 7, 9, 12, 14}


def test_a_save_that_fails_ends_the_run(harness: Harness, tmp_path: pathlib.Path) -> None:
    (tmp_path / "checkpoints" / "ckpt-14.index").mkdir(parents=True)
    (tmp_path / "checkpoints" / "ckpt-14.index" / "full").touch()
    with pytest.raises(UsageError, match="Is a directory"):
        loop.train(harness.start(tmp_path)[0])


def test_a_batch_without_known_targets_trains_without_breaking(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    run, network = harness.start(tmp_path)
    batch = {
        "pixels": tf.zeros([4, 40, 40], tf.uint8),
        "targets": tf.fill([4, 3], tf.constant(-1, tf.int64)),
        "positions": tf.range(4, dtype=tf.int64),
    }
    measured = take(run, 0, iter(tf.data.Dataset.from_tensors(batch)))
    assert measured.loss.numpy().tolist() == [0.0]
    assert measured.losses.numpy().tolist() == [[0.0] * 4]
    assert all(np.isfinite(variable).all() for variable in weights(network))


def test_augmentation_and_dropout_are_drawn_anew_for_each_step(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    """One batch again and again, at a rate that moves no weight."""
    harness.config.optimizer.learning_rate = 1e-30
    run, _ = harness.start(tmp_path)
    stream = iter(tf.data.Dataset.from_tensors(next(iter(harness.batches()))).repeat())

    def loss(step: int) -> float:
        return float(take(run, step, stream).loss[0])

    assert loss(0) == loss(0)
    assert len({loss(step) for step in range(5)}) == 5
