# SPDX-License-Identifier: MIT
"""The section on intervals and average precision as JSON, Markdown and page."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.tables import Table
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import discrimination
from trainer.report.source import Source
from trainer.report.splits import numbers_of

Make = Callable[..., Predictions]


@pytest.fixture
def report(make: Make) -> dict[str, Any]:
    source = Source(predictions=make(), resamples=40)
    return {
        "findings": list(source.predictions.findings),
        "few_positives_below": 100,
        "splits": {split: numbers_of(source, split) for split in source.splits},
        "discrimination": discrimination.build(source),
    }


def test_section_is_strict_json_and_says_what_the_figures_mean(report: dict[str, Any]) -> None:
    section = report["discrimination"]
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert section["available"] is True and section["resamples"] == 40
    words = " ".join(section["notes"])
    for term in (
        "resampled patients",
        "the clustered one",
        "Obuchowski",
        "DeLong",
        "prevalence",
        "One image of each patient",
        "100",
    ):
        assert term in words


def test_observations_are_those_of_the_figures(report: dict[str, Any]) -> None:
    entry = report["splits"]["test"]
    width, closed, single = discrimination.observed(entry, "test")
    ratios = [entry["findings"][name]["width_ratios"]["image_level"] for name in ("Mass", "Edema")]
    assert f"{min(ratios):.2f} to {max(ratios):.2f} times as wide" in width
    assert "3.0 images on average" in width
    ratios = [entry["findings"][name]["width_ratios"]["clustered"] for name in ("Mass", "Edema")]
    assert f"{min(ratios):.2f} to {max(ratios):.2f} times as wide" in closed
    gap = entry["mean_auc_one_per_patient"]["value"] - entry["mean_auc"]["value"]
    assert f"{abs(gap):.3f} {'above' if gap >= 0 else 'below'} that of all images" in single


def test_nothing_is_observed_where_nothing_is_defined(make: Make) -> None:
    rows = make().select("test")
    rows.labels[:] = 0
    entry = numbers_of(Source(rows, resamples=3), "test")
    assert discrimination.observed(entry, "test") == []


def test_both_forms_hold_every_finding_in_two_tables(report: dict[str, Any]) -> None:
    made = discrimination.parts(report["discrimination"], report)
    text, page = parts.markdown("Title", made), parts.html("discrimination", "Title", made)
    assert text.startswith("## ") and text.count("\n### ") == 2
    mass = report["splits"]["test"]["findings"]["Mass"]
    for kind in ("auc", "auc_clustered", "auc_image_level", "auc_delong"):
        assert f"[{mass[kind]['low']:.3f}, {mass[kind]['high']:.3f}]" in page
        assert f"| \\[{mass[kind]['low']:.3f}, {mass[kind]['high']:.3f}\\] |" in text
    assert (
        text.count("\n| Mass (under 100 patients) |") == 2
        and text.count("| Hernia (under 100 patients) |") == 2
    )
    assert f"| Hernia (under 100 patients) |{' not defined |' * 7}" in text


def test_page_flags_rare_findings_and_says_what_is_not_defined(report: dict[str, Any]) -> None:
    made = discrimination.parts(report["discrimination"], report)
    text = parts.html("discrimination", "Title", made)
    assert text.count("<table") == text.count("<caption") == 2
    # All three findings are of fewer than 100 patients, in two tables each.
    assert text.count("under 100 patients") == 6
    assert "not defined" in text and "style=" not in text
    for table in (part for part in made if isinstance(part, Table)):
        assert [row[0] for row in table.foot] == ["Mean", "Micro"]
    micro = report["splits"]["test"]["micro_auc"]
    assert f"[{micro['low']:.3f}, {micro['high']:.3f}]" in text
