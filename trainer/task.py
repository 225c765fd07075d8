# SPDX-License-Identifier: MIT
"""Command line of the trainer: `cxr14-train --mode=train|evaluate|report|export|all --flags`.

TensorFlow is imported only by the stages that need it, and only if they have something to do.
"""

import functools
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from preprocessing.contract import manifest as manifests
from preprocessing.contract import storage
from preprocessing.contract.errors import JobError
from preprocessing.contract.manifest import Manifest
from trainer import cluster, flags, reporting, runfolder, stopping
from trainer.flags import ParsedFlags
from trainer.scratch import Scratch
from trainer.stopping import StopRequests


def main(
    argv: Sequence[str] | None = None,
    leave: Callable[[str], None] = stopping.leave,
    finish: Callable[[int], None] = lambda code: None,
) -> int:
    """Runs a command line and returns its exit code; every user error is one sentence.

    Args:
        argv: program name first; the process's own by default.
        leave: ends the process when it is told to stop.
        finish: called with the exit code before anything that the stages hold is let go of.
    """
    # Set before TensorFlow is imported: its start-up notes bury what the run says.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        parsed = flags.parse(list(sys.argv if argv is None else argv))
        if parsed.help:
            print(parsed.help)
            return 0
        with StopRequests(leave).listening() as stops:
            _run(parsed, stops, finish)
        return 0
    except JobError as error:
        print(f"cxr14-train: {' '.join(str(error).split())}", file=sys.stderr)
        finish(error.exit_code)
        return error.exit_code


def console() -> None:
    """Entry point of the console script."""
    scratch = Scratch()

    def finish(code: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        scratch.remove()
        # Not sys.exit, and not later: TensorFlow's servers wait at the interpreter's end for peers
        # that are gone, and so do its iterators and strategies when they are let go of.
        os._exit(code)

    try:
        code = main(leave=functools.partial(stopping.leave, tidy=scratch.remove), finish=finish)
    except Exception:
        traceback.print_exc()
        finish(1)
    finish(code)


def _run(parsed: ParsedFlags, stops: StopRequests, finish: Callable[[int], None]) -> None:
    if parsed.mode == "report":
        _report(parsed)
        return
    manifest = manifests.read(parsed.data)
    runfolder.begin(parsed.output, parsed.config, manifest)
    stages = _Stages(parsed, manifest, stops)
    if parsed.mode in ("train", "all"):
        stages.train()
    if parsed.mode in ("evaluate", "all"):
        stages.evaluate()
    if parsed.mode == "all" and stages.is_chief:
        reporting.on_run(parsed, manifest)
        _show_report(parsed.output)
    if parsed.mode in ("export", "all") and stages.is_chief:
        stages.export()
    stages.end()
    finish(0)


def _report(parsed: ParsedFlags) -> None:
    if parsed.predictions:
        reporting.on_file(parsed)
    else:
        reporting.on_run(parsed, manifests.read(parsed.data) if parsed.data else None)


def _show_report(output: str) -> None:
    # Imported here because TensorBoard takes a second, which a report alone need not wait for.
    from trainer import report_board

    report_board.log(output, os.environ)


class _Stages:
    """Runs the stages that are not whole yet, and connects to devices for the first of them."""

    def __init__(self, parsed: ParsedFlags, manifest: Manifest, stops: StopRequests) -> None:
        self._parsed, self._manifest, self._stops = parsed, manifest, stops
        self._identity = runfolder.identity(parsed.config, manifest)
        self._job: Any = None

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return cluster.find(os.environ).number == 0

    def train(self) -> None:
        note = runfolder.read_note(self._parsed.output, runfolder.TRAINING)
        if note.get("identity") == self._identity:
            print(
                f"training is complete: {note['steps']} steps, best validation mean AUC "
                f"{note['best_validation_mean_auc']:.4f} at step {note['best_step']}"
            )
            return
        self._stages().train(self._connect())

    def evaluate(self) -> None:
        output = self._parsed.output
        trained = runfolder.read_note(output, runfolder.TRAINING)
        scored = runfolder.read_note(output, runfolder.PREDICTIONS_NOTE)
        step = trained.get("best_step")
        wanted = runfolder.predictions_note(self._parsed.config, self._manifest, step)
        path = storage.join(output, runfolder.PREDICTIONS)
        whole = scored == wanted and trained.get("identity") == self._identity
        if whole and storage.exists(path):
            print(f"predictions are complete: {path}")
            return
        path = self._stages().evaluate(self._connect())
        print(f"predictions: {path}")

    def export(self) -> None:
        output = self._parsed.output
        trained = runfolder.read_note(output, runfolder.TRAINING)
        note = runfolder.read_note(output, runfolder.EXPORT_NOTE)
        report_path = storage.join(output, runfolder.REPORT)
        sha256 = storage.sha256_of(report_path) if storage.exists(report_path) else ""
        whole = note.get("identity") == self._identity == trained.get("identity")
        if whole and note["step"] == trained["best_step"] and note["report_sha256"] == sha256:
            folder = storage.join(output, "saved_model")
        else:
            # The other processes may have nothing left to do, so this one works alone.
            parsed, stages = self._parsed, self._stages()
            job = self._job or stages.alone(
                parsed.data, parsed.output, parsed.config, self._manifest, self._stops
            )
            folder = stages.export_best(job)
        print(f"SavedModel: {folder}")

    def end(self) -> None:
        """Waits for the chief: a process that ended before it would look like a lost one."""
        if self._job is not None:
            self._stages().end(self._job)

    def _connect(self) -> Any:
        if self._job is None:
            parsed = self._parsed
            self._job = self._stages().connect(
                parsed.data, parsed.output, parsed.config, self._manifest, self._stops
            )
        return self._job

    def _stages(self) -> Any:
        # Imported here because it brings TensorFlow, which --help and a finished run do not need.
        from trainer import stages

        return stages


if __name__ == "__main__":
    console()
