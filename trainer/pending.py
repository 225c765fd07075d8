# SPDX-License-Identifier: MIT
"""Runs those stages of a run that are not whole yet.

TensorFlow is imported only by the stages that need it, and only if they have something to do.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from typing import Any

from preprocessing.contract import lock
from preprocessing.contract.errors import StoppedError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process import log, tensorflow_notes
from preprocessing.contract.process.stopping import StopRequests
from trainer import course
from trainer.distribution import cluster
from trainer.flags import ParsedFlags
from trainer.monitoring import eta, tuning
from trainer.monitoring.clock import CLOCK
from trainer.monitoring.ledger import Ledger
from trainer.monitoring.outlook import Outlook
from trainer.monitoring.watchdog import Watchdog
from trainer.runfolder import notes
from trainer.runfolder.completion import Completion
from trainer.serving import model_folder


class PendingStages:
    """Runs the stages that are not whole yet, and connects to devices for the first of them.

    Args:
        parsed: the command line.
        manifest: of the data set.
        stops: what listens to requests to stop.

    Attributes:
        outlook: says when the run ends.
    """

    def __init__(self, parsed: ParsedFlags, manifest: Manifest, stops: StopRequests) -> None:
        self._parsed, self._manifest, self._stops = parsed, manifest, stops
        self._whole = Completion(parsed.output, parsed.config, manifest)
        self._run: Any = None
        self._guard: Callable[[], None] = lambda: None
        self._tells = False
        self._ledger = Ledger(parsed.output, parsed.config, os.environ)
        self.outlook = Outlook()

    @contextlib.contextmanager
    def lease(self) -> Iterator[None]:
        """Keeps other runs out of the folder while this process may write there.

        Raises:
            StoppedError: another run has the folder.
        """
        mode = self._parsed.mode
        further = self._parsed.onnx or self._parsed.split
        whole = not further and self._whole.of(mode)
        if (whole and mode != "all") or not self.is_chief:
            yield
            return
        with lock.lease(self._parsed.output, self._stops.end) as self._guard:
            self._tells = not (whole or further)
            yield

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Keeps ledger and progress during a block, once nothing can refuse the run any more."""
        parsed = self._parsed
        if parsed.mode in ("train", "all"):
            plan = eta.plan(parsed.config, self._manifest, parsed.mode)
            self.outlook = Outlook(plan, parsed.output, parsed.mode)
        with contextlib.ExitStack() as held:
            if self._tells:
                held.enter_context(self._ledger.kept(self._guard))
                held.enter_context(self.outlook.written(self._guard))
            yield

    def watched(self) -> contextlib.AbstractContextManager[None]:
        """Ends the process if it hangs in a block."""
        parsed, peers = self._parsed, cluster.find(os.environ)
        floor = parsed.config.runtime.stall_seconds
        return Watchdog(parsed.data, parsed.output, floor, peers, self._stops.end).watching()

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return cluster.find(os.environ).number == 0

    def train(self) -> None:
        """Trains to the end of the run."""
        if self._whole.training_is_over():
            note = self._whole.training()
            log.show(course.describe_end(note, self._parsed.config))
            self.outlook.begin(note["steps"], note["best_validation_mean_auc"])
            if self.is_chief:
                tuning.report(
                    note.get("best_step", 0), note["best_validation_mean_auc"], os.environ
                )
            return
        self._stages().train(self._connect())

    def evaluate(self) -> None:
        """Scores the splits that the mode asks for."""
        self.outlook.enter(eta.EVALUATION)
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
        """Exports the best network."""
        self.outlook.enter(eta.EXPORT)
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
            self._run = dataclasses.replace(
                run, guard=self._guard, ledger=self._ledger, outlook=self.outlook
            )
        return self._run

    def _stages(self) -> Any:
        # Imported here because it brings TensorFlow, which --help and a finished run do not need.
        with CLOCK.phase("imports"):
            tensorflow_notes.load()
            from trainer import stages

        return stages
