# SPDX-License-Identifier: MIT
"""Which items of the guidelines on reporting a report answers, and what is left to its authors.

The items are those of CLAIM (Mongan, Moy and Kahn, Radiology: Artificial Intelligence 2020;
2(2):e200029), of its update (Tejani et al., ibid. 2024; 6(4):e240300) and of TRIPOD+AI (Collins et
al., BMJ 2024; 385:e078378), in claim2020.csv, claim2024.csv and tripod_ai.csv: the number, the
title in a few of its words, and a topic. `SOURCES` says where they were read.

checklist_answers.csv holds the rule of each topic. `found` lists paths of report.json, with
semicolons between them, all of which must hold something for a full answer: `*` is any key, `|`
stands between paths of which one will do, and `@` before the part of the page that shows it, where
that is not named as the path begins. `people` is what only people can add, whatever is found;
`otherwise` what they have to write where a path holds nothing.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

from preprocessing.contract.tables import Cell, Column, Table, numeric
from preprocessing.contract.wording import sentence
from trainer.report.parts import Fold, Notes, Part, Words
from trainer.report.source import EXTERNAL

ANSWERS = {
    "answered": "Answered",
    "in_part": "In part",
    "not_here": "Not here",
    "for_people": "For people",
}
# Of each list its name, where it was published and where its items were read.
SOURCES = {
    "claim2020": (
        "CLAIM 2020",
        "Mongan, Moy and Kahn, Radiology: Artificial Intelligence 2020; 2(2):e200029 (PMC8017414). "
        "Titles shortened, from two public copies of its table, which agree.",
    ),
    "claim2024": (
        "CLAIM 2024",
        "Tejani et al., Radiology: Artificial Intelligence 2024; 6(4):e240300 (PMC11304031). "
        "Titles shortened, from two public copies of the checklist, which agree. Only the titles "
        "were at hand: no rule here is drawn from the explanations of the update.",
    ),
    "tripod_ai": (
        "TRIPOD+AI",
        "Collins et al., BMJ 2024; 385:e078378 (CC BY 4.0). Titles shortened, from two public "
        "copies of its table, which agree. TRIPOD+AI for Abstracts has items of its own, which are "
        "not here.",
    ),
}
_RUN = "where cxr14 trained the model: report with --output=RUN, and --data=DATA for its data"
_OWN = "the report of the model's own run can say it; this one is of films that were handed in"
# What to do where a path that begins so holds nothing and its section gives no reason.
_HAND_IN = {
    "context": _RUN,
    "card.splits.train": "give predictions that hold the train split too, and metadata of its "
    "images with --metadata",
    "card.splits": "give metadata of the images of every split with --metadata",
    "card.leak_check": "give predictions that hold more than one split",
    "validation_minus_test": "give predictions that hold a validation and a test split",
    "splits.train": "give predictions that hold the train split too",
    "splits.validation": "give predictions that hold a validation split too",
    "splits.test": "give predictions that hold a test split too",
    "splits": "give more patients and labels: these do not define the figure",
}
# Of these, what somebody can do for an external test too.
_ALSO_EXTERNAL = ("card.splits", "splits")
_FORM = (
    "What no program can know, or this report was not told, once for all lists, to be copied and "
    "filled in. Behind each are the items that ask for it."
)
_NOTES = (
    "An item counts as answered where this report itself holds what the item asks for. That says "
    "nothing of how well the study was done: a checklist is not a score of quality.",
    "In part: people have something to add, or something was not handed in. Not here: the report "
    "could hold it, and the row says what it takes. For people: no program can know it.",
    "What a manuscript must say it must still say itself; the report is where to look it up. The "
    "titles are short: fill in the guideline's own form from its own text.",
)


def build(report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the answers to every item of every list.

    Args:
        report: the content of report.json but for this, since what is answered depends on what
            the other sections hold.
    """
    answers = {row["topic"]: _answer(report, row) for row in _rows("checklist_answers")}
    lists = {}
    for name, (title, source) in SOURCES.items():
        items = [
            {"item": row["item"], "title": row["title"], **answers[row["topic"]]}
            for row in _rows(name)
        ]
        given = [item["answer"] for item in items]
        counts = {answer: given.count(answer) for answer in ANSWERS}
        lists[name] = {"title": title, "source": source, "counts": counts, "items": items}
    return {"lists": lists, "notes": list(_NOTES)}


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = resources.files(__package__).joinpath(f"{name}.csv").read_text("utf-8")
    return csv.DictReader(io.StringIO(text))


