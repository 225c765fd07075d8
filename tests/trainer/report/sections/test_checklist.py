# SPDX-License-Identifier: MIT
"""Every item of a guideline has one answer, which is true of the report that it is in."""

import copy
import json
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.settings import settings
from preprocessing.contract.tables import Table
from preprocessing.contract.wording import sentence
from trainer.config import Config
from trainer.predictions.metadata import Metadata
from trainer.predictions.table import Predictions
from trainer.report import document, frame, html, schema_paths
from trainer.report.parts import Fold, Notes, markdown
from trainer.report.report import build
from trainer.report.sections import checklist
from trainer.report.source import ANOTHER, Source

Make = Callable[..., Predictions]
RANK = {"for_people": 0, "not_here": 0, "in_part": 1, "answered": 2}
# Items of TRIPOD+AI that have parts, and how many.
PARTS = {3: 3, 5: 2, 6: 3, 8: 3, 9: 3, 12: 7, 18: 6, 20: 3, 23: 2, 27: 3}


CONTEXT: dict[str, Any] = {
    "manifest": {
        "sources": {"labels": "ef" * 32},
        "counters": {"images_missing": 0},
        "parameters": {"source": "nih"},
        "split_method": "lists, validation carved by patient",
        "splits": {"train": {"examples": 9, "patients": 3}},
    },
    "training": {
        "best_step": 9000,
        "best_validation_mean_auc": 0.84,
        "versions": {"cxr14": "0.1.0"},
    },
    "config": settings.to_mapping(Config()),
}


@pytest.fixture
def of_a_run(make: Make) -> dict[str, Any]:
    """The report of a run with metadata, of all three splits."""
    rows = make(("train", "validation", "test"))
    return build(Source(rows, 5, context=CONTEXT, metadata=made_metadata(rows)))


@pytest.fixture
def alone(make: Make) -> dict[str, Any]:
    """The report of a predictions file."""
    return build(Source(make(), resamples=5))


def made_metadata(rows: Predictions) -> Metadata:
    """Of the same images: women and men, one view."""
    n = len(rows.ids)
    facts = {"follow_up": np.zeros(n, int), "width": np.full(n, 2500), "height": np.full(n, 2048)}
    return Metadata(
        ids=rows.ids,
        patients=rows.patients,
        splits=np.full(n, ""),
        sex=np.tile(["F", "F", "F", "M", "M", "M"], n)[:n],
        view=np.full(n, "PA"),
        age=np.full(n, 50),
        labels=rows.labels,
        findings=rows.findings,
        **facts,
    )


