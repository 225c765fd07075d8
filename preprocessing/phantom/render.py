# SPDX-License-Identifier: MIT
"""Makes the picture of a record: densities of all parts summed, then developed like a film.

Smooth parts are made at a quarter of the resolution, contours at half of it, and only grain and
markers at the full one; this is what keeps a picture of 1024 px at some tens of milliseconds.
"""

import functools

import cv2
import numpy as np

from preprocessing.phantom import anatomy as anatomies
from preprocessing.phantom import extras, findings, lesion, outlines, raster, skeleton
from preprocessing.phantom.anatomy import Anatomy
from preprocessing.phantom.lesion import Lesion, Scene, step
from preprocessing.phantom.population import Record

BOX_SIDE = 1024
_GRAIN_LEVELS = 4
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
    scene = Scene.of(anatomy, side)
    findings.paint(scene, lesions)
    film = _develop(_density(scene, record, seed, side), anatomy)
    how = cv2.INTER_AREA if size_px < side else cv2.INTER_CUBIC
    film = cv2.resize(film, (size_px, size_px), interpolation=how)
    extras.add(film, record, anatomy, seed)
    return _grain(film, record, anatomy, seed)


def boxes(record: Record, seed: int) -> dict[str, tuple[float, float, float, float]]:
    """Finds the rectangles round the findings of a record, without making the picture.

    Args:
        record: the picture.
        seed: seed of the phantom.

    Returns:
        By finding (x, y, width, height) in pixels of the 1024x1024 picture, inside of it.
    """
    anatomy, lesions = _prepare(record, seed)
    found = {}
    for one in lesions:
        extent = findings.FINDINGS[one.finding].extent
        rectangle = extent(anatomy, one) if extent else None
        if rectangle:
            u0, v0, u1, v1 = rectangle
            corners = np.array([(u0, v0), (u1, v0), (u1, v1), (u0, v1)])
            placed = np.clip(anatomy.frame.place(corners), 0.0, 1.0) * BOX_SIDE
            x, y = placed.min(axis=0)
            width, height = placed.max(axis=0) - (x, y)
            found[one.finding] = (float(x), float(y), float(width), float(height))
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
        raster.fill(frame, outlines.lung(anatomy, half), side, into=lungs)
    depth = _depth(lungs)
    lungs_soft = raster.blur(lungs, 0.0022)
    heart = raster.blur(raster.fill(frame, outlines.heart(anatomy), side), 0.0035)
    centre = raster.blur(raster.fill(frame, outlines.mediastinum(anatomy), side), 0.005)
    open_lung = lungs_soft * (1.0 - 0.93 * np.maximum(heart, centre))
    aeration = raster.resize(scene.aeration, side)
    air = open_lung * depth * aeration
    density = raster.resize(_soft_parts(scene) + scene.dense, side)
    density -= np.float32(anatomy.air) * air
    density += np.float32(0.07) * heart + np.float32(0.07) * centre
    marks = skeleton.vessels(anatomy, seed, record.patient, side)
    marks *= raster.resize(scene.markings, side)
    density += np.float32(0.19) * marks * air
    # Bones show less against thick tissue, because scattered radiation fogs it.
    fog = (
        1.0
        - 0.55 * np.maximum(heart, centre)
        - 0.6 * raster.resize(_belly(scene), side) * (1.0 - lungs_soft)
    )
    density += fog * skeleton.bones(anatomy, seed, record.patient, side)
    density += np.float32(0.20) * raster.blur(scene.lines, 0.0012) * lungs_soft
    return density


