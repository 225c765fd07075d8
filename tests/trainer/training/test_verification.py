# SPDX-License-Identifier: MIT
"""Tests that flipped bits are found, named and left behind, and that without them nothing changes.

`benchmarks/corruption.py` does the same a thousand times.
"""

import math
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import corruption
from benchmarks.corruption import EVERY, KINDS, Trial
from preprocessing.contract.errors import ResourceError, StoppedError
from trainer.checkpoints import bundle
from trainer.training import verification


@pytest.fixture(scope="module")
def trial(one_device: Any, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    output = tmp_path_factory.mktemp("verified")
    return Trial(corruption.settings(EVERY), one_device, str(output), flips=True)


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_a_flipped_bit_is_found_and_named_for_what_it_is(trial: Trial, kind: int) -> None:
    generator = np.random.default_rng(kind)
    for _ in range(4):
        flip = trial.draw(kind, generator)
        found = trial.outcome(flip)
        assert trial.is_right(flip, found), (flip, found)
        assert isinstance(found, StoppedError | ResourceError)
        assert found.exit_code == (75 if isinstance(found, StoppedError) else 74)


def test_nothing_is_found_where_nothing_is_flipped(trial: Trial) -> None:
    trial.progress.step, trial.progress.verified_step = 0, -1
    assert trial.outcome(corruption.Flip(-1, 1, 0, 0, 0)) is None
    # The first step, and every fifth.
    assert trial.progress.verified_step == 10
    trial.take(10, 3)
    assert trial.progress.verified_step == 10


def test_what_a_verified_step_vouches_for_is_gone_on_from_and_what_came_later_is_not(
    trial: Trial,
) -> None:
    folder = pathlib.Path(trial.saver._folder)
    trial.outcome(corruption.Flip(-1, 1, 0, 0, 0))
    trial.saver._saved_step = -1
    trial.saver.save()
    # Stopped inside a stretch; the next start finds a fault at once.
    trial.take(10, 2)
    trial.saver.save()
    trial.saver.wait()
    kept = [bundle.step_of(path) for path in bundle.newest_first(str(folder))]
    assert kept == [12, 10]
    assert trial.saver.newest() == 12
    name, variable = trial.state[-1]
    variable.assign(variable + 1)
    with pytest.raises(ResourceError) as raised:
        trial.take(12, 2)
    assert f"silent corruption in step 12: {name} is not in memory" in str(raised.value)
    assert f"goes on from {folder}/ckpt-10, the last one" in str(raised.value)
    assert trial.saver.newest() == 10
    trial.saver.clean()
    assert {path.name.partition(".")[0] for path in folder.glob("ckpt*")} == {"ckpt-10"}


def test_without_a_checkpoint_that_is_vouched_for_none_is_deleted(trial: Trial) -> None:
    trial.outcome(corruption.Flip(-1, 1, 0, 0, 0))
    trial.saver._saved_step = -1
    trial.saver.save()
    trial.saver.wait()
    trial.progress.verified_step = -1
    name, variable = trial.state[0]
    variable.assign(variable * 2 + 1)
    with pytest.raises(ResourceError, match="for which no verified step vouches"):
        trial.take(10, 1)
    assert trial.saver.newest() == 10


def test_a_copy_of_what_is_not_held_is_not_saved(trial: Trial) -> None:
    trial.outcome(corruption.Flip(-1, 1, 0, 0, 0))
    averaged = {name: one for name, one in trial.state if name.startswith("average/")}
    name, variable = next(iter(averaged.items()))
    trial.progress.best_step = 3
    before = variable.numpy()
    variable.assign(corruption._flipped(variable.value, 1, 30))
    for save in (trial.saver.save, trial.saver.save_best):
        trial.saver._saved_step = -1
        with pytest.raises(ResourceError, match=f"silent corruption in step 10: {name} is not"):
            save()
    variable.assign(before)
    trial.saver.save_best()
    trial.saver.wait()
    best = bundle.newest_first(f"{trial.saver._folder}/best")[0]
    assert bundle.damage_of(best) == ""
    np.testing.assert_array_equal(bundle.read(best)[name.replace("average", "network")], before)


def test_differences_are_counted_bit_for_bit_or_within_a_tolerance() -> None:
    one = tf.constant([[1.0, 0.0, -2.0, math.inf]])
    others = {
        (1, 1): [1.0, -0.0, -2.0, math.inf],
        (0, 0): [1.0, 0.0, -2.0, math.inf],
        (2, 2): [1.0, 0.001, -2.0, 3.0],
    }
    for (exact, _), other in others.items():
        assert verification._differing([one], [tf.constant([other])], 0.0).numpy() == [exact]
    same = tf.constant([100.0, 1.0, 0.0])
    for other, far in (
        ([100.0, math.nan, 0.0], 3),
        ([100.5, 1.0, -0.7], 0),
        ([101.0, 1.0, 0.9], 2),
        ([100.0, math.inf, 0.0], 3),
    ):
        counts = verification._differing([same], [tf.constant(other)], 2.0**-7).numpy()
        assert bool(counts[0]) == bool(far)
    overflown = [tf.constant([math.inf, 1.0]), tf.constant([math.nan, 2.0])]
    assert verification._differing(overflown[:1], overflown[1:], 2.0**-7).numpy() == [0]


def test_a_checksum_of_the_graph_is_that_of_a_bundle() -> None:
    generator = np.random.default_rng(0)
    for shape in ([], [1], [7, 3], [4, 2]):
        for kind in (np.float32, np.int64):
            array = (1000 * generator.normal(size=shape)).astype(kind)
            variable = tf.Variable(array)
            assert verification._checksum(variable).numpy() == bundle.checksum(array)
