# SPDX-License-Identifier: MIT
"""A run is compared when it is finished, and known to differ from others in the seed alone."""

import os
import pathlib
from collections.abc import Callable

import pytest

from preprocessing.contract.errors import DataError
from trainer.experiments import finished
from trainer.runfolder import notes


def test_runs_that_differ_in_the_seed_alone_have_one_recipe(run: Callable[..., str]) -> None:
    paths = [run("a"), run("b", seed=1), run("c", seed=1, loss__name="focal")]
    # Where and how fast a run was made does not count.
    paths.append(run("d", seed=2, runtime__strategy="mirrored", data__cache="memory"))
    paths.append(run("e", seed=2, train__epochs=3))
    recipes = [each.recipe for each in finished.read(paths)]
    assert [recipes.index(each) for each in recipes] == [0, 0, 2, 0, 4]


def test_what_varies_is_shown_of_every_run(run: Callable[..., str]) -> None:
    runs = finished.read([run("a"), run("b", seed=1, loss__name="focal")])
    assert finished.varied(runs) == [
        {"loss.name": "bce", "seed": 0},
        {"loss.name": "focal", "seed": 1},
    ]


def test_copied_predictions_are_taken_without_settings(
    run: Callable[..., str], tmp_path: pathlib.Path
) -> None:
    path = f"{run('a')}/{notes.PREDICTIONS}"
    for name in (notes.PREDICTIONS_NOTE, notes.TRAINING, notes.CONFIG):
        os.unlink(tmp_path / "a" / name)
    runs = finished.read([f"{tmp_path}/a", path, run("b/a")])
    assert [each.name for each in runs] == [f"{tmp_path}/a", "predictions.csv", f"{tmp_path}/b/a"]
    assert [bool(each.settings) for each in runs] == [False, False, True]
    assert finished.varied(runs) == [{}, {}, {}]
    assert len({each.recipe for each in runs}) == 3


def test_a_run_that_is_not_finished_is_one_sentence(
    run: Callable[..., str], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(DataError, match="holds no run"):
        finished.read([f"{tmp_path}/nothing"])
    path = run("a")
    notes.write_note(path, notes.TRAINING, {"best_step": 9})
    with pytest.raises(DataError, match=r"/a is not finished .*run its command again"):
        finished.read([path])
    notes.write_note(path, notes.TRAINING, {"best_step": 5})
    with (tmp_path / "a" / notes.PREDICTIONS).open("a") as file:
        file.write("\n")
    with pytest.raises(DataError, match="is not what the evaluation of this run wrote"):
        finished.read([path])
    os.unlink(tmp_path / "a" / notes.PREDICTIONS)
    with pytest.raises(DataError, match="is not finished"):
        finished.read([path])
