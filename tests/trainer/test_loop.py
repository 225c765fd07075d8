# SPDX-License-Identifier: MIT
"""Tests of the training loop with a tiny network: exact, whatever the calls and the stops."""

import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, StoppedError
from trainer import checkpoints, dataset, loop, optimizer
from trainer.checkpoints import Checkpoints, Progress
from trainer.config import Config
from trainer.monitor import Monitor

PER_EPOCH = 7


class Harness:
    """Assembles runs over one data set; each call is a new start, as of a new process."""

    def __init__(self, data_set: Any, runtime: Any, tiny: Callable[..., Any], config: Config):
        self.data_set, self.runtime, self.tiny, self.config = data_set, runtime, tiny, config

    def start(
        self,
        output: pathlib.Path,
        *,
        config: Config | None = None,
        evaluate: Callable[[], Mapping[str, float]] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> tuple[loop.Run, Any]:
        """Returns a run that goes on from the newest checkpoint, and its network."""
        config = config or self.config
        model = self.tiny(seed=config.seed)
        schedule = optimizer.Schedule(config.optimizer, config.train.epochs * PER_EPOCH)
        adam = optimizer.build(schedule, epsilon=1e-7, precision="float32")
        adam.build(model.network.trainable_variables)
        progress = Progress.start()
        saver = Checkpoints(
            output=str(output),
            network=model.network,
            optimizer=adam,
            progress=progress,
            keep=config.train.keep_checkpoints,
        )
        saver.restore()
        batches = dataset.train_batches(
            self.runtime.strategy,
            folder=self.data_set.folder,
            manifest=self.data_set.manifest,
            config=config.data,
            seed=config.seed,
            start_step=int(progress.step.numpy()),
        )
        run = loop.Run(
            config=config,
            train_steps=loop.make_train_steps(self.runtime.strategy, model, adam, config),
            batches=iter(batches),
            per_epoch=PER_EPOCH,
            schedule=schedule,
            progress=progress,
            checkpoints=saver,
            monitor=Monitor(""),
            evaluate=evaluate or (lambda: {"Mass": 0.5}),
            should_stop=should_stop,
        )
        return run, model.network


def weights(network: Any) -> list[np.ndarray]:
    return [variable.numpy() for variable in network.variables]


def assert_equal(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.fixture
def harness(
    data_set: Any, one_device: Any, make_tiny_model: Callable[..., Any], small_settings: Any
) -> Harness:
    return Harness(data_set, one_device, make_tiny_model, small_settings())


def test_training_lowers_the_loss_and_counts_what_it_did(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    harness.config.train.epochs = 6
    run, _ = harness.start(tmp_path)
    summary = loop.train(run)
    assert (summary.step, summary.epochs) == (42, 6)
    assert summary.losses.shape == (42,)
    assert summary.losses[-7:].mean() < summary.losses[:7].mean()
    assert summary.images_per_second == pytest.approx(42 * 4 / summary.seconds)


def test_the_first_loss_is_that_of_the_definition(harness: Harness, tmp_path: Any) -> None:
    """Nothing augmented, nothing dropped: the loss can be computed from files and weights."""
    harness.config.data.flip = False
    harness.config.data.crop_fraction = 1.0
    harness.config.data.image_size = 40
    harness.tiny = lambda seed: tiny_at_40(seed)
    run, network = harness.start(tmp_path)
    batch = next(iter(run_batches(harness)))
    logits = network(batch["pixels"], training=False).numpy().astype(np.float64)
    targets = batch["targets"].numpy()
    known = targets >= 0
    each = np.logaddexp(0, np.where(targets == 1, -logits, logits))
    losses = run.train_steps(run.batches, tf.constant(0, tf.int64), tf.constant(1)).numpy()
    assert losses[0] == pytest.approx(each[known].mean(), rel=1e-5)


def tiny_at_40(seed: int) -> Any:
    import keras

    from trainer.model import Model

    pixels = keras.Input([40, 40], dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255, dtype="float32")(pixels))
    features = keras.Model(pixels, keras.layers.Dense(4, activation="tanh")(flat))
    inner = keras.Input([4])
    logits = keras.layers.Dense(3)
    head = keras.Model(inner, logits(inner))
    return Model(keras.Model(pixels, logits(features.output)), features, head, 0.0)


def run_batches(harness: Harness) -> Any:
    return dataset.train_batches(
        harness.runtime.strategy,
        folder=harness.data_set.folder,
        manifest=harness.data_set.manifest,
        config=harness.config.data,
        seed=0,
        start_step=0,
    )


def test_steps_per_call_changes_nothing(harness: Harness, tmp_path: pathlib.Path) -> None:
    results = []
    for steps_per_call in (1, 3, 100):
        harness.config.train.steps_per_call = steps_per_call
        run, network = harness.start(tmp_path / str(steps_per_call))
        results.append([loop.train(run).losses, *weights(network)])
    assert_equal(results[0], results[1])
    assert_equal(results[0], results[2])


def test_another_seed_changes_the_losses(harness: Harness, tmp_path: pathlib.Path) -> None:
    first = loop.train(harness.start(tmp_path / "a")[0]).losses
    harness.config.seed = 1
    assert not np.allclose(first, loop.train(harness.start(tmp_path / "b")[0]).losses)


@pytest.mark.parametrize("every", [0, 1, 5])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    harness: Harness, tmp_path: pathlib.Path, every: int
) -> None:
    """Dies without warning inside the first and the second epoch."""
    run, network = harness.start(tmp_path / "whole")
    expected = [loop.train(run).losses, *weights(network)]
    harness.config.train.checkpoint_every_steps = every
    losses: dict[int, float] = {}
    for dies_at in (5, 12, 10**6):
        run, network = harness.start(tmp_path / "cut")
        first = int(run.progress.step.numpy())

        def stop_dead(run: Any = run, dies_at: int = dies_at) -> bool:
            if run.progress.step.numpy() >= dies_at:
                raise KeyboardInterrupt
            return False

        harness.config.train.steps_per_call = 2
        run.should_stop = stop_dead
        original = run.train_steps

        def recording(batches: Any, at: Any, count: Any, original: Any = original) -> Any:
            found = original(batches, at, count)
            losses.update(enumerate(found.numpy().tolist(), start=int(at)))
            return found

        run.train_steps = recording
        try:
            summary = loop.train(run)
        except KeyboardInterrupt:
            continue
        assert first == (7 if every == 0 else 12 // every * every)
    assert summary.step == 14
    np.testing.assert_array_equal(expected[0], [losses[step] for step in range(14)])
    assert_equal(expected[1:], weights(network))


def test_a_finished_run_has_nothing_to_do(harness: Harness, tmp_path: pathlib.Path) -> None:
    loop.train(harness.start(tmp_path)[0])
    run, network = harness.start(tmp_path)
    before = weights(network)
    summary = loop.train(run)
    assert (summary.step, len(summary.losses)) == (14, 0)
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

    def evaluate() -> Mapping[str, float]:
        kept[int(run.progress.step.numpy())] = weights(network)
        return next(scripted)

    run, network = harness.start(tmp_path, evaluate=evaluate)
    summary = loop.train(run)
    assert (summary.best_step, summary.best_auc) == (14, 0.75)
    restored = harness.tiny(seed=5).network
    assert checkpoints.restore_best(str(tmp_path), restored) == (14, 0.75)
    assert_equal(kept[14], weights(restored))


def test_patience_ends_a_run_that_no_longer_improves(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    harness.config.train.epochs = 9
    harness.config.train.patience_epochs = 2
    scripted = iter([0.5, 0.6, 0.6, 0.55, 0.9])
    run, _ = harness.start(tmp_path, evaluate=lambda: {"Mass": next(scripted)})
    summary = loop.train(run)
    assert (summary.epochs, summary.best_step) == (4, 14)
    again, _ = harness.start(tmp_path, evaluate=lambda: {"Mass": next(scripted)})
    assert loop.train(again).epochs == 4


def test_a_loss_that_is_no_number_ends_the_run_and_is_not_saved(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    harness.config.train.checkpoint_every_steps = 2
    run, network = harness.start(tmp_path)
    original = run.train_steps

    def poisoned(batches: Any, first: Any, count: Any) -> Any:
        if int(first) >= 4:
            network.trainable_variables[0].assign(
                tf.fill(network.trainable_variables[0].shape, math.nan)
            )
        return original(batches, first, count)

    run.train_steps = poisoned
    with pytest.raises(ConfigError, match=r"loss of step 4 is nan: lower optimizer\.learning_rate"):
        loop.train(run)
    again, network = harness.start(tmp_path)
    assert int(again.progress.step.numpy()) == 4
    assert all(np.isfinite(variable).all() for variable in weights(network))


def test_a_stop_request_saves_and_the_next_start_goes_on(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    run, network = harness.start(tmp_path / "whole")
    loop.train(run)
    expected = weights(network)
    asked = iter([False, True])
    run, _ = harness.start(tmp_path / "cut", should_stop=lambda: next(asked))
    with pytest.raises(StoppedError, match="saved at step 4 of 14") as caught:
        loop.train(run)
    assert caught.value.exit_code == 75
    run, network = harness.start(tmp_path / "cut")
    assert int(run.progress.step.numpy()) == 4
    loop.train(run)
    assert_equal(expected, weights(network))


def test_a_stop_request_after_the_last_step_lets_the_run_end(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    run, _ = harness.start(tmp_path)
    run.should_stop = lambda: bool(run.progress.step.numpy() >= 14)
    assert loop.train(run).step == 14


def test_checkpoints_lie_where_the_settings_put_them(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    harness.config.train.checkpoint_every_steps = 3
    harness.config.train.keep_checkpoints = 100
    loop.train(harness.start(tmp_path)[0])
    found = {int(path.stem[5:]) for path in (tmp_path / "checkpoints").glob("ckpt-*.index")}
    assert found == {3, 6, 7, 9, 12, 14}


def test_a_batch_without_known_targets_trains_without_breaking(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    run, network = harness.start(tmp_path)
    batch = {
        "pixels": tf.zeros([4, 40, 40], tf.uint8),
        "targets": tf.fill([4, 3], tf.constant(-1, tf.int64)),
        "positions": tf.range(4, dtype=tf.int64),
    }
    stream = iter(tf.data.Dataset.from_tensors(batch))
    losses = run.train_steps(stream, tf.constant(0, tf.int64), tf.constant(1)).numpy()
    assert losses.tolist() == [0.0]
    assert all(np.isfinite(variable).all() for variable in weights(network))


def test_augmentation_and_dropout_are_drawn_anew_for_each_step(
    harness: Harness, tmp_path: pathlib.Path
) -> None:
    """One batch again and again, at a rate that moves no weight."""
    harness.config.optimizer.learning_rate = 1e-30
    run, _ = harness.start(tmp_path)
    stream = iter(tf.data.Dataset.from_tensors(next(iter(run_batches(harness)))).repeat())

    def loss(step: int) -> float:
        at = tf.constant(step, tf.int64)
        return float(run.train_steps(stream, at, tf.constant(1))[0])

    assert loss(0) == loss(0)
    assert len({loss(step) for step in range(5)}) == 5


@pytest.mark.distributed
@pytest.mark.slow
def test_two_devices_train_like_one_with_the_same_global_batch(two_cpus: dict[str, Any]) -> None:
    losses = two_cpus["losses"]
    assert len(losses["two"]) == 9
    assert losses["two"][0] == pytest.approx(losses["one"][0], rel=1e-5)
    # Later steps agree only if the gradients of the replicas are summed, not averaged again.
    assert losses["two"] == pytest.approx(losses["one"], rel=1e-3)


@pytest.mark.distributed
@pytest.mark.slow
def test_two_devices_train_with_loss_scaling(two_cpus: dict[str, Any]) -> None:
    losses = two_cpus["losses"]
    assert losses["mixed_float16"] == pytest.approx(losses["one"], rel=2e-2)
