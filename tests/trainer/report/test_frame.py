# SPDX-License-Identifier: MIT
"""The frame says what is not there, and what must be known before a number is quoted."""

import dataclasses
from collections.abc import Callable

from preprocessing.contract.tables import Table
from preprocessing.contract.wording import sentence
from trainer.predictions.table import Predictions
from trainer.report import frame
from trainer.report.contents import SECTIONS, missing, present
from trainer.report.parts import Fold, Notes
from trainer.report.report import build
from trainer.report.source import Source

Make = Callable[..., Predictions]


def by_name(report: dict[str, object]) -> dict[str, frame.Shown]:
    return {each.name: each for each in frame.content(report)}


def test_parts_are_read_in_one_order_and_none_is_lost(make: Make) -> None:
    report = build(Source(make(), resamples=10))
    chapters = {chapter.name: chapter for chapter in frame.chapters(report)}
    by_question = {name: [each.name for each in one.shown] for name, one in chapters.items()}
    assert by_question["good"][:4] == ["findings", "certainty", "curves", "discrimination"]
    assert by_question["trust"][0] == "validation"
    assert by_question["trust"][-4:] == ["limits", "checklist", "absent", "provenance"]
    names = [name for shown in by_question.values() for name in shown]
    assert names == [each.name for each in frame.content(report)]
    assert set(present(report)) <= set(names) and len(set(names)) == len(names)
    for name in present(report):
        assert name in by_question[SECTIONS[name].question]
    alone = build(Source(make(splits=("validation",)), resamples=10))
    assert "validation" not in by_name(alone)


def test_sections_that_could_not_be_made_have_their_reason(make: Make) -> None:
    report = build(Source(make(), resamples=10))
    [absent] = by_name(report)["absent"].parts
    assert isinstance(absent, Table) and absent.rows
    assert [row[1] for row in absent.rows] == [
        sentence(report[name]["reason"]) for name in missing(report)
    ]


def test_provenance_keeps_facts_that_have_no_place_of_their_own(make: Make) -> None:
    context = {"training": {"steps": 7}, "manifest": "lost", "x": {"y": 3}}
    report = build(Source(make(), resamples=10, context=context))
    parts = {
        part.title: part.parts[0].rows
        for part in by_name(report)["provenance"].parts
        if isinstance(part, Fold)
    }
    assert ("steps", "7") in parts["Training run"] and "Data set" not in parts
    assert {("x.y", "3"), ("manifest", "lost")} <= set(parts["Further facts"])


def test_every_caveat_and_ignored_column_is_a_caution(make: Make) -> None:
    predictions = dataclasses.replace(make(), ignored_columns=("age", "<i>"))
    report = build(Source(predictions, resamples=10))
    notes, lines = frame.notes_of(report), frame.cautions(report)
    for topic in ("split", "few_positives", "undefined", "unknown_labels"):
        assert notes[topic] in lines
    assert lines[-1].endswith("that were not used: age, <i>.")


def test_limits_are_those_of_a_phantom_where_it_is_one(make: Make) -> None:
    for manifest, topic in (({}, "labels"), ({"phantom": "drawn"}, "phantom")):
        report = build(Source(make(), resamples=10, context={"manifest": manifest}))
        [limits] = by_name(report)["limits"].parts
        assert isinstance(limits, Notes)
        assert limits.lines[0] == frame.notes_of(report)[topic]


def test_checklists_name_parts_by_their_headings(make: Make) -> None:
    report = build(Source(make(), resamples=5))
    shown = {each.name: each for each in frame.content(report)}
    named = repr(shown["checklist"].parts)
    for name in ("certainty", "counts", "validation"):
        assert shown[name].heading != shown[name].title
        assert f"\\n{shown[name].heading}" in named, name
    assert f"{report['predictions']['rows']:,}" in repr(shown["provenance"].parts)
