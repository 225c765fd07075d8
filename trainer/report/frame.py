# SPDX-License-Identifier: MIT
"""What every report shows, in the order in which it is read, with the sections in their places."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from preprocessing.contract.tables import Column, Table
from preprocessing.contract.wording import sentence
from trainer.report import findings, recompute, series
from trainer.report.answers import answers
from trainer.report.contents import QUESTIONS, SECTIONS, missing, present
from trainer.report.parts import Fold, Notes, Part, Words, facts_table
from trainer.report.sections import checklist
from trainer.report.source import EXTERNAL, called

_CAVEATS = ("few_positives", "undefined", "unknown_labels", "dropped_resamples", "no_interval")


class Shown(NamedTuple):
    """A part of the report under a heading of its own.

    Attributes:
        name: in anchors.
        title: in the table of contents.
        heading: above it.
        parts: below that.
        question: of `QUESTIONS`, which it helps to answer.
    """

    name: str
    title: str
    heading: str
    parts: Sequence[Part]
    question: str


class Chapter(NamedTuple):
    """A question of a reader.

    Attributes:
        name: of `QUESTIONS`, in anchors.
        title: the question.
        answer: to it, in short.
        shown: what helps to answer it, perhaps nothing.
    """

    name: str
    title: str
    answer: str
    shown: Sequence[Shown]


def chapters(report: dict[str, Any]) -> list[Chapter]:
    """Returns everything below the headline that the report holds, by the questions of readers.

    Args:
        report: what `trainer.report.report.build` returned.
    """
    made, said = content(report), answers(report)
    return [
        Chapter(name, title, said[name], [each for each in made if each.question == name])
        for name, title in QUESTIONS.items()
    ]


def content(report: dict[str, Any]) -> list[Shown]:
    """Returns the same in one list, in the order in which it is read."""
    made = [*(_section(name, report) for name in present(report)), *_of_the_frame(report)]
    titles = {each.name: each.heading for each in made if each.parts}
    items = checklist.parts(report["checklist"], titles)
    made.append(Shown("checklist", "Checklists", "Reporting checklists", items, "trust"))
    by_name = {each.name: each for each in made if each.parts}
    first = ["findings", "series", "certainty", "curves", "discrimination", "validation", "counts"]
    last = ["limits", "checklist", "absent", "provenance"]
    rest = [name for name in by_name if name not in (*first, *last)]
    order = [by_name[name] for name in (*first, *rest, *last) if name in by_name]
    return sorted(order, key=lambda each: list(QUESTIONS).index(each.question))


def title(report: Mapping[str, Any]) -> str:
    """Returns what the report calls itself."""
    test = called(report["context"])
    return f"AUC report: {test[0].lower()}{test[1:]}" if test else "AUC report"


def cautions(report: Mapping[str, Any]) -> list[str]:
    """Returns what is to be known before a number is quoted."""
    notes = notes_of(report)
    first = [notes["external"]] if "external" in notes else []
    lines = [*first, notes["split"], *(notes[topic] for topic in _CAVEATS if topic in notes)]
    if each := report["predictions"].get("mean_of"):
        named = ", ".join(f"{one['file']} (SHA-256 {one['sha256'][:12]}...)" for one in each)
        lines.append(f"The scores are the mean of those of {len(each)} files: {named}.")
    if ignored := report["predictions"]["ignored_columns"]:
        lines.append(f"Columns of the predictions file that were not used: {', '.join(ignored)}.")
    return lines


def _section(name: str, report: dict[str, Any]) -> Shown:
    title, module, question, heading = SECTIONS[name]
    return Shown(name, title, heading or title, module.parts(report[name], report), question)


def _of_the_frame(report: Mapping[str, Any]) -> list[Shown]:
    notes = notes_of(report)
    heading, curves = findings.curves(report)
    areas: list[Part] = [findings.table(report), Words(f"{notes['auc']} {notes['mean']}")]
    certain, common = [findings.certainty(report, notes)], [findings.counts(report)]
    both = findings.validation(report, notes)
    limits = [notes.get("phantom") or notes["labels"]]
    limits += [notes[topic] for topic in ("interval", "validation", "use") if topic in notes]
    absent = [[SECTIONS[name].title, sentence(report[name]["reason"])] for name in missing(report)]
    columns: list[Column | str] = ["Section", Column("Why", "text")]
    why = [Table("Sections that are not here", columns, absent, css="absent", hide_caption=True)]
    made: dict[str, list[tuple[str, str, str, Sequence[Part]]]] = {
        "good": [
            ("findings", "Findings", "Findings", areas),
            ("series", "Runs alone", "The runs alone", series.parts(report)),
            ("certainty", "Certainty", "How certain each AUC is", certain),
            ("curves", "Curves", heading, curves),
        ],
        "whom": [("counts", "Prevalence", "How common each finding is", common)],
        "trust": [
            ("validation", "Validation and test", "Validation against test", both),
            ("limits", "Limits", "What these numbers do not say", [Notes(limits)]),
            ("absent", "Not in this report", "Not in this report", why if absent else []),
            ("provenance", "Provenance", "Provenance", _provenance(report)),
        ],
    }
    return [Shown(*each, question) for question, rooms in made.items() for each in rooms]


def notes_of(report: Mapping[str, Any]) -> dict[str, str]:
    """Returns the statements of a report by their topics."""
    return {note["topic"]: note["text"] for note in report["notes"]}


def _provenance(report: Mapping[str, Any]) -> list[Part]:
    """What is not known, and the facts by what they are of."""
    titles = {"manifest": "Data set", "training": "Training run"}
    titles[EXTERNAL] = called(report["context"])
    facts: dict[str, Mapping[str, Any]] = {
        "Predictions": {**report["predictions"], "rows": f"{report['predictions']['rows']:,}"},
        "This report": {
            **{"schema_version": report["schema_version"], **report["request"]},
            "margin": report["request"].get("margin") or "none given",
        },
    }
    other = {
        key: value for key, value in report["context"].items() if key not in (*titles, series.KEY)
    }
    for key, title in titles.items():
        given = report["context"].get(key)
        if isinstance(given, Mapping) and given:
            facts[title] = given
        elif given:
            other[key] = given
    facts |= {"Further facts": other} if other else {}
    unknown: list[Part] = [Words("Not known to this report:", "known"), Notes(report["unknown"])]
    folds = [Fold(title, [facts_table(title, each)]) for title, each in facts.items()]
    return [*(unknown if report["unknown"] else []), *recompute.parts(report), *folds]