def items(report: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    lists = report["checklist"]["lists"]
    return {(name, one["item"]): one for name, each in lists.items() for one in each["items"]}


def places(node: Any, path: str = "") -> Iterator[str]:
    """Every path of a report that leads to something."""
    if node not in (None, False, "", [], {}) or node == 0:
        yield path[1:]
    if isinstance(node, dict | list):
        for key, each in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(each, f"{path}.{key}")


def test_every_item_of_each_list_is_there_once(alone: dict[str, Any]) -> None:
    letters = {at: "abcdefg"[:count] for at, count in PARTS.items()}
    tripod = [f"{at}{part}" for at in range(1, 28) for part in letters.get(at, " ")]
    expected = {"claim2020": 42, "claim2024": 44}
    lists = alone["checklist"]["lists"]
    for name, count in expected.items():
        assert [one["item"] for one in lists[name]["items"]] == [
            str(at) for at in range(1, count + 1)
        ]
    assert [one["item"] for one in lists["tripod_ai"]["items"]] == list(map(str.strip, tripod))
    for each in lists.values():
        assert sum(each["counts"].values()) == len(each["items"])
        assert len({one["title"] for one in each["items"]}) == len(each["items"])


def test_every_rule_is_used_and_says_what_is_left(alone: dict[str, Any]) -> None:
    rules = [row["topic"] for row in checklist._rows("checklist_answers")]
    used = {row["topic"] for name in checklist.SOURCES for row in checklist._rows(name)}
    assert len(set(rules)) == len(rules) and set(rules) == used
    for key, item in items(alone).items():
        open_ = item["missing"] or item["people"]
        assert (item["answer"] == "answered") == (not open_), key


def test_rules_seek_what_a_report_may_hold() -> None:
    sought = [row["found"] for row in checklist._rows("checklist_answers") if row["found"]]
    for path in re.split(r"[;|]", ";".join(sought)):
        try:
            schema_paths.check(path.partition("@")[0].split("."))
        except ValueError as error:
            assert "never holds" not in str(error)  # more than one figure is allowed


@pytest.mark.parametrize("which", ["of_a_run", "alone"])
def test_what_is_claimed_is_in_this_report_and_on_its_page(
    which: str, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(which)
    there = "\n".join(places(report))
    page = html.render(report)
    anchors = set(re.findall(r'id="([^"]+)"', page))
    shown = {each.name for each in frame.content(report)}
    for key, item in items(report).items():
        for found in item["found"]:
            pattern = re.escape(found["path"]).replace(r"\*", r"[^\n]+")
            assert re.search(rf"^{pattern}$", there, re.MULTILINE), (key, found)
            assert found["at"] in shown and f"h-{found['at']}" in anchors, (key, found)
            assert f'<a href="#h-{found["at"]}">' in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors


def test_a_finished_run_holds_what_rules_seek_of_a_run(finished_run: Any) -> None:
    text = pathlib.Path(finished_run.output, "report/report.json").read_text("utf-8")
    context, sought = json.loads(text)["context"], set()
    for row in checklist._rows("checklist_answers"):
        sought |= set(re.findall(r"context\.((?:manifest|training|config)[.\w]*)", row["found"]))
    assert len(sought) > 15
    for path in sought:
        node = context
        for step in path.split("."):
            assert step in node, path
            node = node[step]


def test_a_report_answers_more_of_a_run_than_of_predictions_alone(
    of_a_run: dict[str, Any], alone: dict[str, Any]
) -> None:
    more, fewer = items(of_a_run), items(alone)
    assert all(RANK[more[key]["answer"]] >= RANK[fewer[key]["answer"]] for key in fewer)
    for name in checklist.SOURCES:
        counts = of_a_run["checklist"]["lists"][name]["counts"]
        assert counts["answered"] > alone["checklist"]["lists"][name]["counts"]["answered"]
    assert {more["claim2020", at]["answer"] for at in ("9", "20", "21", "23", "26", "34")} == {
        "answered"
    }
    # What a study chose and why is not in any report.
    strict = {("claim2020", "7"), ("claim2020", "28"), ("claim2024", "12"), ("tripod_ai", "12e")}
    assert {more[key]["answer"] for key in strict} == {"in_part"}
    assert fewer["claim2024", "32"]["answer"] == "in_part"
    assert more["claim2024", "32"]["answer"] == "answered"
    for at in ("20", "23", "26"):
        item = fewer["claim2020", at]
        assert item["answer"] == "not_here" and "--output=RUN" in item["missing"][0]
    assert "--metadata" in fewer["tripod_ai", "14"]["missing"][0]
    assert fewer["claim2020", "42"] == more["claim2020", "42"]
    assert fewer["claim2020", "42"]["answer"] == "for_people"


def test_no_answer_outlives_what_it_rests_on(of_a_run: dict[str, Any]) -> None:
    for key, item in items(of_a_run).items():
        for found in item["found"]:
            poorer = copy.copy(of_a_run)
            first, _, rest = found["path"].partition(".")
            second = rest.partition(".")[0]
            if first in ("context", "card", "splits") and second != "*":
                poorer[first] = {k: v for k, v in of_a_run[first].items() if k != second}
            else:
                del poorer[first]
            answers = items({"checklist": checklist.build(poorer)})[key]
            assert found not in answers["found"]
            assert answers["answer"] != "answered", (key, found)


def test_the_level_of_splits_is_not_claimed_of_one_split(make: Make) -> None:
    report = build(Source(make(("test",)), resamples=5))
    assert items(report)["claim2020", "21"]["found"] == []
    assert items(report)["claim2024", "32"]["answer"] == "not_here"
    assert items(report)["claim2020", "36"]["missing"] == [report["operating_points"]["reason"]]


def test_an_external_test_is_one_and_points_to_the_report_of_the_run(make: Make) -> None:
    facts = {"model": "ab", "step": 3, "models that were averaged": 1, "thresholds": {}}
    kinds = ("films without labels", "labels without a scored film")
    left = dict.fromkeys((*kinds, "findings of the model without labels"), "0")
    told = facts | left | {"calibration": {}}
    unsure = items(build(Source(make(("test",)), 5, context={"external_test": told})))
    assert unsure["claim2024", "33"]["answer"] != "answered"
    context = {"external_test": told | {ANOTHER: "yes"}}
    report = build(Source(make(("test",)), 5, context=context))
    found = items(report)
    assert found["claim2024", "32"]["answer"] == "not_here"
    place = {"path": "external.another_data_set", "at": "external"}
    assert found["claim2024", "33"]["found"] == [place]
    for at in ("9", "20", "23"):
        assert found["claim2020", at]["missing"] == [sentence(checklist._OWN)]
    assert found["claim2020", "32"]["answer"] == "answered"
    assert "--metadata" in found["tripod_ai", "20b"]["missing"][0]


def test_zero_is_an_answer_and_false_is_none() -> None:
    assert checklist._holds({"a": [{"b": 0}]}, ["a", "*", "b"])
    assert checklist._holds({"a": [{}, {"b": 0.0}]}, ["a", "1", "b"])
    for nothing in (None, False, "", [], {}):
        assert not checklist._holds({"a": nothing}, ["a"])
    assert not checklist._holds({"a": "lost"}, ["a", "b"])
    assert not checklist._holds({"a": [1]}, ["a", "4"])


def test_the_counts_come_first_and_the_form_asks_once(alone: dict[str, Any]) -> None:
    counts = alone["checklist"]["lists"]["claim2020"]["counts"]
    shown = checklist.parts(alone["checklist"], {"findings": "Findings"})
    text = markdown("Reporting checklists", shown)
    assert f"answers {counts['answered']} of the 42 items of CLAIM 2020, " in text
    assert f"| CLAIM 2020 | {' | '.join(map(str, counts.values()))} |" in text
    tables = [part.parts[1] for part in shown if isinstance(part, Fold) and len(part.parts) == 2]
    assert [len(each.rows) for each in tables if isinstance(each, Table)] == [42, 44, 52]
    form = shown[-1]
    assert isinstance(form, Fold) and isinstance(form.parts[1], Notes)
    lines = form.parts[1].lines
    funding = [line for line in lines if "funded" in line]
    assert funding == [
        "Who funded the study, and their role (CLAIM 2020 42; CLAIM 2024 44; TRIPOD+AI 18a): ..."
    ]
    asked = {one["people"] for one in items(alone).values()} - {""}
    assert len(lines) == len(asked)
    # Whoever has predictions alone is asked for what a run would have told.
    assert any(line.startswith("The software, with versions (CLAIM 2020 23; ") for line in lines)
    # Readers get links to what is shown, not paths of a file.
    assert "splits." not in text and "context." not in text
    assert "\n### Reporting checklists\n" in document.render(alone)


def test_what_people_must_add_is_said_whatever_was_found() -> None:
    divisions = {"subgroups": {"divisions": [{"name": name} for name in "abcde"]}}
    updated = {"recalibration": {"available": True, "mean": {"ece": 0.1}}}
    of_all = {"splits": {"test": {"mean_auc": {"low": 0.7}}}}
    report = divisions | of_all | {"calibration": updated, "context": {}}
    rules = {row["topic"]: row for row in checklist._rows("checklist_answers")}
    for topic, said in {
        "clusters": "hospitals",
        "updating": "for some groups",
        "updating_results": "coefficients",
        "performance_in_subgroups": "Calibration in each group",
    }.items():
        answer = checklist._answer(report, rules[topic])
        assert answer["answer"] == "in_part" and said in answer["people"], topic
    # The fifth division is by detector, wherever there are five.
    del divisions["subgroups"]["divisions"][4]
    assert checklist._answer(report, rules["clusters"])["answer"] != "in_part"
