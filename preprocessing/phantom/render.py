# SPDX-License-Identifier: MIT
"""Makes the picture of a record: densities of all parts summed, then developed like a film.

Smooth parts are made at a quarter of the resolution, contours at half of it, and only grain and
markers at the full one; this is what keeps a picture of 1024 px at some tens of milliseconds.
"""

import functools

import cv2
import numpy as np

from preprocessing.phantom import anatomy as anatomies
from preprocessing.phantom import body, drawing, findings, lesion
from preprocessing.phantom.anatomy import Anatomy
from preprocessing.phantom.drawing import Frame, curve
from preprocessing.phantom.lesion import Lesion, Scene
from preprocessing.phantom.population import Record

BOX_SIDE = 1024
_GRAIN_LEVELS = 4
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# In a smaller picture lines would be thinner than a pixel, so a small one is a larger one shrunk.
_LEAST_SIDE = 256


def picture(record: Record, seed: int, size_px: int) -> np.ndarray:
    """Makes the picture of a record.

    Args:
        record: the picture's patient, view and findings.
        seed: seed of the phantom.
        size_px: side of the picture in pixels.

    Returns:
        uint8 [size_px, size_px], a pure function of the arguments.
    """
    anatomy, lesions = _prepare(record, seed)
    side = max(_LEAST_SIDE, 4 * (size_px // 8))
    scene = Scene(anatomy, side)
    findings.paint(scene, lesions)
    film = _develop(_density(scene, record, seed, side), anatomy)
    how = cv2.INTER_AREA if size_px < side else cv2.INTER_CUBIC
    film = cv2.resize(film, (size_px, size_px), interpolation=how)
    _add_extras(film, record, anatomy, seed)
    return _grain(film, record, anatomy, seed)


def boxes(record: Record, seed: int) -> dict[str, tuple[float, float, float, float]]:
    """Finds the rectangles round the findings of a record, without making the picture.

    Returns:
        By finding (x, y, width, height) in pixels of the 1024x1024 picture, inside of it.
    """
    anatomy, lesions = _prepare(record, seed)
    found = {}
    # A finding's place does not depend on the size of the layers.
    extents = findings.paint(Scene(anatomy, 8), lesions)
    for finding in filter(extents.__contains__, findings.BOXED):
        u0, v0, u1, v1 = extents[finding]
        corners = np.array([(u0, v0), (u1, v0), (u1, v1), (u0, v1)])
        placed = np.clip(anatomy.frame.place(corners), 0.0, 1.0) * BOX_SIDE
        x, y = placed.min(axis=0)
        width, height = placed.max(axis=0) - (x, y)
        found[finding] = (float(x), float(y), float(width), float(height))
    return found


def _prepare(record: Record, seed: int) -> tuple[Anatomy, list[Lesion]]:
    anatomy = anatomies.draw(record, seed)
    lesions = lesion.plan(record, seed)
    findings.build(anatomy, lesions)
    return anatomy, lesions


def _density(scene: Scene, record: Record, seed: int, side: int) -> np.ndarray:
    """Sums the densities of all parts, float32 [side, side]."""
    anatomy, frame = scene.anatomy, scene.anatomy.frame
    lungs = np.zeros((side, side), np.uint8)
    for half in (-1, 1):
        drawing.fill(frame, anatomies.lung(anatomy, half), side, into=lungs)
    depth = body.depth(lungs)
    lungs_soft = drawing.blur(lungs, 0.0022)
    heart = drawing.blur(drawing.fill(frame, anatomies.heart(anatomy), side), 0.0035)
    centre = drawing.blur(drawing.fill(frame, anatomies.mediastinum(anatomy), side), 0.005)
    open_lung = lungs_soft * (1.0 - 0.93 * np.maximum(heart, centre))
    aeration = drawing.resize(scene.aeration, side)
    air = open_lung * depth * aeration
    density = drawing.resize(body.soft_parts(scene) + scene.dense, side)
    density -= np.float32(anatomy.air) * air
    density += np.float32(0.07) * heart + np.float32(0.07) * centre
    marks = body.vessels(anatomy, seed, record.patient, side)
    marks *= drawing.resize(scene.markings, side)
    density += np.float32(0.19) * marks * air
    # Bones show less against thick tissue, because scattered radiation fogs it.
    fog = (
        1.0
        - 0.55 * np.maximum(heart, centre)
        - 0.6 * drawing.resize(body.belly(scene), side) * (1.0 - lungs_soft)
    )
    density += fog * body.bones(anatomy, seed, record.patient, side)
    density += np.float32(0.20) * drawing.blur(scene.lines, 0.0012) * lungs_soft
    return density


def _develop(density: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Turns densities into grey levels with the S-shaped curve of a film, uint8."""
    exposure = (density - np.float32(anatomy.centre_grey)) / np.float32(anatomy.latitude)
    grey = 262.0 / (1.0 + np.exp(-exposure)) - 4.0
    film: np.ndarray = np.clip(grey, 3, 253).astype(np.uint8)
    return film


def _add_extras(picture: np.ndarray, record: Record, anatomy: Anatomy, seed: int) -> None:
    """Draws, in place, what is on a film beside the patient; never depends on the findings."""
    rng = anatomies.stream(seed, anatomies.DEVICES, record.patient, record.number)
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
        drawing.stroke(over, frame, curve(way), width=0.003, value=42)
        centre = tuple(int(x) for x in frame.place(end[None])[0] * over.shape[0])
        cv2.circle(over, centre, round(0.012 * over.shape[0]), 48, -1, cv2.LINE_AA)
        cv2.circle(over, centre, round(0.005 * over.shape[0]), 110, -1, cv2.LINE_AA)


def _tubes(over: np.ndarray, frame: Frame, rng: np.random.Generator) -> None:
    if rng.random() < 0.6:
        airway = [(0.03, -0.3), (0.01, -0.1), (0.0, 0.1), (-0.01, rng.uniform(0.2, 0.28))]
        drawing.stroke(over, frame, curve(airway), width=0.008, value=26)
        drawing.stroke(over, frame, curve(airway) + (0.012, 0), width=0.002, value=70)
    if rng.random() < 0.7:
        side = rng.choice((-1, 1))
        line = [(side * 0.75, 0.0), (side * 0.4, 0.07), (-0.06, 0.15), (-0.12, 0.32), (-0.11, 0.5)]
        drawing.stroke(over, frame, curve(line), width=0.0035, value=60)


def _pacemaker(picture: np.ndarray, frame: Frame, rng: np.random.Generator) -> None:
    at = (0.68 + 0.08 * rng.random(), 0.16 + 0.06 * rng.random())
    side = picture.shape[0]
    lead = [at, (0.35, 0.09), (0.0, 0.14), (-0.12, 0.4), (-0.08, 0.78), (0.22, 0.95)]
    over = np.zeros_like(picture)
    drawing.stroke(over, frame, curve(lead), width=0.0035, value=75)
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


def _grain(film: np.ndarray, record: Record, anatomy: Anatomy, seed: int) -> np.ndarray:
    """Adds the grain of the film."""
    rng = anatomies.stream(seed, anatomies.NOISE, record.patient, record.number)
    level = round(anatomy.noise * _GRAIN_LEVELS)
    tile = _grain_tile(film.shape[0] * 5 // 4, level)
    grainy: np.ndarray = cv2.add(film, drawing.window(rng, tile, film.shape[0]), dtype=cv2.CV_8U)
    return grainy


@functools.lru_cache(maxsize=16)
def _grain_tile(side: int, level: int) -> np.ndarray:
    """Grain of one strength, int16 [side, side], made once for each process."""
    tile = drawing.noise_tile(0, side, 0.5) * (level / _GRAIN_LEVELS)
    return np.round(tile).astype(np.int16)
