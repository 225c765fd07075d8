# SPDX-License-Identifier: MIT
"""Runs the trainer's command line as a platform does, and reads from TensorBoard when steps ended.

What is logged is stamped by the clock, which is the same for all processes of a machine.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

_STOPPED = 75
_POLL_S, _PATIENCE_S = 0.5, 900.0
_FOREIGN = ("TF_CONFIG", "CLUSTER_SPEC", "CXR14_", "JOBSET_", "JOB_COMPLETION_INDEX", "TPU_")


@dataclasses.dataclass(frozen=True)
class Start:
    """One start of a run, from command to exit.

    Attributes:
        began: when the command was given, by the clock.
        ends: training step -> when its end was logged, by the clock.
    """

    began: float
    ends: dict[int, float]

    @property
    def first(self) -> int:
        """The first step of this start."""
        return min(self.ends)

    @property
    def to_first_step(self) -> float:
        """Seconds from the command to the end of the first step."""
        return self.ends[self.first] - self.began

    def seconds(self, first: int, last: int) -> float:
        """Returns the time from the end of one step to the end of another."""
        return self.ends[last] - self.ends[first]


def run(
    data: str, output: pathlib.Path, flags: Sequence[str], *, processes: int = 1, until: int = 0
) -> Start:
    """Starts a run, or goes on with it, and stops it by SIGTERM.

    Args:
        data: folder of the data set.
        output: folder of the run.
        flags: settings, as `--config.seed=1`.
        processes: how many train together on the loopback.
        until: stop once there is a checkpoint of this step; 0 stops after some steps, at
            the first line of progress.
    """
    output.mkdir(parents=True, exist_ok=True)
    said = _log(output, 0).stat().st_size if _log(output, 0).exists() else 0
    began = time.time()
    with _started(data, output, flags, processes) as workers:
        deadline = time.monotonic() + _PATIENCE_S
        while not _is_due(output, until, said):
            if time.monotonic() > deadline or any(worker.poll() is not None for worker in workers):
                raise SystemExit(f"the run in {output} did not get to its end: {_words(output)}")
            time.sleep(_POLL_S)
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        codes = [worker.wait(_PATIENCE_S) for worker in workers]
    if set(codes) != {_STOPPED}:
        raise SystemExit(f"the run in {output} ended with exit codes {codes}: {_words(output)}")
    return Start(began, _ends(output, began))


@contextlib.contextmanager
def _started(
    data: str, output: pathlib.Path, flags: Sequence[str], processes: int
) -> Iterator[list[subprocess.Popen[bytes]]]:
    command = [
        *(sys.executable, "-m", "trainer.task", "--mode=train", f"--data={data}"),
        f"--output={output}",
        *flags,
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    hosts = [f"127.0.0.1:{port}" for port in _free_ports(processes)]
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for index in range(processes):
            cluster = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
            environ = kept if processes == 1 else {**kept, "TF_CONFIG": json.dumps(cluster)}
            with _log(output, index).open("ab") as log:
                workers.append(subprocess.Popen(command, stdout=log, stderr=log, env=environ))
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _is_due(output: pathlib.Path, until: int, said: int) -> bool:
    if until:
        return (output / "checkpoints" / f"ckpt-{until}.index").exists()
    # A line of progress comes after half a minute of steps.
    return b"training: " in _log(output, 0).read_bytes()[said:]


def _log(output: pathlib.Path, index: int) -> pathlib.Path:
    return output / f"worker-{index}.log"


def _words(output: pathlib.Path) -> str:
    """Returns the last words of the first process."""
    return _log(output, 0).read_text(errors="replace")[-800:]


def _ends(output: pathlib.Path, began: float) -> dict[int, float]:
    ends: dict[int, float] = {}
    for path in sorted(output.rglob("*.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            tags = [value.tag for value in event.summary.value]
            if event.wall_time >= began and any(tag.startswith("train/") for tag in tags):
                ends[event.step] = min(event.wall_time, ends.get(event.step, event.wall_time))
    if not ends:
        raise SystemExit(f"the run in {output} has logged no step")
    return ends
