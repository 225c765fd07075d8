# SPDX-License-Identifier: MIT
"""Makes what the page shows out of a model, a film and an answer: pictures and plain numbers."""

import base64
from typing import Any

import cv2
import numpy as np

from preprocessing.contract.pictures.image import Pixels
from trainer.evaluation import recalibration
from trainer.inference import on_film
from trainer.inference.films import Film
from trainer.serving.facts import Facts
from trainer.serving.served import Answer, Floats

RESEARCH = "For research. Not a medical device: it may not be used to diagnose or to treat anybody."
# Longer sides in pixels, of the film and of a heat map over it.
_FILM_SIDE, _MAP_SIDE = 1024, 512


def model(facts: Facts) -> dict[str, Any]:
    """Returns what the page says of the model."""
    known = facts.prevalence
    thresholds = {
        name: {rule: _threshold(facts, name, rule) for rule in facts.rules}
        for name in facts.findings
    }
    findings = [
        {"name": name, "prevalence": known[name], "thresholds": found}
        for name, found in thresholds.items()
    ]
    said = {"findings": findings, "rules": facts.rules, "calibrated": bool(facts.calibration)}
    said |= {"identity": facts.identity, "step": facts.step, "views": facts.views}
    return said | {"research_use": RESEARCH}


def _threshold(facts: Facts, name: str, rule: str) -> dict[str, float | None]:
    raw = facts.thresholds[name][rule]
    if raw is None or not facts.calibration:
        return {"raw": raw, "probability": None}
    mapped = recalibration.apply(facts.calibration[name], np.array([raw]))
    return {"raw": raw, "probability": float(mapped[0])}


def film(found: Film) -> dict[str, Any]:
    """Returns what the page shows of a film."""
    pixels = found.original.pixels
    height, width = pixels.shape
    small = _within(pixels.shape, _FILM_SIDE)
    if small != pixels.shape:
        pixels = np.asarray(cv2.resize(pixels, small[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    said = {"usable": True, "width": width, "height": height, "warnings": found.original.warnings}
    return said | {"picture": _png(pixels)}


def answer(given: Answer, facts: Facts) -> dict[str, Any]:
    """Returns what the page says of an answer of one film."""
    best, raw, flags = given.best[0].tolist(), given.raw[0].tolist(), given.flags[0].tolist()
    findings = [
        {
            "name": name,
            "probability": one,
            "raw": two,
            "flags": dict(zip(facts.rules, three, strict=True)),
        }
        for name, one, two, three in zip(facts.findings, best, raw, flags, strict=True)
    ]
    unfamiliar = None if given.unfamiliar is None else bool(given.unfamiliar[0])
    distance = None if given.distance is None else float(given.distance[0])
    return {"findings": findings, "unfamiliar": unfamiliar, "distance": distance}


def heat_map(heat: Floats, facts: Facts, shape: tuple[int, int]) -> str:
    """Returns a heat map, [image_size, image_size], on a film of that height and width, as PNG."""
    laid = on_film.laid_out(heat, facts, *_within(shape, _MAP_SIDE))
    return _png(np.rint(laid.clip(0, 1) * 255).astype(np.uint8))


def _within(shape: tuple[int, int], side: int) -> tuple[int, int]:
    share = min(1.0, side / max(shape))
    return max(1, round(shape[0] * share)), max(1, round(shape[1] * share))


def _png(pixels: Pixels) -> str:
    encoded = cv2.imencode(".png", pixels)[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(encoded).decode()}"
