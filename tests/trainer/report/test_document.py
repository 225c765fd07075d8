# SPDX-License-Identifier: MIT
"""report.md shows the report's numbers in tables that Markdown reads, whatever the names hold."""

import re

import numpy as np

from preprocessing.contract.wording import escape, sentence
from trainer.predictions.table import Predictions
from trainer.report import document
from trainer.report.answers import answers
from trainer.report.contents import QUESTIONS, SECTIONS, missing, present
from trainer.report.report import build
from trainer.report.source import Source


def make(findings: tuple[str, ...] = ("Mass", "Pleural_Thickening")) -> dict[str, object]:
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 2, (60, len(findings))).astype(np.float32)
    predictions = Predictions(
        ids=np.arange(60).astype(np.str_),
        patients=(np.arange(60) // 2).astype(np.str_),
        splits=np.repeat(["validation", "test"], 30),
        labels=labels,
        scores=generator.random(labels.shape),
        findings=findings,
    )
    context = {"training": {"config": {"rate": 0.001}, "note": "a|b\n<i>c</i>"}}
    return build(Source(predictions, 10, 0, context))


def rows_of(text: str, title: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    lines = text[text.index(title) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def test_finding_table_holds_every_finding_and_the_mean() -> None:
    report = make()
    rows = rows_of(document.render(report), "### Findings")
    few = "(under 100 patients)"
    assert [row[0] for row in rows[2:]] == [f"Mass {few}", f"Pleural Thickening {few}", "Mean"]
    assert all(len(row) == 6 for row in rows)
    area = report["splits"]["test"]["findings"]["Mass"]["auc"]  # type: ignore[index]
    assert rows[2][5] == rf"{area['value']:.3f} \[{area['low']:.3f}, {area['high']:.3f}\]"


def test_every_table_keeps_its_width_with_hostile_names() -> None:
    text = document.render(make(("a|b", "<script>alert(1)</script>", "new\nline `x`")))
    for title in ("### Findings", "### How common each finding is", "#### Training run"):
        assert len({len(row) for row in rows_of(text, title)}) == 1
    assert "<script>" not in text and "<i>" not in text and "new line" in text


def test_figures_are_shown_by_name() -> None:
    text = document.render(make(), ["plots/forest.svg", "plots/precision_recall_test.svg"])
    assert "![forest](plots/forest.svg)" in text
    assert "![precision recall, test](plots/precision_recall_test.svg)" in text
    assert "![" not in document.render(make())


def test_a_figure_stands_in_the_section_that_it_is_of() -> None:
    names = ("forest", "roc_test", "precision_recall_test", "reliability_test", "decision_test")
    text = document.render(make(), [f"plots/{name}.svg" for name in names])
    headings = [
        text[: text.index(f"](plots/{name}.svg)")].rpartition("\n### ")[2].partition("\n")[0]
        for name in names
    ]
    curves = "ROC and precision-recall curves"
    expected = ["How certain each AUC is", curves, curves, "Calibration", "Decision curves"]
    assert headings == expected


def test_notes_and_provenance_are_there() -> None:
    report = make()
    text = document.render(report)
    for note in report["notes"]:  # type: ignore[attr-defined]
        assert escape(note["text"]) in text
    assert ["config.rate", "0.001"] in rows_of(text, "#### Training run")


def test_sections_come_in_order_or_say_why_they_are_not_there() -> None:
    report = make()
    text = document.render(report)
    headings = [line for line in text.splitlines() if re.match("###? ", line)]
    assert len(set(headings)) == len(headings) and "#######" not in text
    asked = [line.removeprefix("## ") for line in headings if line.startswith("## ")]
    assert asked == ["Before you quote a number", *QUESTIONS.values()]
    for question, answer in zip(QUESTIONS.values(), answers(report).values(), strict=True):
        assert f"## {question}\n\n{escape(answer)}\n\n### " in text
    assert set(present(report)) | set(missing(report)) == set(SECTIONS)
    assert {"comparison", "radiologists"} <= set(missing(report))
    absent = text[text.index("### Not in this report") :]
    for name in missing(report):
        reason = report[name]["reason"]  # type: ignore[index]
        assert f"| {SECTIONS[name].title} | {escape(sentence(reason))} |" in absent
