# SPDX-License-Identifier: MIT
"""Trains one recipe several times, each in a process of its own, and makes one report over all.

TensorFlow keeps state for the life of a process: names of layers, seeds, the devices, memory. A
process of its own makes each run the one that its own command would make, bit by bit, and each goes
on from its checkpoints as that would. Imports no TensorFlow.
"""

import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from preprocessing.contract import lock
from preprocessing.contract.errors import JobError, StoppedError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process import log
from preprocessing.contract.process.stopping import StopRequests, tidied
from trainer import report_stage
from trainer.experiments import compare, finished, spread
from trainer.experiments.finished import Finished
from trainer.flags import ParsedFlags
from trainer.predictions import metadata, table
from trainer.predictions.pairing import aligned
from trainer.predictions.table import Predictions
from trainer.runfolder import notes

# Replaced by tests that train a smaller network.
PROGRAM = (sys.executable, "-m", "trainer.task")
# Flags of the series, which its runs get with values of their own or not at all.
_OWN = ("data", "output", "seeds", "folds", "config.seed")
# The platform's folders are of one run; what several put there would be a mixture.
_OF_ONE_RUN = ("AIP_MODEL_DIR", "AIP_TENSORBOARD_LOG_DIR")
_LOOK_S, _TIDY_S = 0.2, 1.5


class EndedError(JobError):
    """A run of a series ended without success and said why (its own exit code)."""

    def __init__(self, output: str, code: int) -> None:
        super().__init__(
            f"{output} ended with exit code {code}, for the reason above; the same command goes on"
        )
        self.exit_code = code


def run(parsed: ParsedFlags, manifest: Manifest, stops: StopRequests, *, is_chief: bool) -> None:
    """Trains all runs of a series that are not whole yet, one after another, and reports on them.

    Args:
        parsed: the command line, with `seeds`.
        manifest: of the data set.
        stops: what listens to requests to stop, which the run that is at work gets too.
        is_chief: whether this process is the one that writes; the others only train.

    Raises:
        EndedError: a run ended without success.
        StoppedError: a stop was asked for.
    """
    outputs: list[str] = []
    for output, own in _members(parsed):
        log.show(f"run {len(outputs) + 1}: {output}")
        code = _exit_code(
            [*PROGRAM, *_kept(parsed.several.arguments), f"--output={output}", *own], stops
        )
        if code:
            raise EndedError(output, code if code > 0 else 128 - code)
        if stops.came.is_set():
            raise StoppedError(f"stopped behind {output}: the same command goes on")
        outputs.append(output)
    if is_chief:
        with lock.lease(parsed.output, stops.end):
            _report(parsed, manifest, outputs)


def _members(parsed: ParsedFlags) -> Iterator[tuple[str, list[str]]]:
    """Yields folder and flags of each run."""
    first = parsed.config.seed
    for seed in range(first, first + parsed.several.seeds):
        own = [f"--data={parsed.data}", f"--config.seed={seed}"]
        yield storage.join(parsed.output, f"seed-{seed}"), own


def _kept(arguments: Sequence[str]) -> list[str]:
    """Returns a command line without the flags that are the series's own.

    >>> _kept(["--seeds=3", "--output", "/o", "--config.seed=1", "--config.train.epochs=2"])
    ['--config.train.epochs=2']
    """
    left, kept = list(arguments), []
    while left:
        argument = left.pop(0)
        name, given, _ = argument.partition("=")
        if not name.startswith("-") or name.lstrip("-") not in _OWN:
            kept.append(argument)
        elif not given:
            left.pop(0)
    return kept


def _exit_code(command: Sequence[str], stops: StopRequests) -> int:
    """Runs a program to its end, which a request to stop brings about."""
    environ = {name: text for name, text in os.environ.items() if name not in _OF_ONE_RUN}
    out, err = log.descriptors()
    program = subprocess.Popen(command, env=environ, stdout=out, stderr=err)

    def end() -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(_TIDY_S)
        program.kill()

    asked = False
    with program, tidied(end), stops.held() as should_stop:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return program.wait(_LOOK_S)
            if should_stop() and not asked:
                asked = True
                program.terminate()


def _report(parsed: ParsedFlags, manifest: Manifest, outputs: Sequence[str]) -> None:
    """Writes the comparison of the runs, their predictions as one file, and the report on it."""
    resamples, seed = parsed.config.evaluation.bootstrap_resamples, parsed.config.seed
    runs = finished.read(outputs)
    found = spread.compare(runs, resamples=resamples, seed=seed)
    compare.write(parsed.output, found)
    log.show(f"\n{compare.text(found)}")
    table.write(storage.join(parsed.output, notes.PREDICTIONS), _together(runs))
    beside = storage.join(outputs[0], notes.PREDICTIONS.rpartition("/")[0], metadata.NAME)
    facts = parsed.metadata or (beside if storage.exists(beside) else "")
    alone = {each["run"]: each["mean"]["auc"]["value"] for each in found["runs"]}
    report_stage.on_series(
        dataclasses.replace(parsed, metadata=facts),
        manifest,
        {"by": "seed", "runs": alone, **found["groups"][0]["spread"]},
    )


def _together(runs: Sequence[Finished]) -> Predictions:
    """Returns the mean of the runs' scores."""
    parts = [run.predictions for run in runs]
    return table.concatenated([_mean(parts, split) for split in ("validation", "test")])


def _mean(parts: Sequence[Predictions], split: str) -> Predictions:
    first, *others = (part.select(split) for part in parts)
    scores = [first.scores, *(aligned(first, each, name=split) for each in others)]
    return dataclasses.replace(first, scores=np.mean(scores, axis=0, dtype=np.float64), raw=None)
