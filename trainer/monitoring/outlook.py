# SPDX-License-Identifier: MIT
"""Says while a run goes on how far it is and when it ends: to the loop, and in `progress.json`.

The file is written twice a minute. Imports no TensorFlow.
"""

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from preprocessing.contract.errors import JobError, StoppedError
from preprocessing.contract.files import faults, storage
from trainer.monitoring.clock import CLOCK, Clock
from trainer.monitoring.eta import Eta, Plan
from trainer.runfolder import notes, progress_note
from trainer.runfolder.kept_file import KeptFile

TRAINING = "training"
_EVERY_S = 30.0
# A process that was asked to end has 15 seconds, and saves in them.
_LAST_S = 5.0


class Outlook:
    """How far a run is and how long it still takes.

    Args:
        plan: what there is to do; without one, nothing is said.
        output: folder of the run.
        mode: of the command line.
        clock: seconds by phase.
        every_s: seconds between two writes.
    """

    def __init__(
        self,
        plan: Plan | None = None,
        output: str = "",
        mode: str = "",
        clock: Clock = CLOCK,
        every_s: float = _EVERY_S,
    ) -> None:
        self._plan, self._path = plan or Plan(), storage.join(output, progress_note.PROGRESS)
        self._output, self._clock = output, clock
        self._file = KeptFile(self._path, every_s, _LAST_S)
        self._eta = Eta(self._plan)
        self._note: dict[str, Any] = {"state": "running", "mode": mode, "stage": "", "error": ""}
        self._note |= {"step": 0, "best_validation_mean_auc": None, "starts": 1}
        self._counted, self._lock = False, threading.Lock()

    @contextlib.contextmanager
    def written(self, guard: Callable[[], None]) -> Iterator[None]:
        """Keeps `progress.json` while a block runs, and says in it how the block ended.

        Args:
            guard: fails where the folder has become another run's.
        """
        if not self._plan.steps:
            yield
            return
        ended = {"state": "failed"}
        with self._file.kept(self._count, guard, self._write, at_once=True):
            try:
                yield
                ended = {"state": "done", "stage": ""}
            except JobError as error:
                state = "stopped" if isinstance(error, StoppedError) else "failed"
                ended = {"state": state, "error": faults.line(error)}
                raise
            finally:
                self._note |= ended

    def begin(self, step: int, best: float) -> None:
        """Says that training begins after a step, with the best validation mean AUC so far."""
        self._tell(lambda now: self._eta.begin(step, now), step=step, stage=TRAINING)
        self._note["best_validation_mean_auc"] = best if best >= 0 else None

    def stepped(self, step: int) -> None:
        """Says that steps were taken, up to `step`."""
        self._tell(lambda now: self._eta.stepped(step, now), step=step)

    def validated(self, best: float) -> None:
        """Says that the validation split was scored, and the best mean AUC so far."""
        self._tell(self._eta.validated, best_validation_mean_auc=best)

    def enter(self, stage: str) -> None:
        """Says that the training is over and that a stage begins."""
        if self._plan.after:
            self._tell(lambda now: self._eta.enter(stage, now), stage=stage)

    def left(self) -> float:
        """Returns the seconds up to the end of the run; NaN where they are not known."""
        with self._lock:
            return self._eta.left(self._clock.seconds()) if self._plan.steps else math.nan

    def words(self) -> str:
        """Returns what a line says of the end, with a comma before it; "" for nothing."""
        left = self.left()
        if not math.isfinite(left):
            return ""
        most = "at most " if self._plan.may_end_early else ""
        return f", all done in {most}{progress_note.span(left)}"

    def note(self, now: float) -> dict[str, Any]:
        """Returns the content of `progress.json` at a moment, in seconds since 1970."""
        plan, left = self._plan, self.left()
        with self._lock:
            speed = self._eta.images_per_second
        note = dict(self._note)
        known = math.isfinite(left) and note["state"] == "running"
        epochs = plan.steps // plan.per_epoch
        note |= {
            "steps": plan.steps,
            "epoch": min(note["step"] // plan.per_epoch + 1, epochs),
            "epochs": epochs,
            "images_per_second": round(speed, 2) if math.isfinite(speed) else None,
            "seconds_left": round(left) if known else None,
            "at_most": plan.may_end_early and note["stage"] == TRAINING,
            "expected_end": progress_note.iso(now + left) if known else None,
            "written": progress_note.iso(now),
        }
        return note | {"sentence": progress_note.sentence(note)}

    def _tell(self, what: Callable[[Mapping[str, float]], None], **facts: Any) -> None:
        with self._lock:
            what(self._clock.seconds())
            self._note |= facts

    def _count(self) -> None:
        """Counts the starts, this one too."""
        if not self._counted:
            before = notes.read_note(self._output, progress_note.PROGRESS).get("starts")
            self._note["starts"] += before if isinstance(before, int) else 0
            self._counted = True

    def _write(self) -> None:
        storage.write_text(self._path, json.dumps(self.note(time.time()), indent=2) + "\n")
