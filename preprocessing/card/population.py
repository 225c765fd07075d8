# SPDX-License-Identifier: MIT
"""Counts what the records of a data set say, split by split."""

import collections
import dataclasses
import statistics
from collections.abc import Callable, Sequence

import numpy as np

from preprocessing.contract import patients
from preprocessing.contract.labels import ABSENT, PRESENT, UNKNOWN
from preprocessing.verify import Brief, Reading

# Decades but for the ends, where ChestX-ray14 has few: children, and 80 or more.
_AGES = (18, 30, 40, 50, 60, 70, 80)


@dataclasses.dataclass(frozen=True)
class Population:
    """The records of one split.

    Attributes:
        split: its name.
        briefs: its records.
        targets: int8 [records, findings], 1 present, 0 absent, -1 unknown.
    """

    split: str
    briefs: Sequence[Brief]
    targets: "np.ndarray[tuple[int, int], np.dtype[np.int8]]"

    @property
    def images(self) -> int:
        """Number of records."""
        return len(self.briefs)

    @property
    def per_patient(self) -> list[int]:
        """Number of images of each patient."""
        return list(
            collections.Counter(patients.value(brief.patient) for brief in self.briefs).values()
        )

    @property
    def without_finding(self) -> int:
        """Number of images of which it is known that they show none of the findings."""
        return int((self.targets == ABSENT).all(axis=1).sum())

    @property
    def positives(self) -> list[int]:
        """For each finding the number of images that show it."""
        return [int(count) for count in (self.targets == PRESENT).sum(axis=0)]

    @property
    def known(self) -> list[int]:
        """For each finding the number of images of which it is known."""
        return [int(count) for count in (self.targets != UNKNOWN).sum(axis=0)]

    def positive_patients(self, finding: int) -> int:
        """Number of patients with one or more images that show a finding."""
        shows = self.targets[:, finding] == PRESENT
        pairs = zip(self.briefs, shows, strict=True)
        return patients.count(brief.patient for brief, is_there in pairs if is_there)

    def together(self) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
        """Returns int64 [findings, findings]: images that show both."""
        present = (self.targets == PRESENT).astype(np.int64)
        return np.asarray(present.T @ present, np.int64)

    def median_age(self) -> float | None:
        """Median of the known ages in years, over images."""
        ages = [brief.age for brief in self.briefs if brief.age >= 0]
        return statistics.median(ages) if ages else None

    def share(self, condition: Callable[[Brief], bool]) -> float:
        """Share of the images that meet a condition."""
        return sum(map(condition, self.briefs)) / max(self.images, 1)

    def distribution(self, key: Callable[[Brief], str]) -> "collections.Counter[str]":
        """Counts images by what `key` says of each."""
        return collections.Counter(map(key, self.briefs))


def populations(readings: Sequence[Reading], findings: Sequence[str]) -> list[Population]:
    """Puts the records of all shards together, one population a split."""
    of: dict[str, list[Brief]] = {}
    for reading in readings:
        of.setdefault(reading.split, []).extend(reading.briefs)
    return [Population(split, briefs, _targets(briefs, findings)) for split, briefs in of.items()]


def whole(parts: Sequence[Population]) -> Population:
    """Puts the splits together."""
    briefs = [brief for part in parts for brief in part.briefs]
    return Population("all", briefs, np.concatenate([part.targets for part in parts]))


def _targets(
    briefs: Sequence[Brief], findings: Sequence[str]
) -> "np.ndarray[tuple[int, int], np.dtype[np.int8]]":
    flat = np.array([brief.targets for brief in briefs], np.int8)
    return flat.reshape(len(briefs), len(findings))


def age_bands() -> list[str]:
    """Returns the names of the age bands, in order."""
    ends = zip(_AGES, _AGES[1:], strict=False)
    middle = [f"{low} to {high - 1}" for low, high in ends]
    return [f"under {_AGES[0]}", *middle, f"{_AGES[-1]} or more", "unknown"]


def age_band(brief: Brief) -> str:
    """Returns the age band of an image."""
    if brief.age < 0:
        return "unknown"
    return age_bands()[sum(brief.age >= low for low in _AGES)]


FOLLOW_UPS = ("0", "1 to 4", "5 to 9", "10 to 29", "30 or more", "unknown")


def follow_up_band(brief: Brief) -> str:
    """Returns the band of an image's follow-up number."""
    if brief.follow_up < 0:
        return "unknown"
    return FOLLOW_UPS[sum(brief.follow_up >= low for low in (1, 5, 10, 30))]


def original_size(brief: Brief) -> str:
    """Returns the size of the original in words."""
    return f"{brief.width} x {brief.height}" if brief.width and brief.height else "unknown"


def labels_per_image(brief: Brief) -> str:
    """Returns how many findings an image shows, 4 standing for more."""
    count = sum(target == PRESENT for target in brief.targets)
    return str(count) if count < 4 else "4 or more"
