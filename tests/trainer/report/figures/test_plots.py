# SPDX-License-Identifier: MIT
"""Figures put their marks where the numbers are."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from trainer.report.figures import plots

AREA = {"value": 0.75, "low": 0.6, "high": 0.8}
NOTHING = {"value": None, "low": None, "high": None}
ROC = {"false_positive_rates": [0.0, 0.25, 1.0], "true_positive_rates": [0.0, 0.5, 1.0]}


def test_marks_lie_at_their_share_of_the_axis() -> None:
    drawing = ElementTree.fromstring(plots.interval_row(AREA, (0.5, 1.0), "test"))
    whisker = drawing.find("line[@class='whisker']")
    mark = drawing.find("circle")
    assert whisker is not None and mark is not None
    assert (whisker.get("x1"), whisker.get("x2"), mark.get("cx")) == ("20.00%", "60.00%", "50.00%")


def test_what_is_not_defined_has_no_mark() -> None:
    for drawing in (
        plots.interval_row(NOTHING, (0.5, 1.0), "test"),
        plots.pair_row(NOTHING, NOTHING, (0.5, 1.0)),
    ):
        root = ElementTree.fromstring(drawing)
        assert not root.findall("circle") and not root.findall("line[@class='join']")
    half = ElementTree.fromstring(plots.pair_row(AREA, NOTHING, (0.5, 1.0)))
    assert len(half.findall("circle")) == 1 and not half.findall("line[@class='join']")


def test_axis_reaches_below_one_half_only_where_needed() -> None:
    assert plots.domain([AREA, NOTHING]) == (0.5, 1.0)
    assert plots.domain([{"value": 0.31, "low": 0.28, "high": 0.4}]) == (0.2, 1.0)
    assert plots.domain([{"value": 0.0, "low": 0.0, "high": 0.0}]) == (0.0, 1.0)
    assert [text for text, _ in plots.ticks((0.2, 1.0))] == ["0.2", "0.4", "0.6", "0.8", "1"]


@pytest.mark.parametrize("scale", [1e-4, 0.03, 1.0, 250.0])
@pytest.mark.parametrize("low", [-1.0, -0.2, 0.0, 0.7])
def test_round_limits_hold_every_end_and_lie_on_ticks(low: float, scale: float) -> None:
    area = {"value": (low + 0.1) * scale, "low": low * scale, "high": (low + 0.31) * scale}
    limits = plots.nice_limits([area, NOTHING], include=[0.0])
    assert limits[0] <= min(0.0, area["low"]) and limits[1] >= max(0.0, area["high"])
    places = [place for _, place in plots.ticks(limits)]
    assert (places[0], places[-1]) == ("0.00%", "100.00%") and 4 <= len(places) <= 12


def test_reference_stands_where_its_number_is() -> None:
    drawing = ElementTree.fromstring(plots.interval_row(AREA, (0.5, 1.0), "test", reference=0.6))
    line = drawing.find("line[@class='reference']")
    assert line is not None and line.get("x1") == "20.00%"
    assert drawing.find("circle[@class='mark']") is not None


def test_histogram_fills_each_group_to_its_own_height() -> None:
    drawing = ElementTree.fromstring(plots.histogram({"positive": [0, 5], "test": [2, 1]}, "x"))
    heights = [re.findall(r"V([\d.]+)H", str(each.get("d"))) for each in drawing.findall("path")]
    assert heights[:2] == [["50.00", "1.00"], ["1.00", "25.50"]]
    assert plots.histogram({"test": [0, 0], "train": []}, "x")


def test_shades_stay_among_those_of_the_style_sheet() -> None:
    assert {plots.shade(value / 9, 1.0) for value in range(12)} == {f"shade-{n}" for n in range(8)}
    assert plots.shade(-1.0, 1.0) == "shade-0" == plots.shade(1.0, 0.0)


def test_small_curves_come_in_the_given_order() -> None:
    drawing = ElementTree.fromstring(
        plots.small_roc({"validation": ROC, "train": None, "test": ROC}, "Mass")
    )
    kinds = [str(path.get("class")) for path in drawing.findall("path")]
    assert kinds == ["frame", "chance", "curve validation", "curve test"]


@pytest.mark.parametrize(("share", "width"), [(0.1, "50.00%"), (0.2, "100.00%"), (None, "0.00%")])
def test_bars_share_one_scale(share: float | None, width: str) -> None:
    bar = ElementTree.fromstring(plots.share_row(share, 0.2)).find("rect")
    assert bar is not None and bar.get("width") == width
