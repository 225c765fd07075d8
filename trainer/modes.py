# SPDX-License-Identifier: MIT
"""Does what a command line of the trainer asks for: the stages of its mode that are not whole yet.

TensorFlow is imported only by the stages that need it, and only if they have something to do.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from typing import Any

from absl import logging

from preprocessing.contract import lock
from preprocessing.contract.errors import JobError, StoppedError
from preprocessing.contract.files import faults, storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process import log, tensorflow_notes
from preprocessing.contract.process.stopping import StopRequests
from trainer import course, report_stage
from trainer.distribution import cluster
from trainer.experiments import compare, folds, results, series
from trainer.flags import ParsedFlags
from trainer.monitoring import tuning
from trainer.report import requirements
from trainer.report.report import Report
from trainer.runfolder import notes
from trainer.runfolder.completion import Completion
from trainer.serving import model_folder
from trainer.training import starts


def run(parsed: ParsedFlags, stops: StopRequests, finish: Callable[[int], None]) -> None:
    """Runs the stages of the mode.

    Args:
        parsed: the command line.
        stops: what listens to requests to stop.
        finish: called with 0 before anything that the stages hold is let go of.

    Raises:
        JobError: what the user can fix, a request to start again, or a report that falls short.
    """
    says = {"dry_run": _dry_run, "verify_export": _verify_export, "compare": _compare}
    if say := (says | {"fetch_weights": _fetch_weights}).get(parsed.mode):
        log.show(say(parsed))
        finish(0)
        return
    if parsed.config.runtime.accelerator == "gpu":
        tensorflow_notes.show()
    if parsed.mode == "report":
        with lock.lease(parsed.output, stops.end):
            own = _report(parsed)
        requirements.check(own, parsed.require)
        return
    starts.check_platform(os.environ)
    manifest = folds.manifest_of(parsed.data, parsed.several.fold)
    if parsed.split:
        parsed = _with_settings_of_run(parsed)
    stages = _Stages(parsed, manifest, stops)
    if parsed.several.seeds or parsed.several.folds:
        made = series.run(parsed, manifest, stops, is_chief=stages.is_chief)
    else:
        with stages.lease():
            made = _run(parsed, manifest, stages)
        stages.end()
    # Behind all else: what falls short is whole, and no other process waits for this one.
    requirements.check(made, parsed.require)
    finish(0)


def _run(parsed: ParsedFlags, manifest: Manifest, stages: "_Stages") -> Report | None:
    made = None
    notes.check(parsed.output, parsed.config, manifest)
    if parsed.mode in ("train", "all"):
        series.check_folder(parsed.output, "")
        stages.train()
    if parsed.mode in ("evaluate", "all"):
        stages.evaluate()
    if parsed.mode == "all" and stages.is_chief:
        made = report_stage.on_run(parsed, manifest)
        _show_report(parsed.output)
    if parsed.mode in ("export", "all") and stages.is_chief:
        stages.export()
    if made is not None:
        results.note(parsed.output, parsed.files)
    return made


def _with_settings_of_run(parsed: ParsedFlags) -> ParsedFlags:
    """Takes what a run was trained with, and where and how to score it from the command line."""
    config = notes.described(parsed.output)
    if config is None:
        return parsed
    given = parsed.config
    runtime = dataclasses.replace(given.runtime, precision=config.runtime.precision)
    config = dataclasses.replace(config, runtime=runtime, evaluation=given.evaluation)
    config.validate()
    return dataclasses.replace(parsed, config=config)


def _dry_run(parsed: ParsedFlags) -> str:
    # Imported here for the same reason as in `_Stages._stages`.
    tensorflow_notes.load()
    from trainer import dry_run

    return dry_run.describe(parsed)


def _verify_export(parsed: ParsedFlags) -> str:
    tensorflow_notes.load()
    from trainer.serving import golden

    return golden.verify(parsed.output)


def _compare(parsed: ParsedFlags) -> str:
    draws = parsed.config.evaluation.bootstrap_resamples, parsed.config.seed
    return compare.run(parsed.several.runs, parsed.output, *draws, parsed.asked.margin)


def _fetch_weights(parsed: ParsedFlags) -> str:
    tensorflow_notes.load()
    from trainer.network import published

    return published.fetch(parsed.output)


def _report(parsed: ParsedFlags) -> Report:
    if parsed.predictions:
        return report_stage.on_file(parsed)
    manifest = folds.manifest_of(parsed.data, parsed.several.fold) if parsed.data else None
    made = report_stage.on_run(parsed, manifest)
    results.note(parsed.output, parsed.files)
    return made


def _show_report(output: str) -> None:
    # Imported here because TensorBoard takes a second, which a report alone need not wait for.
    from trainer.monitoring import report_events

    try:
        report_events.log(output, os.environ)
    except (JobError, OSError) as error:
        logging.warning(f"TensorBoard gets no report ({faults.line(error)})")


class _Stages:
    """Runs the stages that are not whole yet, and connects to devices for the first of them."""

    def __init__(self, parsed: ParsedFlags, manifest: Manifest, stops: StopRequests) -> None:
        self._parsed, self._manifest, self._stops = parsed, manifest, stops
        self._whole = Completion(parsed.output, parsed.config, manifest)
        self._run: Any = None
        self._guard: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def lease(self) -> Iterator[None]:
        """Keeps other runs out of the folder while this process may write there.

        Raises:
            StoppedError: another run has the folder.
        """
        mode = self._parsed.mode
        further = self._parsed.onnx or self._parsed.split
        whole = mode != "all" and not further and self._whole.of(mode)
        if whole or not self.is_chief:
            yield
            return
        with lock.lease(self._parsed.output, self._stops.end) as self._guard:
            yield

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return cluster.find(os.environ).number == 0

    def train(self) -> None:
        if self._whole.training_is_over():
            note = self._whole.training()
            log.show(course.describe_end(note, self._parsed.config))
            if self.is_chief:
                tuning.report(
                    note.get("best_step", 0), note["best_validation_mean_auc"], os.environ
                )
            return
        self._stages().train(self._connect())

    def evaluate(self) -> None:
        if self._parsed.split:
            path = self._stages().score_split(self._connect(), self._parsed.split)
            log.show(f"predictions: {path}")
            return
        whole = self._whole.predictions()
        if self._run is not None:
            # The others may look before the chief has noted that the training is over.
            whole = bool(self._run.runtime.agreement.chiefs(int(whole)))
        if whole:
            path = storage.join(self._parsed.output, notes.PREDICTIONS)
            log.show(f"predictions are complete: {path}")
            return
        path = self._stages().evaluate(self._connect())
        log.show(f"predictions: {path}")

    def export(self) -> None:
        if self._whole.export() and not self._parsed.onnx:
            folder = storage.join(self._parsed.output, "saved_model")
        else:
            # The other processes may have nothing left to do, so this one works alone.
            parsed, stages = self._parsed, self._stages()
            if parsed.onnx:
                stages.export.onnx_file.check_installed()
            run = self._run or stages.alone(
                parsed.data, parsed.output, parsed.config, self._manifest, self._stops
            )
            folder = stages.export_best(
                dataclasses.replace(run, guard=self._guard), onnx=parsed.onnx
            )
        log.show(f"SavedModel: {folder}")
        if there := model_folder.fill(folder, os.environ):
            log.show(f"SavedModel for {model_folder.VARIABLE}: {there}")

    def end(self) -> None:
        """Waits for all: a process that ended before the chief would look like a lost one.

        Once everything is written nobody is needed any more. The chief knows that it is; the others
        read it in the folder, since the first to leave may be gone before all have heard of it.

        Raises:
            StoppedError: the chief was lost before it had written everything.
        """
        if self._run is None:
            return
        try:
            self._run.runtime.agreement.barrier()
        except StoppedError:
            if not self.is_chief and not self._is_written():
                raise

    def _is_written(self) -> bool:
        if split := self._parsed.split:
            return storage.exists(storage.join(self._parsed.output, notes.predictions_of(split)))
        return self._whole.of(self._parsed.mode)

    def _connect(self) -> Any:
        if self._run is None:
            parsed = self._parsed
            run = self._stages().connect(
                parsed.data, parsed.output, parsed.config, self._manifest, self._stops
            )
            self._run = dataclasses.replace(run, guard=self._guard)
        return self._run

    def _stages(self) -> Any:
        # Imported here because it brings TensorFlow, which --help and a finished run do not need.
        tensorflow_notes.load()
        from trainer import stages

        return stages
