# SPDX-License-Identifier: MIT
"""The coordinate system of the chest, smooth curves in it, and grey layers drawn from them.

A point is (u, v): u is the distance from the midline in half-widths of the thorax, negative on the
patient's right, which is the left of the picture; v is the height in lung heights, 0 at the apex
and 1 at the top of the diaphragm. What is drawn in it follows every change of habitus.
"""

import dataclasses
import functools
from collections.abc import Sequence

import cv2
import numpy as np

# Widths of the rib cage at heights v, as fractions of its half-width.
_CAGE_V = (-0.10, -0.03, 0.03, 0.10, 0.22, 0.38, 0.58, 0.80, 1.05, 1.40, 1.80)
_CAGE_U = (0.20, 0.38, 0.53, 0.66, 0.805, 0.91, 0.975, 1.0, 1.0, 0.985, 0.96)
_SUBPIXEL_BITS = 4


@dataclasses.dataclass(frozen=True)
class Frame:
    """Where the chest is in the picture; lengths are fractions of the side of the picture.

    Attributes:
        centre: x of the midline.
        top: y of the lung apex.
        half_width: half-width of the thorax.
        height: height of the lungs from the apex to the top of the diaphragm.
        angle: tilt of the patient in the picture plane, radians.
        turn: rotation about the long axis; positive widens the patient's right.
    """

    centre: float
    top: float
    half_width: float
    height: float
    angle: float
    turn: float

    def place(self, points: np.ndarray) -> np.ndarray:
        """Maps (u, v), [n, 2], to (x, y) in fractions of the side of the picture, [n, 2]."""
        u, v = points[:, 0], points[:, 1]
        x = self.centre + u * self.half_width * (1.0 - self.turn * np.sign(u)) - 0.5
        y = self.top + v * self.height - 0.5
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.stack([0.5 + c * x - s * y, 0.5 + s * x + c * y], axis=1)

    def grid(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Gives (u, v) of every pixel of a picture of `side` pixels, float32 [side, side] each."""
        line = ((np.arange(side, dtype=np.float32) + 0.5) / side - 0.5).astype(np.float32)
        x, y = line[None, :], line[:, None]
        c, s = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        across = c * x + s * y + np.float32(0.5 - self.centre)
        down = c * y - s * x + np.float32(0.5 - self.top)
        scale = np.where(across > 0, 1.0 - self.turn, 1.0 + self.turn).astype(np.float32)
        return across / (scale * np.float32(self.half_width)), down / np.float32(self.height)


def cage(v: np.ndarray | float) -> np.ndarray:
    """Half-width of the rib cage at height `v`, in half-widths of the thorax."""
    return np.asarray(np.interp(v, _CAGE_V, _CAGE_U))


def curve(
    points: Sequence[tuple[float, float] | np.ndarray] | np.ndarray, *, closed: bool = False
) -> np.ndarray:
    """Draws a Catmull-Rom spline through points, eight samples a piece.

    Args:
        points: control points, [n, 2].
        closed: whether the last point joins the first.

    Returns:
        Points on the curve, [m, 2].
    """
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        knots = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        knots = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    p0, p1, p2, p3 = (knots[i : len(knots) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, 8, endpoint=False)[None, :, None]
    piece = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    return np.concatenate([piece.reshape(-1, 2), knots[-2:-1]])


def _to_pixels(frame: Frame, points: np.ndarray, side: int) -> np.ndarray:
    """Maps chest coordinates to the fixed-point pixels that OpenCV draws with, int32 [n, 2]."""
    pixels = (frame.place(points) * side - 0.5) * (1 << _SUBPIXEL_BITS)
    return np.round(pixels).astype(np.int32)


def fill(frame: Frame, points: np.ndarray, side: int, into: np.ndarray | None = None) -> np.ndarray:
    """Fills a closed contour, (u, v) [n, 2], with 255, smooth at the edge.

    Returns:
        uint8 [side, side]: `into`, or a new layer without it.
    """
    layer = np.zeros((side, side), np.uint8) if into is None else into
    shape = _to_pixels(frame, points, side)
    cv2.fillPoly(layer, [shape], 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    return layer


def stroke(
    layer: np.ndarray, frame: Frame, points: np.ndarray, *, width: float, value: float = 255
) -> None:
    """Draws an open curve, (u, v) [n, 2], onto a layer, uint8 [side, side], in place.

    `width` is a fraction of the side, `value` a grey level, 0 to 255.
    """
    side = layer.shape[0]
    shape = _to_pixels(frame, points, side)
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


def blur(layer: np.ndarray, sigma: float) -> np.ndarray:
    """Blurs a layer with a Gaussian of standard deviation `sigma`, a fraction of the side.

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
    scaled: np.ndarray = np.multiply(data, np.float32(scale), dtype=np.float32)
    return scaled


def resize(layer: np.ndarray, side: int) -> np.ndarray:
    """Enlarges or shrinks a layer to `side` pixels, linearly."""
    resized: np.ndarray = cv2.resize(layer, (side, side), interpolation=cv2.INTER_LINEAR)
    return resized


@functools.lru_cache(maxsize=16)
def noise_tile(seed: int, side: int, grain: float) -> np.ndarray:
    """Makes a tile of smooth noise once for each process.

    `side` and the standard deviation of the grain are in pixels.

    Returns:
        float32 [side, side] of mean 0 and standard deviation 1.
    """
    tile = np.random.default_rng([seed, side]).standard_normal((side, side)).astype(np.float32)
    tile = cv2.GaussianBlur(tile, (0, 0), grain, borderType=cv2.BORDER_REFLECT)
    standard: np.ndarray = (tile - tile.mean()) / tile.std()
    return standard


def noise(rng: np.random.Generator, seed: int, side: int, grain: float) -> np.ndarray:
    """Cuts a random window out of a noise tile, float32 [side, side]; a view, not a copy."""
    cut = window(rng, noise_tile(seed, side + side // 2, grain), side)
    return cut[:, ::-1] if rng.random() < 0.5 else cut


def window(rng: np.random.Generator, tile: np.ndarray, side: int) -> np.ndarray:
    """Cuts `side` pixels by `side` out of a larger tile, anywhere; a view."""
    y, x = rng.integers(0, tile.shape[0] - side, size=2)
    return tile[y : y + side, x : x + side]
