# SPDX-License-Identifier: MIT
"""Draws what the network said of a picture, and what is true, below the picture."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

# In pixels. TensorBoard shows a picture about as wide as this, so letters keep their size.
SIDE = 320
_ROW = 26
_MARGIN = 8
_NAME, _SCORE, _LABEL = 8, 190, 246  # left ends of the columns

_ROWS = 6
_FONT, _SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.48
_PAPER, _BAR, _DIM, _INK = 24, 84, 170, 255

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]


def example_picture(
    name: str, pixels: Picture, labels: Floats, scores: Floats, *, findings: Sequence[str]
) -> Picture:
    """Returns a picture with its id, labels and scores below it.

    Listed are the findings that are present, filled up with the highest scores; the highest first.
    The bar behind a name is as long as its score. All is grey: a log keeps hundreds of these.

    Args:
        name: id of the picture.
        pixels: uint8 [size, size].
        labels: [findings]; 1 present, 0 absent, NaN unknown.
        scores: [findings], 0 to 1.
        findings: names.

    Returns:
        uint8 [height, 320]; height depends on the number of findings only.
    """
    rows = listed(labels, scores)
    panel = np.full([_ROW * (2 + min(_ROWS, len(findings))) + _MARGIN, SIDE], _PAPER, np.uint8)
    _write(panel, name, _NAME, 0, _INK)
    for text, left in (("finding", _NAME), ("score", _SCORE), ("label", _LABEL)):
        _write(panel, text, left, 1, _DIM)
    for line, at in enumerate(rows, start=2):
        top, score, present = line * _ROW, float(scores[at]), labels[at] == 1
        length = round(np.clip(np.nan_to_num(score), 0, 1) * (_SCORE - _MARGIN))
        panel[top + 3 : top + _ROW - 1, :length] = _BAR
        ink = _INK if present else _DIM
        _write(panel, findings[at], _NAME, line, ink)
        _write(panel, f"{score:.3f}", _SCORE, line, ink)
        _write(panel, _label(labels[at]), _LABEL, line, ink)
    return np.concatenate([_resized(pixels), panel])


def listed(labels: Floats, scores: Floats, most: int = _ROWS) -> list[int]:
    """Returns which findings to list, at most six: present ones, then others; by falling score."""
    by_score = [int(at) for at in np.argsort(-scores, kind="stable")]
    chosen = sorted(by_score, key=lambda at: labels[at] != 1)[:most]
    return [at for at in by_score if at in chosen]


def _label(value: float) -> str:
    return "unknown" if np.isnan(value) else ("PRESENT" if value == 1 else "absent")


def _resized(pixels: Picture) -> Picture:
    grows = pixels.shape[0] < SIDE
    how = cv2.INTER_LINEAR if grows else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=how), np.uint8)


def _write(panel: Picture, text: str, left: int, line: int, ink: int) -> None:
    room = (SIDE if left != _NAME or line == 0 else _SCORE) - left - 4
    while text and cv2.getTextSize(text, _FONT, _SCALE, 1)[0][0] > room:
        text = text[:-1]
    at = (left, (line + 1) * _ROW - 8)
    cv2.putText(panel, text, at, _FONT, _SCALE, ink, 1, cv2.LINE_AA)
