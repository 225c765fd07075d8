# SPDX-License-Identifier: MIT
"""A data set is declared complete only when every shard of its plan is there."""

import pathlib

import pytest

from preprocessing import index, locate, pipeline
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.radiographs import Recipe
from preprocessing.shards import finalize
from preprocessing.shards.shards import Rejection, note_path, write


@pytest.fixture
def plan(tree) -> pipeline.Plan:
    """The plan of a miniature data set, all of its shards written."""
    config = Config(stored_size=16, validation_fraction=0.3, examples_per_shard=8)
    inputs = tree.inputs()
    read = index.read(inputs, config)
    located = locate.merge(read, inputs, locate.look(read, inputs), [])
    made = pipeline.make_plan(inputs, config, read, located, Recipe(16, "png"))
    for task in made.all_tasks:
        write(task)
    return made


def test_a_shard_without_its_note_means_run_again(plan: pipeline.Plan) -> None:
    first, second = plan.all_tasks[:2]
    storage.delete(note_path(first))
    storage.write_text(note_path(second), "{")
    with pytest.raises(DataError, match=f"2 shards were not written, first {first.name}: run"):
        finalize.finish(first.output, plan.tasks, draft=plan.draft, allowed=0.0)
    assert not storage.exists(storage.join(first.output, "manifest.json"))


def test_a_list_of_rejected_images_of_an_earlier_run_does_not_stay(plan: pipeline.Plan) -> None:
    output = pathlib.Path(plan.all_tasks[0].output)
    (output / finalize.REJECTED).write_text("id,reason,text,uri\n")
    made = finalize.finish(str(output), plan.tasks, draft=plan.draft, allowed=0.0)
    assert made.counters["images_rejected"] == 0
    assert not (output / finalize.REJECTED).exists()


def test_tables_are_their_owners_and_run_no_formula_in_a_spreadsheet(plan: pipeline.Plan) -> None:
    output = pathlib.Path(plan.all_tasks[0].output)
    rejected = [Rejection("=cmd|x!A1", "no_picture", "-1", "+a.png")]
    warnings = [("@b.png", "\tcolumn")]
    finalize.finish(
        str(output), plan.tasks, draft=plan.draft, allowed=1.0, rejected=rejected, warnings=warnings
    )
    assert (output / finalize.REJECTED).read_text().splitlines()[1] == (
        "'=cmd|x!A1,no_picture,-1,'+a.png"
    )
    assert (output / finalize.WARNINGS).read_text().splitlines()[1] == "'@b.png,'\tcolumn"
    for name in (finalize.REJECTED, finalize.WARNINGS):
        assert (output / name).stat().st_mode & 0o777 == 0o600
    assert (output / "manifest.json").stat().st_mode & 0o044