def _depth(lungs: np.ndarray) -> np.ndarray:
    """Thickness of the lungs along the beam, 0.5 at the edge rising to 1."""
    side = lungs.shape[0]
    small = cv2.resize(lungs, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
    distance = cv2.distanceTransform((small > 100).astype(np.uint8), cv2.DIST_L2, 3)
    depth = 1.0 - 0.5 * np.exp(-distance / np.float32(0.055 * side / 4))
    return raster.resize(raster.blur(depth, 0.006), side)


def _soft_parts(scene: Scene) -> np.ndarray:
    """Density of the chest wall, the arms, the spine, the windpipe, the abdomen; half the side."""
    anatomy, frame = scene.anatomy, scene.anatomy.frame
    u, v = scene.grid
    side = u.shape[0]
    away = np.abs(u)
    trunk = _rounded(raster.fill(frame, outlines.torso(anatomy), side), 0.035)
    density = np.float32(anatomy.soft) * trunk
    for half in (-1, 1):
        limb = _rounded(raster.fill(frame, outlines.arm(anatomy, half), side), 0.03)
        np.maximum(density, np.float32(0.72 * anatomy.soft) * limb, out=density)
    density += 0.30 * _belly(scene) * step((1.12 - away) / 0.22) * trunk
    density += 0.10 * step((0.30 - v) / 0.5) * step((1.15 - away) / 0.5) * trunk
    spine = step((0.105 - away) / 0.03)
    density += spine * (0.05 + 0.03 * np.sin(v * (6.2832 / 0.088)))
    if anatomy.breast:
        for half in (-1, 1):
            round_ = np.sqrt(((u - 0.58 * half) / 0.46) ** 2 + ((v - 0.80) / 0.34) ** 2)
            lower = 0.35 + 0.65 * step((v - 0.55) / 0.35)
            density += np.float32(anatomy.breast) * step((1.05 - round_) / 0.30) * lower
    airway = np.zeros((side, side), np.uint8)
    for number, line in enumerate(outlines.trachea(anatomy)):
        width, grey = (0.034, 255) if number == 0 else (0.020, 120)
        raster.stroke(airway, frame, line, width=width, value=grey)
    density -= np.float32(0.24) * raster.blur(airway, 0.004)
    if anatomy.bubble:
        density -= np.float32(0.36) * _bubble(scene)
    return density


def _belly(scene: Scene) -> np.ndarray:
    """Rises from 0 over the diaphragm to 1 in the abdomen; half the side."""
    base = 0.5 * (scene.anatomy.dome[-1] + scene.anatomy.dome[1])
    return step((scene.grid[1] - base + 0.05) / 0.30)


def _rounded(mask: np.ndarray, skin: float) -> np.ndarray:
    """Thickness of a rounded body part: thin at the skin, even inside; `skin` of the side deep."""
    distance = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    # Of a mask without an edge the distance is infinite.
    distance = np.minimum(distance, mask.shape[0])
    thick = 1.0 - 0.62 * np.exp(-distance / np.float32(skin * mask.shape[0]))
    return raster.blur(thick * (mask * np.float32(1 / 255)), 0.004)


def _bubble(scene: Scene) -> np.ndarray:
    """Gas in the stomach, under the left dome, with a level below."""
    anatomy = scene.anatomy
    u, v = scene.grid
    size = anatomy.bubble
    middle = anatomy.dome[1] + 0.05 + 0.42 * size
    round_ = np.sqrt(((u - 0.48) / size) ** 2 + ((v - middle) / (0.50 * size)) ** 2)
    gas: np.ndarray = step((1.0 - round_) / 0.22) * step((middle + 0.28 * size - v) / 0.03)
    return gas


def _develop(density: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Turns densities into grey levels with the S-shaped curve of a film, uint8."""
    exposure = (density - np.float32(anatomy.centre_grey)) / np.float32(anatomy.latitude)
    grey = 262.0 / (1.0 + np.exp(-exposure)) - 4.0
    film: np.ndarray = np.clip(grey, 3, 253).astype(np.uint8)
    return film


def _grain(film: np.ndarray, record: Record, anatomy: Anatomy, seed: int) -> np.ndarray:
    """Adds the grain of the film."""
    rng = anatomies.stream(seed, anatomies.NOISE, record.patient, record.number)
    level = round(anatomy.noise * _GRAIN_LEVELS)
    tile = _grain_tile(film.shape[0] * 5 // 4, level)
    y, x = rng.integers(0, tile.shape[0] - film.shape[0], size=2)
    window = tile[y : y + film.shape[0], x : x + film.shape[0]]
    grainy: np.ndarray = cv2.add(film, window, dtype=cv2.CV_8U)
    return grainy


@functools.lru_cache(maxsize=16)
def _grain_tile(side: int, level: int) -> np.ndarray:
    """Grain of one strength, int16 [side, side], made once for each process."""
    tile = raster.noise_tile(0, side, 0.5) * (level / _GRAIN_LEVELS)
    return np.round(tile).astype(np.int16)
