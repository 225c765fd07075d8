# SPDX-License-Identifier: MIT
"""Where the cells of a heat map lie on the picture that it belongs to.

All places are shares of the stored picture's side, from its top left corner, as boxes are. Pictures
and maps are square and the network looks at a centred square, so one set of numbers serves both
axes.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


@dataclasses.dataclass(frozen=True)
class Placement:
    """How the cells of a map lie on the stored picture.

    Attributes:
        first: where the centre of the first cell lies.
        step: from the centre of a cell to that of the next.
        left: where the square begins that the network looked at.
        side: length of that square.
    """

    first: float
    step: float
    left: float
    side: float

    def centres(self, cells: int) -> npt.NDArray[np.float64]:
        """Returns where the centres of the cells of one axis lie, float64 [cells]."""
        return np.asarray(self.first + self.step * np.arange(cells), np.float64)

    def weights(self, cells: int, size: int) -> npt.NDArray[np.float32]:
        """Returns how much each cell of one axis adds to each pixel, float32 [size, cells].

        Bilinear between the centres of cells, constant beyond the outer ones, and zero where the
        network did not look.
        """
        pixels = (np.arange(size) + 0.5) / size
        place = np.clip((pixels - self.first) / self.step, 0, cells - 1)
        weights = np.clip(1 - np.abs(place[:, None] - np.arange(cells)), 0, None)
        weights[(pixels < self.left) | (pixels > self.left + self.side)] = 0
        return np.asarray(weights, np.float32)

    def laid_out(self, heat: Floats, size: int) -> npt.NDArray[np.float32]:
        """Brings a map to the size of the stored picture.

        Args:
            heat: [cells, cells].
            size: side of the result in pixels.

        Returns:
            float32 [size, size]; zero where the network did not look.
        """
        weights = self.weights(heat.shape[-1], size)
        return np.asarray(weights @ heat.astype(np.float32) @ weights.T, np.float32)

    def peak(self, heat: Floats) -> tuple[float, float] | None:
        """Returns x and y of a map's highest point, the first of equal ones; None for no heat.

        Between the centres of cells a map is interpolated bilinearly, so its highest point is the
        centre of a cell.
        """
        if not heat.max() > 0:
            return None
        row, column = np.unravel_index(int(heat.argmax()), heat.shape)
        y, x = self.centres(heat.shape[0])[[row, column]]
        return float(x), float(y)


def normalised(maps: Floats) -> npt.NDArray[np.float32]:
    """Scales each map [n, cells, cells] to a maximum of 1; one without heat stays zero."""
    peaks = maps.max(axis=(1, 2), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.where(peaks > 0, maps / peaks, 0)
    return np.asarray(scaled, np.float32)
