# SPDX-License-Identifier: MIT
"""Turns curves into grey layers: filled and stroked shapes, blurs and tiles of noise."""

import functools

import cv2
import numpy as np

from preprocessing.phantom.frame import Frame

_SUBPIXEL_BITS = 4
Layer = np.ndarray


def to_pixels(frame: Frame, points: np.ndarray, side: int) -> np.ndarray:
    """Maps chest coordinates to the fixed-point pixels that OpenCV draws with, int32 [n, 2]."""
    pixels = (frame.place(points) * side - 0.5) * (1 << _SUBPIXEL_BITS)
    return np.round(pixels).astype(np.int32)


def fill(frame: Frame, points: np.ndarray, side: int, into: Layer | None = None) -> Layer:
    """Fills a contour with 255, smooth at the edge.

    Args:
        frame: where the chest lies.
        points: closed contour, (u, v), [n, 2].
        side: side of the layer in pixels.
        into: layer to draw on; a new one if None.

    Returns:
        uint8 [side, side].
    """
    layer = np.zeros((side, side), np.uint8) if into is None else into
    shape = to_pixels(frame, points, side)
    cv2.fillPoly(layer, [shape], 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    return layer


def stroke(
    layer: Layer, frame: Frame, points: np.ndarray, *, width: float, value: float = 255
) -> None:
    """Draws an open curve onto a uint8 layer.

    Args:
        layer: uint8 [side, side], changed in place.
        frame: where the chest lies.
        points: curve, (u, v), [n, 2].
        width: width of the line as a fraction of the side.
        value: grey level, 0 to 255.
    """
    side = layer.shape[0]
    shape = to_pixels(frame, points, side)
    thickness = width * side
    # A line thinner than a pixel is drawn one pixel wide and fainter.
    strength = value * min(1.0, thickness)
    cv2.polylines(
        layer,
        [shape],
        False,
        float(strength),
        thickness=max(1, round(thickness)),
        lineType=cv2.LINE_AA,
        shift=_SUBPIXEL_BITS,
    )


def blur(layer: Layer, sigma: float) -> np.ndarray:
    """Blurs a layer with a Gaussian.

    Args:
        layer: uint8 (0 to 255) or float32 [side, side].
        sigma: standard deviation as a fraction of the side.

    Returns:
        float32 [side, side]; a uint8 layer comes back scaled to 0 to 1.
    """
    side = layer.shape[0]
    pixels = sigma * side
    data = layer
    if pixels > 4.0:
        # A wide blur looks the same at a quarter of the size and costs a sixteenth.
        small = cv2.resize(layer, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small.astype(np.float32), (0, 0), pixels / 4)
        data = resize(small, side)
    elif pixels > 0.3:
        data = cv2.GaussianBlur(layer, (0, 0), pixels)
    scale = 1 / 255 if layer.dtype == np.uint8 else 1.0
    scaled: Layer = np.multiply(data, np.float32(scale), dtype=np.float32)
    return scaled


def resize(layer: Layer, side: int) -> Layer:
    """Enlarges or shrinks a layer to `side` pixels, linearly."""
    resized: Layer = cv2.resize(layer, (side, side), interpolation=cv2.INTER_LINEAR)
    return resized


@functools.lru_cache(maxsize=16)
def noise_tile(seed: int, side: int, grain: float) -> np.ndarray:
    """Makes a tile of smooth noise once for each process.

    Args:
        seed: seed of the tile.
        side: side of the tile in pixels.
        grain: standard deviation of the grain in pixels; 0 for white noise.

    Returns:
        float32 [side, side] of mean 0 and standard deviation 1.
    """
    tile = np.random.default_rng([seed, side]).standard_normal((side, side)).astype(np.float32)
    if grain > 0:
        tile = cv2.GaussianBlur(tile, (0, 0), grain, borderType=cv2.BORDER_REFLECT)
    standard: Layer = (tile - tile.mean()) / tile.std()
    return standard


def noise(rng: np.random.Generator, seed: int, side: int, grain: float) -> np.ndarray:
    """Cuts a random window out of a noise tile, float32 [side, side]; a view, not a copy."""
    tile = noise_tile(seed, side + side // 2, grain)
    y, x = rng.integers(0, side // 2, size=2)
    window = tile[y : y + side, x : x + side]
    return window[:, ::-1] if rng.random() < 0.5 else window
