# SPDX-License-Identifier: MIT
"""Tests of what counts as whole: notes that name what they were made from, and their files."""

import pathlib
from typing import Any

import pytest

from preprocessing.contract.files import storage
from trainer.runfolder import identity, notes
from trainer.runfolder.completion import Completion

# Of two epochs, as `small_settings` has them.
TRAINED = {"steps": 14, "best_step": 7, "best_validation_mean_auc": 0.7, "stale_epochs": 1}


@pytest.fixture
def run(data_set: Any, small_settings: Any, tmp_path: pathlib.Path) -> Completion:
    """A run whose four stages are whole, by its notes."""
    made = Completion(str(tmp_path), small_settings(), data_set.manifest)
    known = identity.of(made.config, made.manifest)
    storage.write_text(storage.join(made.output, notes.REPORT), "{}")
    storage.write_text(storage.join(made.output, notes.PREDICTIONS), "id\n")
    sha256 = storage.sha256_of(storage.join(made.output, notes.REPORT))
    for name, note in (
        (notes.TRAINING, {"identity": known, **TRAINED}),
        (
            notes.PREDICTIONS_NOTE,
            notes.predictions_note(made.config, made.manifest, 7),
        ),
        (
            notes.EXPORT_NOTE,
            {
                "form": 2,
                "identity": known,
                "step": 7,
                "report_sha256": sha256,
                "familiarity": made.config.evaluation.familiarity,
            },
        ),
    ):
        notes.write_note(made.output, name, note)
    return made


def test_a_whole_run_is_whole_in_every_mode(run: Completion) -> None:
    assert all(run.of(mode) for mode in ("train", "evaluate", "export", "all"))


@pytest.mark.parametrize(
    ("lost", "whole"),
    [
        (notes.TRAINING, ()),
        (notes.PREDICTIONS, ("train", "export")),
        (notes.PREDICTIONS_NOTE, ("train", "export")),
        (notes.REPORT, ("train", "evaluate")),
        (notes.EXPORT_NOTE, ("train", "evaluate")),
    ],
)
def test_what_is_lost_has_to_be_made_again(
    run: Completion, lost: str, whole: tuple[str, ...]
) -> None:
    storage.delete(storage.join(run.output, lost))
    assert [mode for mode in ("train", "evaluate", "export", "all") if run.of(mode)] == list(whole)


def test_predictions_that_were_edited_are_made_again(run: Completion) -> None:
    path = storage.join(run.output, notes.PREDICTIONS)
    note = notes.predictions_note(run.config, run.manifest, 7)
    written = {**note, notes.SHA256: storage.sha256_of(path)}
    notes.write_note(run.output, notes.PREDICTIONS_NOTE, written)
    assert run.of("evaluate")
    storage.write_text(path, "id\nedited\n")
    assert not run.of("evaluate")


def test_a_better_network_makes_what_was_made_of_another_one_old(run: Completion) -> None:
    note = {"identity": identity.of(run.config, run.manifest), **TRAINED, "best_step": 9}
    notes.write_note(run.output, notes.TRAINING, note)
    assert [mode for mode in ("train", "evaluate", "export", "all") if run.of(mode)] == ["train"]


def test_another_number_of_pictures_to_learn_from_asks_for_another_export(run: Completion) -> None:
    run.config.evaluation.familiarity = 9
    assert [mode for mode in ("train", "evaluate", "export", "all") if run.of(mode)] == [
        "train",
        "evaluate",
    ]


def test_other_views_make_predictions_and_export_old_and_nothing_else(run: Completion) -> None:
    # The export's note above is of an earlier version, which knew one view.
    note = notes.predictions_note(run.config, run.manifest, 7)
    assert note.pop("views") == "one"
    notes.write_note(run.output, notes.PREDICTIONS_NOTE, note)
    assert run.of("all")
    run.config.evaluation.views = "flip"
    assert [mode for mode in ("train", "evaluate", "export", "all") if run.of(mode)] == ["train"]
    notes.write_note(run.output, notes.PREDICTIONS_NOTE, note | {"views": "flip"})
    assert run.of("evaluate") and not run.of("export")


def test_another_setting_makes_everything_old(run: Completion) -> None:
    run.config.seed += 1
    assert not any(run.of(mode) for mode in ("train", "evaluate", "export", "all"))


def test_more_epochs_ask_for_more_training_and_leave_the_rest_whole_till_it_begins(
    run: Completion,
) -> None:
    run.config.train.epochs += 1
    assert [mode for mode in ("train", "evaluate", "export", "all") if run.of(mode)] == [
        "evaluate",
        "export",
    ]


@pytest.mark.parametrize("text", ["[]", "null", "text", '{"identity": 3}', "{}"])
@pytest.mark.parametrize("name", [notes.TRAINING, notes.PREDICTIONS_NOTE, notes.EXPORT_NOTE])
def test_a_note_that_holds_something_else_makes_its_stage_run_again(
    run: Completion, name: str, text: str
) -> None:
    storage.write_text(storage.join(run.output, name), text)
    assert not run.of("all")
