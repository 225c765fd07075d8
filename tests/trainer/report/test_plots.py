# SPDX-License-Identifier: MIT
"""Figures put their marks where the numbers are."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from trainer.report import plots

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
    assert [text for text, _ in plots.ticks((0.2, 1.0))][::4] == ["0.2", "0.6", "1.0"]


def test_curves_are_drawn_in_the_plane_and_missing_ones_are_not() -> None:
    findings = [{"name": "Mass", "roc": ROC}, {"name": "Edema", "roc": None}]
    drawing = ElementTree.fromstring(plots.roc_chart(findings, "test", 'a "label" <here>'))
    assert drawing.get("aria-label") == 'a "label" <here>'
    curves = [path for path in drawing.findall("path") if path.get("class") == "curve"]
    assert [curve.get("data-finding") for curve in curves] == ["0"]
    places = [float(number) for number in re.findall(r"[\d.]+", str(curves[0].get("d")))]
    bottom, right = plots.TOP + plots.PLANE, plots.LEFT + plots.PLANE
    assert places == [plots.LEFT, bottom, plots.LEFT + 100, plots.TOP + 200, right, plots.TOP]


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
