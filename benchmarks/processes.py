# SPDX-License-Identifier: MIT
"""Whole runs, as a platform starts them: cost of checkpoints, restart, and two workers for one."""

import pathlib
import statistics
import tempfile
from collections.abc import Iterator

from benchmarks import full_size
from benchmarks.ratio import Ratio
from benchmarks.rounds import rounds
from benchmarks.runs import Start, run

_ROWS, _PICTURES, _BATCH, _SIZE = 12_000, 300, 32, 64
_SAVE_EVERY, _SAVES = 50, 2
_SCALING_ROUNDS, _SCALING_STEPS, _SCALING_WARM_UP = 2, 30, 6

_FLAGS = (
    "--config.model.weights=none",
    f"--config.data.image_size={_SIZE}",
    f"--config.data.global_batch_size={_BATCH}",
    "--config.train.log_every_steps=1",
)
_WORK = f"ResNet-50, {_SIZE} px, batch {_BATCH}, float32"


def measure(folder: str) -> Iterator[Ratio]:
    """Starts runs on a data set of some thousand records.

    Args:
        folder: where the data set lies or is made.
    """
    data = _data_set(pathlib.Path(folder).absolute())
    with tempfile.TemporaryDirectory(prefix="cxr14-bench-") as scratch:
        runs = pathlib.Path(scratch)
        yield from _one_process(data, runs)
        yield from _scaling(data, runs)


def _data_set(folder: pathlib.Path) -> str:
    """Returns a data set whose epoch is longer than what is measured in it."""
    made = folder / "shards-many"
    if not (made / "manifest.json").exists():
        tree = full_size.make_tree(folder, rows=_ROWS, pictures=_PICTURES)
        full_size.run_job(tree, made)
    return str(made)


def _one_process(data: str, runs: pathlib.Path) -> list[Ratio]:
    """Cost of a checkpoint inside one run, then restarts of it in turn with fresh starts."""
    flags = [*_FLAGS, f"--config.train.checkpoint_every_steps={_SAVE_EVERY}"]
    fresh = [run(data, runs / "long", flags, until=_SAVE_EVERY * (_SAVES + 1))]
    restarts = [run(data, runs / "long", flags)]
    fresh.append(run(data, runs / "fresh", flags))
    restarts.append(run(data, runs / "long", flags))
    saving, plain = _block_seconds(fresh[0])
    images = _SAVE_EVERY * _BATCH
    again = statistics.median(start.to_first_step for start in restarts)
    return [
        Ratio(
            f"training {_WORK}, a checkpoint every {_SAVE_EVERY} steps",
            images / saving,
            "the same steps without",
            images / plain,
            ">= 0.98",
        ),
        Ratio(
            f"from the command to the end of the first step, restored at step {restarts[0].first}",
            again,
            "the same from scratch",
            statistics.median(start.to_first_step for start in fresh),
            "stated",
            unit="s",
        ),
    ]


def _block_seconds(start: Start) -> tuple[float, float]:
    """Returns the seconds of as many steps as lie between two checkpoints, with one and without.

    A checkpoint is written at once or beside the steps that follow it; those of the second half of
    the way to the next one have nothing to do with it. Each step counts with the median over the
    checkpoints, which a hiccup of the machine does not move.
    """
    steps = []
    for at in range(_SAVE_EVERY):
        # Whether a step is logged before or after it is saved does not matter from 0 on.
        ends = [save * _SAVE_EVERY + at for save in range(1, _SAVES + 1)]
        steps.append(statistics.median(start.seconds(end - 1, end) for end in ends))
    half = _SAVE_EVERY // 2
    return sum(steps), 2 * sum(steps[half:])


def _scaling(data: str, runs: pathlib.Path) -> list[Ratio]:
    """The same global batch on one device, on two of one process, and on two processes."""
    flags = [*_FLAGS, f"--config.train.checkpoint_every_steps={_SCALING_STEPS}"]
    mirrored = ["--config.runtime.strategy=mirrored", "--config.runtime.logical_cpus=2"]
    speeds: dict[str, list[float]] = {"one": [], "mirrored": [], "workers": []}
    for at in rounds("one device, two devices, two processes", _SCALING_ROUNDS):
        for name, more, processes in (
            ("one", ["--config.runtime.strategy=one_device"], 1),
            ("mirrored", mirrored, 1),
            ("workers", ["--config.runtime.strategy=multi_worker"], 2),
        ):
            start = run(
                data,
                runs / f"{name}-{at}",
                [*flags, *more],
                processes=processes,
                until=_SCALING_STEPS,
            )
            seconds = start.seconds(_SCALING_WARM_UP, _SCALING_STEPS)
            speeds[name].append((_SCALING_STEPS - _SCALING_WARM_UP) * _BATCH / seconds)
    middle = {name: statistics.median(values) for name, values in speeds.items()}
    one = "one device on the same cores, same global batch"
    return [
        Ratio(
            f"two logical devices in one process, {_WORK}",
            middle["mirrored"],
            one,
            middle["one"],
            "stated",
        ),
        Ratio(
            f"two processes on the loopback, {_WORK}",
            middle["workers"],
            one,
            middle["one"],
            "stated",
        ),
    ]
