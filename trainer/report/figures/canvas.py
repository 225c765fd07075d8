# SPDX-License-Identifier: MIT
"""A white sheet on which a figure is drawn once and saved as SVG and as PNG.

Files of figures end up in slides and papers, so they carry their colours with them instead of
taking them from a style sheet.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt
from markupsafe import escape

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]

# Pixels of a PNG to a unit of the sheet.
_SCALE = 2
# Hershey letters of scale 1 are this many pixels high.
_LETTERS = 30.0
_FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"


class Canvas(Protocol):
    """What a figure is drawn with; lengths in units, colours as "#rrggbb"."""

    def lines(
        self, points: Sequence[Point], colour: str, *, width: float = 1.0, dash: float = 0.0
    ) -> None:
        """Draws lines from point to point, dashed where `dash` is above 0."""

    def dot(self, place: Point, radius: float, colour: str) -> None:
        """Draws a filled circle."""

    def text(
        self,
        place: Point,
        text: str,
        *,
        size: float = 12.0,
        anchor: Anchor = "start",
        colour: str = "#17212b",
        upright: bool = False,
    ) -> None:
        """Writes one line; `place` is the left, middle or right end of its base line.

        With `upright` it runs from below to above.
        """


class Svg:
    """A sheet that becomes SVG text.

    Args:
        width: of the sheet.
        height: of the sheet.
        title: what a screen reader says.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" font-family="{_FONT}">'
            f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="#ffffff"/>'
        ]

    def lines(
        self, points: Sequence[Point], colour: str, *, width: float = 1.0, dash: float = 0.0
    ) -> None:
        """See `Canvas`."""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dashes = f' stroke-dasharray="{dash:g}"' if dash else ""
        self._parts.append(
            f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
            f'stroke-linejoin="round"{dashes}/>'
        )

    def dot(self, place: Point, radius: float, colour: str) -> None:
        """See `Canvas`."""
        self._parts.append(
            f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{radius:g}" fill="{colour}"/>'
        )

    def text(
        self,
        place: Point,
        text: str,
        *,
        size: float = 12.0,
        anchor: Anchor = "start",
        colour: str = "#17212b",
        upright: bool = False,
    ) -> None:
        """See `Canvas`."""
        turn = " rotate(-90)" if upright else ""
        self._parts.append(
            f'<text transform="translate({place[0]:.1f} {place[1]:.1f}){turn}" fill="{colour}" '
            f'font-size="{size:g}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def content(self) -> bytes:
        """Returns the file."""
        return "".join([*self._parts, "</svg>\n"]).encode()


class Png:
    """A sheet that becomes a PNG, two pixels to a unit.

    Args:
        width: of the sheet.
        height: of the sheet.
    """

    def __init__(self, width: int, height: int) -> None:
        self._pixels = np.full((height * _SCALE, width * _SCALE, 3), 255, np.uint8)

    def lines(
        self, points: Sequence[Point], colour: str, *, width: float = 1.0, dash: float = 0.0
    ) -> None:
        """See `Canvas`."""
        places = np.array(points, np.float64) * _SCALE
        parts = _dashes(places, dash * _SCALE) if dash else [places]
        cv2.polylines(
            self._pixels,
            [np.round(part * 16).astype(np.int32) for part in parts],
            isClosed=False,
            color=_bgr(colour),
            thickness=max(1, round(width * _SCALE)),
            lineType=cv2.LINE_AA,
            shift=4,
        )

    def dot(self, place: Point, radius: float, colour: str) -> None:
        """See `Canvas`."""
        x, y = (round(value * _SCALE * 16) for value in place)
        size = round(radius * _SCALE * 16)
        cv2.circle(self._pixels, (x, y), size, _bgr(colour), -1, cv2.LINE_AA, 4)

    def text(
        self,
        place: Point,
        text: str,
        *,
        size: float = 12.0,
        anchor: Anchor = "start",
        colour: str = "#17212b",
        upright: bool = False,
    ) -> None:
        """See `Canvas`; what the Hershey letters lack is written as "?"."""
        words = text.replace("\N{MINUS SIGN}", "-").encode("ascii", "replace").decode()
        face, scale, stroke = cv2.FONT_HERSHEY_SIMPLEX, size * _SCALE / _LETTERS, 1
        (length, _), _ = cv2.getTextSize(words, face, scale, stroke)
        start = {"start": 0, "middle": -length // 2, "end": -length}[anchor]
        # Turned, the sheet has its left end below: what goes right on it goes up when turned back.
        sheet = np.ascontiguousarray(np.rot90(self._pixels, -1)) if upright else self._pixels
        x, y = (round(value * _SCALE) for value in place)
        if upright:
            x, y = self._pixels.shape[0] - y, x
        cv2.putText(sheet, words, (x + start, y), face, scale, _bgr(colour), stroke, cv2.LINE_AA)
        if upright:
            self._pixels = np.ascontiguousarray(np.rot90(sheet))

    def content(self) -> bytes:
        """Returns the file."""
        done, data = cv2.imencode(".png", self._pixels, [cv2.IMWRITE_PNG_COMPRESSION, 6])
        assert done
        return bytes(data.tobytes())


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return blue, green, red


def _dashes(places: npt.NDArray[np.float64], length: float) -> list[npt.NDArray[np.float64]]:
    """Cuts a path into dashes with gaps of the same length, counted along the whole path."""
    steps = np.hypot(*np.diff(places, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    parts = []
    for start in np.arange(0.0, along[-1], 2 * length):
        end = min(start + length, along[-1])
        at = np.array([start, *along[(along > start) & (along < end)], end])
        parts.append(np.stack([np.interp(at, along, values) for values in places.T], axis=1))
    return parts
