# SPDX-License-Identifier: MIT
"""Draws a film with the heat map of its most flagged finding, a box, and words below.

Nothing that names a person is drawn.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from trainer.inference import on_film
from trainer.inference.pacs.codes import ascii_text
from trainer.serving.facts import Facts

if TYPE_CHECKING:
    from trainer.serving.served import Answer

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

MAX_SIDE, _WIDTH_OF_TEXT = 1024, 512
_LINE, _NAMED = 22, 6
_WHITE, _YELLOW = (255, 255, 255), (255, 220, 0)


def flagged(answer: "Answer", facts: Facts, rule: str) -> list[int]:
    """Returns the findings that a rule flags, all without one, farthest above prevalence first."""
    prevalence = np.array([facts.prevalence.get(name, 1.0) for name in facts.findings])
    order = np.argsort(-answer.best[0] / np.maximum(prevalence, 1e-6), kind="stable")
    chosen = facts.rules.index(rule) if rule else 0
    return [int(n) for n in order if not rule or answer.flags[0, n, chosen] == 1]


def draw(film: Picture, answer: "Answer", maps: Floats, facts: Facts, rule: str) -> Picture:
    """Draws a film.

    Args:
        film: uint8 [height, width], upright.
        answer: of the model for it alone, n = 1.
        maps: heat, float32 [F, image_size, image_size], 0 to 1.
        facts: of the model.
        rule: by which findings are flagged; "" for none.

    Returns:
        uint8 [height, width, 3], red first, no side longer than 1024.
    """
    shown = flagged(answer, facts, rule)
    lines = _lines(answer, facts, shown)
    below = _LINE * (len(lines) + 1)
    height, width = film.shape
    share = min(1.0, (MAX_SIDE - below) / height, MAX_SIDE / width)
    height, width = max(1, int(height * share)), max(1, int(width * share))
    small = cv2.resize(film, (width, height), interpolation=cv2.INTER_AREA)
    picture = np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2RGB), np.uint8)
    if shown and maps[shown[0]].max() > 0:
        picture = _heated(picture, on_film.laid_out(maps[shown[0]], facts, height, width))
    made = np.zeros((height + below, max(width, _WIDTH_OF_TEXT), 3), np.uint8)
    left = (made.shape[1] - width) // 2
    made[:height, left : left + width] = picture
    for row, text in enumerate(lines, 1):
        place, colour = (8, height + _LINE * row), _WHITE if row > 1 else _YELLOW
        cv2.putText(made, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return made


def hottest(heat: Floats) -> tuple[int, int, int, int]:
    """Returns left, top, width and height of the region round the peak, at half of it and more."""
    hot = (heat >= heat.max() / 2).astype(np.uint8)
    _, regions, boxes, _ = cv2.connectedComponentsWithStats(hot)
    left, top, width, height = boxes[regions[np.unravel_index(heat.argmax(), heat.shape)]][:4]
    return int(left), int(top), int(width), int(height)


def _heated(picture: Picture, heat: Floats) -> Picture:
    colours = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    weight = 0.45 * heat[..., None]
    made = np.ascontiguousarray((picture * (1 - weight) + colours * weight).astype(np.uint8))
    cv2.rectangle(made, hottest(heat), _YELLOW, 2)
    return made


def _lines(answer: "Answer", facts: Facts, shown: list[int]) -> list[str]:
    lines = ["RESEARCH USE - NOT A MEDICAL DEVICE"]
    if answer.unfamiliar is not None and answer.unfamiliar[0]:
        lines.append("UNLIKE THE FILMS OF TRAINING: DO NOT RELY ON THIS")
    kind = "score" if answer.probabilities is None else "probability"
    for number in shown[:_NAMED]:
        note = " (heat map, box)" if number == shown[0] else ""
        name = ascii_text(facts.findings[number])[:24]
        lines.append(f"{name}: {kind} {answer.best[0, number]:.3f}{note}")
    if len(shown) != len(shown[:_NAMED]):
        lines.append(f"and {len(shown) - _NAMED} more in the report")
    return lines if shown else [*lines, "no finding reaches its threshold: no heat map"]
