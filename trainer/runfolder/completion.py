# SPDX-License-Identifier: MIT
"""Finds out from a run's folder alone which of its stages are whole; imports no TensorFlow."""

import dataclasses
from typing import Any

from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from trainer import course
from trainer.config import Config
from trainer.runfolder import identity, notes


@dataclasses.dataclass(frozen=True)
class Completion:
    """What is complete of a run; each question is answered by reading the folder again.

    Attributes:
        output: folder of the run.
        config: its settings.
        manifest: of its data set.
    """

    output: str
    config: Config
    manifest: Manifest

    def training(self) -> dict[str, Any]:
        """Returns the note of a training that came to an end; empty if there is none.

        It may have been given more epochs since.
        """
        note = notes.read_note(self.output, notes.TRAINING)
        whole = note.get("identity") == identity.of(self.config, self.manifest)
        return note if whole else {}

    def training_is_over(self) -> bool:
        """Tells whether the settings ask for no more steps than were taken."""
        note = self.training()
        return bool(note) and course.is_over(note, self.config, self.manifest)

    def predictions(self) -> bool:
        """Tells whether the best network was evaluated and its predictions are as written."""
        trained = self.training()
        scored = notes.read_note(self.output, notes.PREDICTIONS_NOTE)
        step = trained.get("best_step")
        wanted = notes.predictions_note(self.config, self.manifest, step)
        path = storage.join(self.output, notes.PREDICTIONS)
        scored.pop(notes.SHA256, None)
        scored[notes.VIEWS] = notes.views_of(scored)
        made = bool(trained) and scored == wanted and storage.exists(path)
        return made and not notes.predictions_changed(self.output)

    def export(self) -> bool:
        """Tells whether the best network was exported, with the report that is there now.

        What an older version exported is not whole: it lacks signatures and files.
        """
        trained = self.training()
        note = notes.read_note(self.output, notes.EXPORT_NOTE)
        note[notes.VIEWS] = notes.views_of(note)
        step, report = trained.get("best_step"), notes.report_sha256(self.output)
        wanted = notes.export_note(self.config, self.manifest, step, report)
        return bool(trained) and note == note | wanted

    def of(self, mode: str) -> bool:
        """Tells whether everything is whole that a mode asks for, but a report asked for alone."""
        if mode == "train":
            return self.training_is_over()
        if mode == "evaluate":
            return self.predictions()
        if mode == "export":
            return self.export()
        made = self.predictions() and self.export()
        return self.training_is_over() and bool(notes.report_sha256(self.output)) and made
