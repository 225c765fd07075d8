# SPDX-License-Identifier: MIT
"""Charts of lines put points where the axes say, and give the script the same points."""

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from trainer.report.figures import charts
from trainer.report.figures.charts import Axis, Chart, Line


def chart(*lines: Line, **others: object) -> Chart:
    return Chart('a "label" <here>', Axis("x", 0.0, 2.0), Axis("y", -1.0, 1.0), lines, **others)  # type: ignore[arg-type]


def numbers(path: ElementTree.Element | None) -> list[float]:
    assert path is not None
    return [float(number) for number in re.findall(r"[\d.]+", str(path.get("d")))]


def test_points_lie_where_the_axes_say() -> None:
    one = Line("Mass", [0.0, 0.5, 2.0], [-1.0, 0.0, 1.0])
    drawing = ElementTree.fromstring(charts.drawing(chart(one, references=[(0, -1, 2, 1)])))
    assert drawing.get("aria-label") == 'a "label" <here>'
    bottom, right = charts.TOP + charts.HEIGHT, charts.LEFT + charts.WIDTH
    places = numbers(drawing.find("g/path[@class='curve']"))
    middle = [charts.LEFT + charts.WIDTH / 4, charts.TOP + charts.HEIGHT / 2]
    assert places == [charts.LEFT, bottom, *middle, right, charts.TOP]
    reference = numbers(drawing.find("path[@class='chance']"))
    assert reference == [charts.LEFT, bottom, right, charts.TOP]


def test_a_band_goes_along_its_lower_ends_and_back_along_the_upper_ones() -> None:
    one = Line("Mass", [1.0], [0.0], band=([0.0, 2.0], [-1.0, 0.0], [0.0, 1.0]))
    drawing = ElementTree.fromstring(charts.drawing(chart(one)))
    bottom, right = charts.TOP + charts.HEIGHT, charts.LEFT + charts.WIDTH
    middle = charts.TOP + charts.HEIGHT / 2
    around = numbers(drawing.find("g/path[@class='band']"))
    assert around == [charts.LEFT, bottom, right, middle, right, charts.TOP, charts.LEFT, middle]
    without = ElementTree.fromstring(charts.drawing(chart(Line("Mass", [1.0], [0.0]))))
    assert without.find("g/path[@class='band']") is None


def test_whiskers_and_marks_stand_at_their_points() -> None:
    one = Line("Mass", [1.0], [0.0], low=[-0.5], high=[0.5], kind="test")
    group = ElementTree.fromstring(charts.drawing(chart(one))).find("g")
    assert group is not None and group.get("class") == "line test"
    x = charts.LEFT + charts.WIDTH / 2
    ends = [x, charts.TOP + 0.75 * charts.HEIGHT, x, charts.TOP + 0.25 * charts.HEIGHT]
    assert numbers(group.find("path[@class='whisker']")) == ends
    # A line of one point could not be seen without a mark.
    mark = group.find("circle")
    assert mark is not None and float(str(mark.get("cx"))) == x


def test_data_are_the_points_and_cannot_end_their_element() -> None:
    name = "</script><b>"
    one = Line(name, [0.12345678], [0.5], words=[("AUC", "0.8")], more={"n": [3], "s": ["a&b"]})
    text = charts.markup(chart(one))
    found = re.search(r'<script type="application/json">(.*)</script>', text)
    assert found is not None and not set("<>&") & set(found[1])
    data = json.loads(found[1])
    assert data["lines"] == [
        {
            "name": name,
            "words": [["AUC", "0.8"]],
            "x": [0.123457],
            "y": [0.5],
            "more": {"n": [3], "s": ["a&b"]},
        }
    ]
    assert (data["x"]["low"], data["x"]["high"], data["plane"]["height"]) == (0.0, 2.0, 400)


def test_a_chart_without_lines_is_an_empty_plane() -> None:
    drawing = ElementTree.fromstring(charts.drawing(chart()))
    assert drawing.findall("g") == [] and len(drawing.findall("text")) > 8


@pytest.mark.parametrize("low", [-3.0, 0.0, 0.3, 12.0])
@pytest.mark.parametrize("width", [0.003, 0.7, 1.0, 33.0, 1e5])
def test_ticks_are_round_few_and_inside(low: float, width: float) -> None:
    ticks = charts.nice_ticks(low, low + width)
    assert 3 <= len(ticks) <= 11
    slack = 1e-9 * max(width, 1)
    assert low - slack <= ticks[0] and ticks[-1] <= low + width + slack
    assert len(set(charts.tick_text(ticks))) == len(ticks)
