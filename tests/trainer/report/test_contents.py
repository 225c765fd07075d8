# SPDX-License-Identifier: MIT
"""Every section has its figures, its words and its place, or says why it has none."""

from collections.abc import Callable
from importlib import resources

from preprocessing.contract.wording import escape
from trainer.predictions.table import Predictions
from trainer.report import contents, document, frame
from trainer.report.report import build
from trainer.report.source import Source

Make = Callable[..., Predictions]


def test_every_section_has_a_room_and_parts_or_a_template() -> None:
    templates = resources.files("trainer.report") / "templates"
    for name, section in contents.SECTIONS.items():
        assert section.module.__name__.endswith(f"sections.{name}"), name
        assert (templates / f"{name}.html.j2").is_file() != hasattr(section.module, "parts"), name
        assert section.title.strip()


def test_a_section_is_there_or_says_why_not(make: Make) -> None:
    report = build(Source(make(), resamples=5))
    there, missing = contents.present(report), contents.missing(report)
    assert sorted([*there, *missing]) == sorted(contents.SECTIONS)
    for name in missing:
        assert len(report[name]["reason"].split()) > 5, name
    text = document.render(report)
    for each in frame.content(report):
        assert each.parts is None or f"\n### {escape(each.heading)}\n" in text
        assert each.name not in there or report[each.name]["notes"], each.name


def test_a_report_without_a_section_names_it_neither_present_nor_missing() -> None:
    assert contents.present({}) == []
    assert contents.missing({}) == []
