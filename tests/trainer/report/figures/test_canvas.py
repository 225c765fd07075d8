# SPDX-License-Identifier: MIT
"""SVG and PNG show the same drawing."""

import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from trainer.report.figures.canvas import Anchor, Canvas, Png, Svg

RED = "#ff0000"


def dark(sheet: Png) -> npt.NDArray[np.bool_]:
    """Where a sheet is not white, bool [height, width] in units."""
    pixels = cv2.imdecode(np.frombuffer(sheet.content(), np.uint8), cv2.IMREAD_COLOR)
    height, width = (size // 2 for size in pixels.shape[:2])
    return (pixels.reshape(height, 2, width, 2, 3).min(axis=(1, 3, 4)) < 160).astype(bool)


def test_lines_and_dots_are_where_they_should_be() -> None:
    sheet = Png(100, 60)
    sheet.lines([(10, 30), (60, 30)], RED, width=2)
    sheet.dot((80, 30), 5, RED)
    ink = dark(sheet)
    assert ink[30, 12:58].all() and not ink[:25].any() and not ink[36:].any()
    assert ink[30, 76:84].all() and not ink[:, 64:74].any()
    pixels = cv2.imdecode(np.frombuffer(sheet.content(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels[60, 160].tolist() == [0, 0, 255]


def test_dashes_go_on_over_the_corners_of_a_path() -> None:
    # A curve of many short pieces would be a full line if each piece began a dash anew.
    sheet = Png(100, 10)
    sheet.lines([(float(x), 5.0) for x in range(0, 101)], RED, dash=10.0)
    ink = dark(sheet)[5]
    assert ink[2:8].all() and not ink[12:18].any() and ink[22:28].all()


@pytest.mark.parametrize(("anchor", "left", "right"), [("start", 50, 99), ("end", 0, 50)])
def test_text_is_anchored_on_both_sheets(anchor: Anchor, left: int, right: int) -> None:
    png, svg = Png(100, 40), Svg(100, 40, "title")
    sheets: list[Canvas] = [png, svg]
    for sheet in sheets:
        sheet.text((50, 20), "AUC 0\N{MINUS SIGN}1", anchor=anchor, size=8)
    columns = np.flatnonzero(dark(png).any(axis=0))
    assert left - 1 <= columns[0] and columns[-1] <= right + 1
    text = ElementTree.fromstring(svg.content()).find("{*}text")
    assert text is not None and text.get("text-anchor") == anchor
    assert text.text == "AUC 0\N{MINUS SIGN}1"


def test_upright_text_runs_upwards() -> None:
    sheet = Png(60, 100)
    sheet.text((30, 90), "sensitivity", upright=True)
    rows, columns = np.nonzero(dark(sheet))
    assert rows.max() <= 92 and rows.min() > 8 and np.ptp(rows) > 3 * np.ptp(columns)
    assert columns.max() <= 35 and columns.min() >= 16


def test_svg_stands_alone_and_text_is_no_markup() -> None:
    sheet = Svg(100, 40, 'a "title" <b>')
    sheet.text((1, 20), "</text><script>")
    sheet.lines([(0, 0), (9, 9)], RED, dash=3)
    text = sheet.content().decode()
    root = ElementTree.fromstring(text)
    assert root.findtext("{*}title") == 'a "title" <b>'
    assert root.findtext("{*}text") == "</text><script>"
    assert "var(" not in text and "class=" not in text and "<style" not in text