def _answer(report: Mapping[str, Any], rule: Mapping[str, str]) -> dict[str, Any]:
    """What of a topic the report holds, what is missing, and what is left to people."""
    found: list[dict[str, str]] = []
    missing: dict[str, None] = {}
    lacking = False
    for either in filter(None, rule["found"].split(";")):
        places = [_place(text) for text in either.split("|")]
        held = [place for place in places if _holds(report, place["path"].split("."))]
        found += held[:1]
        lacking = lacking or not held
        if not held and (reason := _reason(report, places[-1]["path"])):
            missing[sentence(reason)] = None
    people = rule["people"] or rule["otherwise"] * lacking
    if found:
        answer = "in_part" if lacking or people else "answered"
    else:
        answer = "not_here" if missing else "for_people"
    return {"answer": answer, "found": found, "missing": list(missing), "people": people}


def _place(text: str) -> dict[str, str]:
    path, _, at = text.partition("@")
    return {"path": path, "at": at or path.partition(".")[0]}


def _below(node: Any, step: str) -> Iterable[Any]:
    if isinstance(node, Mapping):
        return node.values() if step == "*" else [node[step]] if step in node else []
    if isinstance(node, list):
        return node if step == "*" else node[int(step) :][:1] if step.isdecimal() else []
    return []


def _holds(node: Any, steps: Sequence[str]) -> bool:
    """Tells whether something lies at a path; None, false, and what is empty are nothing."""
    if not steps:
        return node is not None and node is not False and node not in ("", [], {})
    return any(_holds(each, steps[1:]) for each in _below(node, steps[0]))


def _reason(report: Mapping[str, Any], path: str) -> str:
    """What to hand in where nothing lies at a path, or why its section has no figures."""
    external = EXTERNAL in report["context"]
    for start, text in _HAND_IN.items():
        if path.startswith(start):
            return _OWN if external and start not in _ALSO_EXTERNAL else text
    node: Any = report
    said = ""
    for step in path.split("."):
        node = node.get(step)
        if not isinstance(node, Mapping):
            break
        said = node.get("reason") or said
    return said


def parts(section: Mapping[str, Any], titles: Mapping[str, str]) -> list[Part]:
    """Returns the counts, a table for each list, and the form for people.

    Args:
        section: what `build` returned.
        titles: of the parts of the page, by the names in their anchors.
    """
    lists = section["lists"]
    said = [
        f"{each['counts']['answered']} of the {len(each['items'])} items of {each['title']}"
        for each in lists.values()
    ]
    counted: list[list[Cell | str]] = [
        [each["title"], *(numeric(each["counts"][answer], "d") for answer in ANSWERS)]
        for each in lists.values()
    ]
    shown: list[Part] = [
        Words(f"This report answers {', '.join(said[:-1])} and {said[-1]}.", "plain"),
        Table("Items of each list by their answer.", ["List", *ANSWERS.values()], counted),
        Notes(section["notes"]),
    ]
    columns: list[Column | str] = ["Item", Column("Answer", "text")]
    for each in lists.values():
        rows: list[list[Cell | str]] = [
            [f"{one['item']}. {one['title']}", _cell(one, titles)] for one in each["items"]
        ]
        items = Table(each["title"], columns, rows, css="absent", hide_caption=True)
        shown.append(Fold(f"Items of {each['title']}", [Words(each["source"]), items]))
    return [*shown, Fold("To be filled in by people", [Words(_FORM), Notes(_form(lists))])]


def _cell(item: Mapping[str, Any], titles: Mapping[str, str]) -> Cell:
    """The answer, where it is found, what is missing, and what is left to people."""
    places = {found["at"]: titles.get(found["at"], found["at"]) for found in item["found"]}
    alone = item["answer"] == "for_people"
    lines = [] if alone else [ANSWERS[item["answer"]], *places.values(), *item["missing"]]
    people = [f"{'For people' if alone else 'To add'}: {item['people']}"] if item["people"] else []
    links = [(line, f"h-{at}") for at, line in places.items() if at in titles]
    return Cell("\n".join([*lines, *people]), links=links)


def _form(lists: Mapping[str, Any]) -> list[str]:
    asked: dict[str, dict[str, list[str]]] = {}
    for each in lists.values():
        for item in each["items"]:
            if item["people"]:
                by = asked.setdefault(item["people"], {})
                by.setdefault(each["title"], []).append(item["item"])
    return [f"{text} ({_items(by)}): ..." for text, by in asked.items()]


def _items(by: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name} {', '.join(items)}" for name, items in by.items())
