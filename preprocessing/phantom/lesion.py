# SPDX-License-Identifier: MIT
"""One finding of one picture: where it is, how severe, and the layers that it may change.

Place and size belong to the patient and persist; severity is drawn again for each picture.
"""

import dataclasses
import functools

import numpy as np

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from preprocessing.phantom import drawing
from preprocessing.phantom.anatomy import FINDING, Anatomy, stream
from preprocessing.phantom.drawing import cage
from preprocessing.phantom.population import Record

# u0, v0, u1, v1 in the coordinates of the chest.
Extent = tuple[float, float, float, float]
# A share of the findings is hardly visible, as in reality; no reader finds them all.
_FAINT_SHARE = 0.10


@dataclasses.dataclass(frozen=True)
class Lesion:
    """One finding.

    Attributes:
        finding: its name.
        side: -1 for the patient's right, 1 for the left, 0 for both.
        place: where in its region it is, 0 to 1 in each of two directions.
        size: from the smallest, 0, to the largest, 1.
        severity: from nearly invisible, 0, to gross, 1.
        texture: path of the random numbers for its details, for `anatomy.stream`.
    """

    finding: str
    side: int
    place: tuple[float, float]
    size: float
    severity: float
    texture: tuple[int, ...]

    def strength(self, most: float) -> float:
        """Scales an effect by the severity; even the faintest keeps a twentieth of it."""
        return most * (0.05 + 0.95 * self.severity)

    def random(self) -> np.random.Generator:
        """Random numbers for the details, the same on every call."""
        return stream(*self.texture)


class Scene:
    """Layers that lesions paint on; the soft ones have half the resolution.

    Attributes:
        anatomy: the chest.
        aeration: share of air left in the lung, float32 [half, half], 1 where healthy.
        markings: visibility of the vessels, float32 [half, half], 1 where healthy.
        dense: density added, in the lung and beside it, float32 [half, half], 0 where healthy.
        lines: fine bright lines, uint8 [side, side].
    """

    def __init__(self, anatomy: Anatomy, side: int) -> None:
        """Makes the layers of a healthy chest in a picture of `side` pixels."""
        half = (side // 2, side // 2)
        self.anatomy = anatomy
        self.aeration = np.ones(half, np.float32)
        self.markings = np.ones(half, np.float32)
        self.dense = np.zeros(half, np.float32)
        self.lines = np.zeros((side, side), np.uint8)

    @functools.cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """(u, v) of the pixels of the soft layers."""
        return self.anatomy.frame.grid(self.aeration.shape[0])

    @functools.cached_property
    def from_wall(self) -> np.ndarray:
        """Distance of the pixels of the soft layers from the chest wall, in half-widths."""
        u, v = self.grid
        distance: np.ndarray = cage(v).astype(np.float32) - np.float32(0.035) - np.abs(u)
        return distance

    def half(self, side: int) -> np.ndarray:
        """1 in one half of the soft layers and 0 in the other, float32."""
        return (self.grid[0] * side > 0).astype(np.float32)

    def distance(self, cu: float, cv: float, ru: float, rv: float) -> np.ndarray:
        """Squared distance from the centre of an ellipse, 1 on the ellipse."""
        u, v = self.grid
        squared: np.ndarray = ((u - cu) / ru) ** 2 + ((v - cv) / rv) ** 2
        return squared

    def polar(self, cu: float, cv: float) -> tuple[np.ndarray, np.ndarray]:
        """Distance in fractions of the picture's side, and direction, from a point of the chest."""
        u, v = self.grid
        frame = self.anatomy.frame
        x, y = (u - cu) * np.float32(frame.half_width), (v - cv) * np.float32(frame.height)
        return np.sqrt(x * x + y * y), np.arctan2(y, x)

    def round_extent(self, cu: float, cv: float, radius: float) -> Extent:
        """The rectangle round a circle of a radius in fractions of the picture's side."""
        frame = self.anatomy.frame
        return around(cu, cv, radius / frame.half_width, radius / frame.height)

    def noise(self, lesion: Lesion, grain: float) -> np.ndarray:
        """Smooth noise whose grains have one size in the chest at every size of the picture."""
        side = self.aeration.shape[0]
        return drawing.noise(lesion.random(), 1 + round(grain * 1000), side, grain * side)

    def fill_air(self, mask: np.ndarray, strength: float) -> None:
        """Replaces a share of the air under a mask (0 to 1) with tissue or fluid."""
        self.aeration *= 1.0 - np.float32(min(strength, 0.97)) * mask


def step(x: np.ndarray) -> np.ndarray:
    """Rises smoothly from 0 at x = 0 to 1 at x = 1."""
    t = np.clip(x, 0.0, 1.0)
    risen: np.ndarray = t * t * (3.0 - 2.0 * t)
    return risen


def around(cu: float, cv: float, ru: float, rv: float) -> Extent:
    """The rectangle round an ellipse of a centre and two radii."""
    return (cu - ru, cv - rv, cu + ru, cv + rv)


def beside(side: int, inner_outer: tuple[float, float], top_low: tuple[float, float]) -> Extent:
    """The rectangle on one side between two distances from the midline and two heights."""
    left, right = sorted((inner_outer[0] * side, inner_outer[1] * side))
    return (left, top_low[0], right, top_low[1])


def plan(record: Record, seed: int) -> list[Lesion]:
    """Draws the lesions of a picture.

    Args:
        record: the picture.
        seed: seed of the phantom.

    Returns:
        One lesion a finding. Each depends on (seed, patient, image, finding) alone, so that taking
        one finding away leaves the others as they are.
    """
    lesions = []
    for finding in record.findings:
        number = CHESTXRAY14_FINDINGS.index(finding)
        lasting = stream(seed, FINDING, record.patient, number)
        today = stream(seed, FINDING, record.patient, number, record.number + 1)
        side = 1 if lasting.random() < 0.5 else -1
        place = (float(lasting.random()), float(lasting.random()))
        size, severity = float(lasting.random()), float(today.beta(2.4, 1.5))
        if today.random() < _FAINT_SHARE:
            severity *= 0.12
        if finding == "Effusion" and lasting.random() < 0.25:
            side = 0
        texture = (seed, FINDING, record.patient, number, 0)
        lesions.append(Lesion(finding, side, place, size, severity, texture))
    return lesions
