# SPDX-License-Identifier: MIT
"""Two workers train like one device; one is killed and all go on; then their number changes.

With a small network, in a minute and a half. `test_workers.py` and `test_workers_killed.py` do the
same with ResNet-50 for longer, with more ways to spread a run and more kills.
"""

import dataclasses
import json
import pathlib
import shutil
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cxr14_results import different, distance, losses, scores, tensors
from cxr14_workers import STOPPED, Cluster, Job, litter, newest_step

from preprocessing.contract import manifest
from trainer.runfolder import notes

pytestmark = [pytest.mark.slow, pytest.mark.distributed]

_EPOCHS, _BATCH, _PATIENCE = 4, 12, 200
_SETTINGS: dict[str, Any] = {
    "optimizer__name": "sgd",
    "optimizer__learning_rate": 0.05,
    "model__batch_norm": "synchronized",
    "data__global_batch_size": _BATCH,
    "train__epochs": _EPOCHS,
    "train__steps_per_call": 1,
    "train__checkpoint_every_steps": 1,
    "train__log_every_steps": 1,
    "evaluation__gallery": 0,
    "runtime__formation_seconds": 60,
}


@dataclasses.dataclass
class History:
    """The runs, all of the same settings on the same data.

    Attributes:
        alone: folder of the run on one device.
        together: of the run on two workers, which nobody disturbed.
        pair: the workers of that run.
        killed: of the run on two workers of which one was killed, finished by the same command.
        codes: the exit codes of these workers, of the start with the kill and of the next one.
        reached: the step of the checkpoint that the kill left.
        said: what the worker that was left has printed.
        changed: of a copy of what the kill left, finished by one process with three devices.
    """

    alone: pathlib.Path
    together: pathlib.Path
    pair: Job
    killed: pathlib.Path
    codes: list[list[int | None]]
    reached: int
    said: str
    changed: pathlib.Path


@pytest.fixture(scope="module")
def history(
    cluster: Cluster,
    train_flags: Callable[..., list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> History:
    folder = tmp_path_factory.mktemp("two_workers")

    def job(name: str, *first: str, workers: int = 1, **more: Any) -> Job:
        flags = [*first, *train_flags(str(folder / name), **_SETTINGS, **more)]
        return cluster.job(flags, workers=workers, module="tests.cluster.small_backbone")

    def finish(*jobs: Job) -> None:
        for one in jobs:
            codes = one.wait(_PATIENCE)
            assert codes == [0] * len(codes), one.text()

    alone = job("alone", "--mode=all").start()
    together = job("together", "--mode=all", workers=2).start()
    finish(together, alone)  # in this order: when a worker ended is seen by who waits for it
    # Late, so that the run is not over before somebody is killed.
    killed = job("killed", "--late=0.7", "--mode=train", workers=2).start()
    assert killed.until(lambda: newest_step(folder / "killed") >= 2, _PATIENCE), killed.text()
    killed.send(signal.SIGKILL, 1)
    codes, said = [killed.wait(60)], killed.text(0)
    reached = newest_step(folder / "killed")
    shutil.copytree(folder / "killed", folder / "changed")
    changed = job("changed", "--mode=train", runtime__logical_cpus=3).start()
    finish(killed.start(), changed)
    return History(
        alone=folder / "alone",
        together=folder / "together",
        pair=together,
        killed=folder / "killed",
        codes=[*codes, killed.codes],
        reached=reached,
        said=said,
        changed=folder / "changed",
    )


@pytest.fixture(scope="module")
def total(preprocessed: str) -> int:
    """Steps of a run, on a data set that divides by nothing."""
    splits = manifest.read(preprocessed).splits
    assert splits["train"].examples % _BATCH
    assert splits["validation"].examples % _BATCH or splits["test"].examples % _BATCH
    return _EPOCHS * (splits["train"].examples // _BATCH)


def test_two_workers_have_the_losses_of_one_device(history: History, total: int) -> None:
    alone, together = losses(history.alone), losses(history.together)
    assert list(alone) == list(together) == list(range(1, total + 1))
    assert np.ptp(list(alone.values())) > 0.01
    for step, loss in alone.items():
        assert together[step] == pytest.approx(loss, rel=1e-5), step


def test_two_workers_have_the_weights_of_one_device(history: History) -> None:
    alone, together = tensors(history.alone), tensors(history.together)
    assert len(alone) > 20
    furthest, where = distance(alone, together)
    assert furthest <= 1e-5, where


def test_batch_statistics_are_those_of_the_global_batch(history: History) -> None:
    alone, together = tensors(history.alone), tensors(history.together)
    moving = [name for name in alone if name.endswith(("moving_mean", "moving_variance"))]
    assert len(moving) == 6
    for name in moving:
        assert np.ptp(alone[name]) > 0.01  # neither where they started
        np.testing.assert_allclose(together[name], alone[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_two_workers_score_every_image_exactly_once_and_as_one_device(
    history: History, preprocessed: str
) -> None:
    splits = manifest.read(preprocessed).splits
    (ids, together), (expected, alone) = scores(history.together), scores(history.alone)
    assert len(ids) == len(set(ids)) == splits["validation"].examples + splits["test"].examples
    assert ids == expected
    assert alone.std() > 1e-4
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_nobody_leaves_before_the_chief_has_written_everything(history: History) -> None:
    ended = history.pair.workers[1].ended + time.time() - time.monotonic()
    assert ended >= (history.together / notes.EXPORT_NOTE).stat().st_mtime
    assert "report:" in history.pair.text(0)
    assert "report:" not in history.pair.text(1)
    assert not litter(history.together)


def test_who_loses_a_peer_ends_with_75_and_the_same_command_finishes(
    history: History, total: int
) -> None:
    assert history.codes == [[STOPPED, -signal.SIGKILL], [0, 0]]
    assert "lost a peer (worker 1 at 127.0.0.1:" in history.said
    assert 2 <= history.reached < total
    assert newest_step(history.killed) == newest_step(history.together) == total
    assert not litter(history.killed)


def test_the_weights_after_a_kill_are_those_of_the_undisturbed_run_bit_for_bit(
    history: History,
) -> None:
    for folder in ("checkpoints", "checkpoints/best"):
        assert newest_step(history.killed, folder) == newest_step(history.together, folder)
        assert not different(tensors(history.killed, folder), tensors(history.together, folder))


def test_a_run_goes_on_with_another_number_of_replicas(history: History, total: int) -> None:
    found = [
        json.loads((output / notes.TRAINING).read_text())
        for output in (history.alone, history.together, history.changed)
    ]
    assert [note["replicas"] for note in found] == [1, 2, 3]
    assert [note["steps"] for note in found] == [total] * 3
    furthest, where = distance(tensors(history.alone), tensors(history.changed))
    assert furthest <= 1e-5, where
