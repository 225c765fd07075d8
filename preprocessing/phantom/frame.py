# SPDX-License-Identifier: MIT
"""The coordinate system of the chest, and smooth curves through a few points in it.

A point is (u, v): u is the distance from the midline in half-widths of the thorax, negative on the
patient's right, which is the left of the picture; v is the height in lung heights, 0 at the apex
and 1 at the top of the diaphragm. What is drawn in it follows every change of habitus.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

# Widths of the rib cage at heights v, as fractions of its half-width.
_CAGE_V = (-0.10, -0.03, 0.03, 0.10, 0.22, 0.38, 0.58, 0.80, 1.05, 1.40, 1.80)
_CAGE_U = (0.20, 0.38, 0.53, 0.66, 0.805, 0.91, 0.975, 1.0, 1.0, 0.985, 0.96)


@dataclasses.dataclass(frozen=True)
class Frame:
    """Where the chest lies in the picture; lengths are fractions of the side of the picture.

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
        """Maps points.

        Args:
            points: (u, v) of shape [n, 2].

        Returns:
            (x, y) in fractions of the side of the picture, shape [n, 2].
        """
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
