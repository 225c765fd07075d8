# SPDX-License-Identifier: MIT
"""What lies on a film beside the patient: side marker, leads, tubes, the edge of the beam."""

import cv2
import numpy as np

from preprocessing.phantom import raster
from preprocessing.phantom.anatomy import DEVICES, Anatomy, stream
from preprocessing.phantom.frame import Frame, curve
from preprocessing.phantom.population import Record

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def add(picture: np.ndarray, record: Record, anatomy: Anatomy, seed: int) -> None:
    """Draws them, in place. They depend on the view but never on the findings.

    Args:
        picture: uint8 [side, side].
        record: the picture.
        anatomy: the chest.
        seed: seed of the phantom.
    """
    rng = stream(seed, DEVICES, record.patient, record.number)
    ap = record.view == "AP"
    if ap:
        over = np.zeros_like(picture)
        _leads(over, anatomy.frame, rng)
        if rng.random() < 0.35:
            _tubes(over, anatomy.frame, rng)
        cv2.add(picture, over, dst=picture)
    if rng.random() < 0.06:
        _pacemaker(picture, anatomy.frame, rng)
    if rng.random() < (0.25 if ap else 0.15):
        _beam_edge(picture, rng)
    _marker(picture, rng, ap=ap)


def _marker(picture: np.ndarray, rng: np.random.Generator, *, ap: bool) -> None:
    side = picture.shape[0]
    scale, thick = side / 1024, max(1, round(side / 340))
    x, y = int(side * rng.uniform(0.86, 0.92)), int(side * rng.uniform(0.07, 0.16))
    if ap and rng.random() < 0.5:
        for grey, line in ((12, -1), (235, thick)):
            cv2.circle(picture, (x + 3, y), round(25 * scale), grey, line, cv2.LINE_AA)
        letter = (x - round(6 * scale), y + round(12 * scale))
        cv2.putText(picture, "L", letter, _FONT, scale, 235, thick, cv2.LINE_AA)
    else:
        cv2.putText(picture, "L", (x, y), _FONT, 1.6 * scale, 245, thick + 1, cv2.LINE_AA)
    if ap and rng.random() < 0.6:
        corner = (round(70 * scale), round(40 * scale))
        cv2.putText(picture, "PORTABLE", corner, _FONT, 0.7 * scale, 240, thick, cv2.LINE_AA)


def _leads(over: np.ndarray, frame: Frame, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 4))):
        side = rng.choice((-1, 1))
        end = np.array([side * rng.uniform(0.5, 1.0), rng.uniform(0.1, 0.9)])
        way = [(side * 1.35, end[1] + rng.uniform(0.3, 0.7)), end + (0.1 * side, 0.2), end]
        raster.stroke(over, frame, curve(way), width=0.003, value=42)
        centre = tuple(int(x) for x in frame.place(end[None])[0] * over.shape[0])
        cv2.circle(over, centre, round(0.012 * over.shape[0]), 48, -1, cv2.LINE_AA)
        cv2.circle(over, centre, round(0.005 * over.shape[0]), 110, -1, cv2.LINE_AA)


def _tubes(over: np.ndarray, frame: Frame, rng: np.random.Generator) -> None:
    if rng.random() < 0.6:
        airway = [(0.03, -0.3), (0.01, -0.1), (0.0, 0.1), (-0.01, rng.uniform(0.2, 0.28))]
        raster.stroke(over, frame, curve(airway), width=0.008, value=26)
        raster.stroke(over, frame, curve(airway) + (0.012, 0), width=0.002, value=70)
    if rng.random() < 0.7:
        side = rng.choice((-1, 1))
        line = [(side * 0.75, 0.0), (side * 0.4, 0.07), (-0.06, 0.15), (-0.12, 0.32), (-0.11, 0.5)]
        raster.stroke(over, frame, curve(line), width=0.0035, value=60)


def _pacemaker(picture: np.ndarray, frame: Frame, rng: np.random.Generator) -> None:
    at = (0.68 + 0.08 * rng.random(), 0.16 + 0.06 * rng.random())
    side = picture.shape[0]
    lead = [at, (0.35, 0.09), (0.0, 0.14), (-0.12, 0.4), (-0.08, 0.78), (0.22, 0.95)]
    over = np.zeros_like(picture)
    raster.stroke(over, frame, curve(lead), width=0.0035, value=75)
    x, y = (int(value) for value in frame.place(np.array([at]))[0] * side)
    for share, grey in ((1.0, 130), (0.6, 190)):
        size = (round(0.045 * share * side), round(0.036 * share * side))
        cv2.ellipse(over, (x, y), size, 20, 0, 360, grey, -1, cv2.LINE_AA)
    cv2.add(picture, over, dst=picture)


def _beam_edge(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Blackens what the collimator kept from the beam, outside a slightly tilted rectangle."""
    side = picture.shape[0]
    centre = (side * (0.5 + rng.normal(0, 0.01)), side * (0.5 + rng.normal(0, 0.01)))
    size = (side * rng.uniform(0.93, 1.04), side * rng.uniform(0.95, 1.06))
    corners = cv2.boxPoints((centre, size, float(rng.normal(0, 1.2))))
    inside = np.zeros_like(picture)
    cv2.fillPoly(inside, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    np.copyto(picture, np.uint8(7), where=inside < 128)
