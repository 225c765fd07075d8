# SPDX-License-Identifier: MIT
"""Draws a report's figures as pictures for TensorBoard: AUCs, ROC curves, reliability.

The report's own figures are SVG, which TensorBoard does not show. These repeat the same numbers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

# Drawn at twice the size and then halved, which rounds off OpenCV's letters. All in final pixels.
_SCALE = 2
_WIDTH, _ROW, _NAME, _VALUE = 860, 30, 210, 190
_PANEL, _GAP, _TITLE, _COLUMNS = 190, 26, 40, 4
_PAPER, _INK, _QUIET, _RULE = (255, 255, 255), (40, 33, 23), (120, 108, 96), (226, 222, 217)
# In blue, green, red.
COLOURS: Mapping[str, Colour] = {
    "test": (158, 92, 11),
    "validation": (0, 83, 168),
    "train": (47, 107, 79),
}
_ORDER = ("train", "validation", "test")


class Sheet:
    """A white picture to draw on, in pixels of the finished picture."""

    def __init__(self, width: int, height: int) -> None:
        self._canvas = np.full((height * _SCALE, width * _SCALE, 3), _PAPER, np.uint8)

    def finished(self) -> Picture:
        """Returns uint8 [height, width, 3], blue, green, red."""
        height, width = (side // _SCALE for side in self._canvas.shape[:2])
        small = cv2.resize(self._canvas, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def line(
        self, points: Sequence[tuple[float, float]], colour: Colour, *, thickness: float = 1.0
    ) -> None:
        """Joins points."""
        # Four binary places of a pixel, so that flat curves do not become stairs.
        fine = np.round(np.array(points, np.float64) * _SCALE * 16).astype(np.int32)
        wide = max(1, round(thickness * _SCALE))
        cv2.polylines(self._canvas, [fine], False, colour, wide, cv2.LINE_AA, 4)

    def dot(self, x: float, y: float, colour: Colour, *, radius: float, hollow: bool) -> None:
        """Draws a disc, or a ring."""
        place = (round(x * _SCALE * 16), round(y * _SCALE * 16))
        size = round(radius * _SCALE * 16)
        if hollow:
            cv2.circle(self._canvas, place, size, _PAPER, -1, cv2.LINE_AA, 4)
        cv2.circle(self._canvas, place, size, colour, 2 * _SCALE if hollow else -1, cv2.LINE_AA, 4)

    def text(
        self, words: str, x: float, y: float, colour: Colour = _INK, *, size: float = 0.5,
        align: float = 0.0, room: float = 0.0,
    ) -> None:  # fmt: skip
        """Writes words from x (`align` 0), to x (1) or around x (0.5), on the line y.

        OpenCV's letters are ASCII; what does not fit into `room` is cut off.
        """
        plain = words.encode("ascii", "replace").decode()
        font, scale = cv2.FONT_HERSHEY_DUPLEX, size * _SCALE

        def width(text: str) -> int:
            return int(cv2.getTextSize(text, font, scale, _SCALE)[0][0])

        while room and len(plain) > 1 and width(plain) > room * _SCALE:
            plain = plain.removesuffix("..")[:-1] + ".."
        place = (round(x * _SCALE - align * width(plain)), round(y * _SCALE))
        cv2.putText(self._canvas, plain, place, font, scale, colour, _SCALE // 2, cv2.LINE_AA)


def forest(report: Mapping[str, Any], split: str) -> Picture:
    """Draws the AUC of every finding with its 95% interval, highest first, the mean last.

    Args:
        report: the content of report.json.
        split: whose AUCs; those of validation are rings beside those of test.

    Returns:
        uint8 [height, width, 3], blue, green, red.
    """
    rows = _forest_rows(report, split)
    ends = [area["low"] if area["low"] is not None else area["value"] for _, area, _ in rows]
    low = min([0.5, *(math.floor(end * 10) / 10 for end in ends if end is not None)])
    sheet = Sheet(_WIDTH, _ROW * (len(rows) + 3))
    left, right = _NAME, _WIDTH - _VALUE

    def place(value: float) -> float:
        return float(left + (value - low) / (1 - low) * (right - left))

    sheet.text(f"AUC with 95% interval, {split} split", 12, 22, size=0.55)
    _key(sheet, [split] + (["validation"] if rows[-1][2] else []), right, 22)
    for step in range(round((1 - low) * 10) + 1):
        x = place(low + step / 10)
        sheet.line([(x, _ROW * 1.3), (x, _ROW * (len(rows) + 2))], _RULE)
        sheet.text(f"{low + step / 10:.1f}", x, _ROW * (len(rows) + 2.7), _QUIET, align=0.5)
    for number, (name, area, second) in enumerate(rows):
        y = _ROW * (number + 1.85)
        sheet.text(name, 12, y + 5, room=_NAME - 24)
        colour = COLOURS[split] if name != "Mean" else _INK
        if area["low"] is not None:
            sheet.line([(place(area["low"]), y), (place(area["high"]), y)], colour, thickness=2)
        if second and second["value"] is not None:
            sheet.dot(place(second["value"]), y, COLOURS["validation"], radius=4, hollow=True)
        if area["value"] is not None:
            sheet.dot(place(area["value"]), y, colour, radius=4.5, hollow=False)
        sheet.text(_auc(area), _WIDTH - 12, y + 5, align=1.0)
    return sheet.finished()


def _forest_rows(report: Mapping[str, Any], split: str) -> list[tuple[str, Any, Any]]:
    """Name, AUC and validation's AUC or None of every finding by falling AUC, then of the mean."""
    main = report["splits"][split]
    other = report["splits"].get("validation") if split == "test" else None
    rows = [
        (_words(name), entry["auc"], other and other["findings"][name]["auc"])
        for name, entry in main["findings"].items()
    ]
    rows.sort(key=lambda row: -(row[1]["value"] or 0))
    return [*rows, ("Mean", main["mean_auc"], other and other["mean_auc"])]


