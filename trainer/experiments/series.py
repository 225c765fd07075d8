# SPDX-License-Identifier: MIT
"""Trains one recipe several times, each in a process of its own, and makes one report over all.

TensorFlow keeps state for the life of a process: names of layers, seeds, the devices, memory. A
process of its own makes each run the one that its own command would make, bit by bit, and each goes
on from its checkpoints as that would. Imports no TensorFlow.
"""

import contextlib
import dataclasses
import functools
import os
import subprocess
import time
from collections.abc import Iterator, Sequence

from preprocessing.contract import lock
from preprocessing.contract.errors import JobError, StoppedError, UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process import log, processes
from preprocessing.contract.process.stopping import StopRequests, tidied
from trainer import report_stage
from trainer.experiments import compare, finished, folds, spread
from trainer.experiments.finished import Finished
from trainer.flags import ParsedFlags
from trainer.predictions import averaged, metadata, table
from trainer.predictions.table import Predictions
from trainer.report import requirements
from trainer.report.report import Report
from trainer.runfolder import notes

# Replaced by tests that train a smaller network.
PROGRAM = processes.python("from trainer import task; task.console()")
# Flags of the series, which its runs get with values of their own or not at all.
_OWN = ("data", "output", "seeds", "folds", "config.seed", requirements.NAME)
# The platform's folders are of one run; what several put there would be a mixture.
_OF_ONE_RUN = ("AIP_MODEL_DIR", "AIP_TENSORBOARD_LOG_DIR")
_LOOK_S, _TIDY_S, _WAIT_S = 0.2, 1.5, 2.0


class EndedError(JobError):
    """A run of a series ended without success and said why (its own exit code)."""

    def __init__(self, output: str, code: int) -> None:
        super().__init__(
            f"{output} ended with exit code {code}, for the reason above: when that is put "
            "right, the same command goes on"
        )
        self.exit_code = code


def run(
    parsed: ParsedFlags, manifest: Manifest, stops: StopRequests, *, is_chief: bool
) -> Report | None:
    """Trains all runs of a series that are not whole yet, one after another, and reports on them.

    Args:
        parsed: the command line, with `seeds` or `folds`.
        manifest: of the data set.
        stops: what listens to requests to stop, which the run that is at work gets too.
        is_chief: whether this process is the one that writes; the others only train.

    Returns:
        The report over them; None where another process writes it.

    Raises:
        EndedError: a run ended without success.
        StoppedError: a stop was asked for.
    """
    check_folder(parsed.output, "seed" if parsed.several.seeds else "fold")
    outputs: list[str] = []
    for output, own in _members(parsed, manifest, stops, is_chief=is_chief):
        log.show(f"run {len(outputs) + 1}: {output}")
        code = _exit_code(
            [*PROGRAM, *_kept(parsed.several.arguments), f"--output={output}", *own], stops
        )
        # A run that has just been started does not listen yet: the signal itself ends it.
        if stops.came.is_set() and code <= 0:
            where = "in" if code else "behind"
            raise StoppedError(f"stopped {where} {output}: the same command goes on")
        if code:
            raise EndedError(output, code if code > 0 else 128 - code)
        outputs.append(output)
    if is_chief:
        with lock.lease(parsed.output, stops.end):
            return _report(parsed, manifest, outputs)
    return None


def check_folder(output: str, by: str) -> None:
    """Keeps a series and a run, or two kinds of series, from replacing each other's report.

    Args:
        output: folder of the run, or of the series.
        by: "seed" or "fold", what the runs of a series differ in; empty for a run.

    Raises:
        UsageError: the folder holds something else.
    """
    if notes.is_begun(output):
        there = ""
    elif facts := finished.series_of(output):
        there = str(facts.get("by"))
    else:
        return
    if there != by:
        what = f"a series by {there}" if there else "a run"
        raise UsageError(
            f"--output={output} holds {what}, whose predictions and report would be replaced: name "
            "another folder"
        )


def _members(
    parsed: ParsedFlags, manifest: Manifest, stops: StopRequests, *, is_chief: bool
) -> Iterator[tuple[str, list[str]]]:
    """Yields folder and flags of each run."""
    seed, several = parsed.config.seed, parsed.several
    for one in range(seed, seed + several.seeds):
        own = [f"--data={parsed.data}", f"--config.seed={one}"]
        yield storage.join(parsed.output, f"seed-{one}"), own
    if several.folds:
        data = _divided(parsed, manifest, stops, is_chief=is_chief)
    for fold in range(several.folds):
        own = [f"--data={data}", f"--fold={fold}", f"--config.seed={seed}"]
        yield storage.join(parsed.output, f"fold-{fold}"), own


def _divided(
    parsed: ParsedFlags, manifest: Manifest, stops: StopRequests, *, is_chief: bool
) -> str:
    """Returns the folder of the folds, which the chief makes and the others wait for."""
    if is_chief:
        with lock.lease(parsed.output, stops.end):
            return folds.make(parsed.data, manifest, parsed.output, parsed.several.folds)
    folder = storage.join(parsed.output, folds.FOLDER)
    deadline = time.monotonic() + parsed.config.runtime.formation_seconds
    while not folds.is_made(folder):
        if time.monotonic() > deadline:
            raise StoppedError(f"{folder} was not made in time: the same command goes on")
        time.sleep(_WAIT_S)
    return folder


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
    asked = False
    # Held before the program is started, so that no request leaves it behind.
    with (
        stops.held() as should_stop,
        subprocess.Popen(command, env=environ, stdout=out, stderr=err) as program,
        tidied(functools.partial(_end, program)),
    ):
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return program.wait(_LOOK_S)
            if should_stop() and not asked:
                asked = True
                program.terminate()


def _end(program: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(_TIDY_S)
    program.kill()


def _report(parsed: ParsedFlags, manifest: Manifest, outputs: Sequence[str]) -> Report:
    """Writes the comparison of the runs, their predictions as one file, and the report on it."""
    resamples, seed = parsed.config.evaluation.bootstrap_resamples, parsed.config.seed
    runs = finished.read(outputs)
    if parsed.several.folds:  # they differ in the data, but are of one recipe
        runs = [dataclasses.replace(run, settings={**run.settings, "data": ""}) for run in runs]
    found = spread.compare(runs, resamples=resamples, seed=seed)
    if parsed.several.seeds:
        compare.write(parsed.output, found)
        log.show(f"\n{compare.text(found)}")
    together = _together(runs, by_fold=bool(parsed.several.folds))
    table.write(storage.join(parsed.output, notes.PREDICTIONS), together)
    beside = storage.join(outputs[0], notes.PREDICTIONS.rpartition("/")[0], metadata.NAME)
    facts = parsed.metadata or (beside if storage.exists(beside) else "")
    alone = {each["run"]: each["mean"]["auc"]["value"] for each in found["runs"]}
    by = "fold" if parsed.several.folds else "seed"
    return report_stage.on_series(
        dataclasses.replace(parsed, metadata=facts),
        manifest,
        {"by": by, "runs": alone, **found["groups"][0]["spread"]},
    )


def _together(runs: Sequence[Finished], *, by_fold: bool) -> Predictions:
    """Returns the mean of the runs' scores; of folds, each image's score by the run that left it.

    That holds for validation; no fold has trained on the test split.
    """
    parts, names = [run.predictions for run in runs], [run.name for run in runs]
    if not by_fold:
        return averaged.mean(parts, names)
    left = [part.select("validation") for part in parts]
    tested = averaged.mean([part.select("test") for part in parts], names)
    return table.concatenated([*left, tested])