def roc(report: Mapping[str, Any]) -> Picture:
    """Draws the ROC curve of every finding, a panel each, one line a split."""
    splits = [name for name in _ORDER if name in report["splits"]]
    panels = []
    for name in report["findings"]:
        entries = [(split, report["splits"][split]["findings"][name]) for split in splits]
        curves = [
            (split, entry["roc"]["false_positive_rates"], entry["roc"]["true_positive_rates"])
            for split, entry in entries
            if entry["roc"] is not None
        ]
        panels.append((_words(name), f"AUC {_auc(entries[-1][1]['auc'])}", curves, 1.0))
    title = "ROC: sensitivity against 1 - specificity"
    return _panels(title, panels, splits, marks=False)


def reliability(report: Mapping[str, Any]) -> Picture | None:
    """Draws how often a finding is there against its score, a panel each, one line a split.

    Each panel reaches as far as its own points. None where the report holds no calibration.
    """
    section = report.get("calibration", {})
    if not section.get("available"):
        return None
    splits = [name for name in _ORDER if name in section["splits"]]
    panels = []
    for name, entry in section["findings"].items():
        found = [(split, entry[split].get("reliability")) for split in splits]
        curves = [(split, bins["scores"], bins["observed"]) for split, bins in found if bins]
        most = max([max(*x, *y) for _, x, y in curves if len(x)], default=1.0)
        limit = min(1.0, max(0.02, float(np.ceil(most * 20) / 20)))
        panels.append((_words(name), f"0 to {limit:g}", curves, limit))
    return _panels("Reliability: share with the finding against score", panels, splits, marks=True)


def _panels(title: str, panels: Sequence[Any], splits: Sequence[str], *, marks: bool) -> Picture:
    rows = -(-len(panels) // _COLUMNS)
    wide = _GAP + min(len(panels), _COLUMNS) * (_PANEL + _GAP)
    sheet = Sheet(max(wide, 640), 46 + rows * (_TITLE + _PANEL + _GAP // 2))
    sheet.text(title, _GAP, 24, size=0.55)
    _key(sheet, list(reversed(splits)), max(wide, 640) - 200, 24)
    for number, (name, note, curves, limit) in enumerate(panels):
        left = _GAP + (number % _COLUMNS) * (_PANEL + _GAP)
        top = 46 + (number // _COLUMNS) * (_TITLE + _PANEL + _GAP // 2) + _TITLE
        bottom, right = top + _PANEL, left + _PANEL
        sheet.text(name, left, top - 22, size=0.45, room=_PANEL)
        sheet.text(note, left, top - 6, _QUIET, size=0.4)
        sheet.line([(left, bottom), (right, top)], _QUIET)
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        sheet.line(corners, _RULE)
        for split, across, up in curves:
            points = [
                (left + x / limit * _PANEL, bottom - y / limit * _PANEL)
                for x, y in zip(across, up, strict=True)
            ]
            sheet.line(points, COLOURS[split], thickness=1.5)
            for x, y in points if marks else ():
                sheet.dot(x, y, COLOURS[split], radius=2.5, hollow=False)
    return sheet.finished()


def _key(sheet: Sheet, splits: Sequence[str], x: float, y: float) -> None:
    for split in splits:
        sheet.line([(x, y - 5), (x + 18, y - 5)], COLOURS[split], thickness=3)
        sheet.text(split, x + 24, y, _QUIET, size=0.45)
        x += 90


def _auc(area: Mapping[str, Any]) -> str:
    if area["value"] is None:
        return "not defined"
    if area["low"] is None:
        return f"{area['value']:.3f}"
    return f"{area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}]"


def _words(name: str) -> str:
    return name.replace("_", " ")
