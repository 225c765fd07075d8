# SPDX-License-Identifier: MIT
"""Puts the records of a data set into one table, a row an image, and counts them by split."""

import dataclasses
import functools
import operator
from collections.abc import Sequence

import numpy as np
import pandas as pd

from preprocessing.card.document import bars, percent
from preprocessing.contract import patients
from preprocessing.contract.labels import ABSENT, PRESENT, UNKNOWN
from preprocessing.contract.tables import Cell, Column, Table
from preprocessing.contract.wording import words
from preprocessing.verify import Reading

_COLUMNS = (
    "patient",
    "view",
    "sex",
    "age",
    "follow_up",
    "width",
    "height",
    "box_findings",
    "boxes",
)
# Decades but for the ends, where ChestX-ray14 has few: children, and 80 or more.
_AGES = (0, 18, 30, 40, 50, 60, 70, 80)
_FOLLOW_UPS = (0, 1, 5, 10, 30)
_SIZES = 8
_NOT_KNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Records:
    """The records of all splits.

    Attributes:
        images: a row an image: its split and the fields of `Brief`; the patient by value.
        targets: int8 [images, findings], 1 present, 0 absent, -1 unknown; a column a finding.
    """

    images: pd.DataFrame
    targets: pd.DataFrame

    @functools.cached_property
    def splits(self) -> list[str]:
        """The splits that have images, in the order of the data set."""
        return list(self.images["split"].unique())

    @property
    def split(self) -> pd.Series:
        """The split of each image."""
        return self.images["split"]

    @property
    def present(self) -> pd.DataFrame:
        """Which image shows which finding."""
        return self.targets == PRESENT

    @property
    def without_finding(self) -> pd.Series:
        """Which image is known to show none of the findings."""
        return (self.targets == ABSENT).all(axis=1)

    @property
    def positives(self) -> pd.DataFrame:
        """Number of images that show each finding, int [findings, splits]."""
        return self._counted(self.present)

    @property
    def known(self) -> pd.DataFrame:
        """Number of images of which each finding is known, int [findings, splits]."""
        return self._counted(self.targets != UNKNOWN)

    @property
    def positive_patients(self) -> pd.DataFrame:
        """Number of patients with an image that shows each finding, int [findings, splits]."""
        return self._counted(self.present.groupby([self.split, self.images["patient"]]).any())

    def _counted(self, flags: pd.DataFrame) -> pd.DataFrame:
        by = self.split if flags.index.equals(self.images.index) else "split"
        return flags.groupby(by).sum().T[self.splits]

    def bands(self) -> dict[str, pd.Series]:
        """Returns what is known of each image beside the labels, in bands, as categories."""
        images = self.images
        known = (images["width"] > 0) & (images["height"] > 0)
        sizes = images["width"].astype(str) + " x " + images["height"].astype(str)
        sizes = sizes.where(known, _NOT_KNOWN)
        common = list(sizes.value_counts().index[:_SIZES])
        return {
            "view": _named(images["view"].replace("", _NOT_KNOWN), ["PA", "AP", _NOT_KNOWN]),
            "sex": _named(images["sex"].replace("", _NOT_KNOWN), ["F", "M", _NOT_KNOWN]),
            "age": _banded(images["age"], _AGES),
            "number": _banded(images["follow_up"], _FOLLOW_UPS),
            "findings": _banded(self.present.sum(axis=1), range(5)),
            "size": _named(sizes.where(sizes.isin(common), "other"), [*common, "other"]),
        }

    def distribution(self, head: str, caption: str) -> Table:
        """Returns the shares of the images of each split in each band that has any."""
        of = self.bands()[head]
        counts = pd.crosstab(of.astype(str), self.split)[self.splits]
        counts = counts.loc[[name for name in of.cat.categories if name in counts.index]]
        return share_table(head, caption, counts, counts * 0 + counts.sum())


def read(readings: Sequence[Reading], findings: Sequence[str]) -> Records:
    """Puts the records of all shards together."""
    pairs = [(one.split, brief) for one in readings for brief in one.briefs]
    fields = operator.attrgetter(*_COLUMNS)
    rows = [(split, *fields(brief)) for split, brief in pairs]
    images = pd.DataFrame(rows, columns=["split", *_COLUMNS])
    images["patient"] = images["patient"].map(patients.value)
    flat = np.array([brief.targets for _, brief in pairs], np.int8)
    targets = flat.reshape(len(pairs), len(findings))
    return Records(images, pd.DataFrame(targets, columns=list(findings)))


def share_table(
    head: str, caption: str, part: pd.DataFrame, whole: pd.DataFrame, longest: float = 1.0
) -> Table:
    """Returns a table of shares with bars.

    Args:
        head: of the names of the rows.
        caption: of the table.
        part: counts, [names, splits].
        whole: what they are a share of, [names, splits].
        longest: the share that the longest bar is of.
    """
    splits = list(part.columns)
    columns = [
        Column(head),
        Column("bars", "plot"),
        *(Column(one, css=f"key {one}") for one in splits),
    ]
    rows = []
    counts = zip(part.to_numpy().tolist(), whole.to_numpy().tolist(), strict=True)
    for name, (parts, wholes) in zip(part.index, counts, strict=True):
        pairs = list(zip(parts, wholes, strict=True))
        lengths = [count / max(of, 1) / longest for count, of in pairs]
        percents = [Cell(percent(*pair)) for pair in pairs]
        rows.append([Cell(words(str(name))), bars(lengths, splits), *percents])
    return Table(caption, columns, rows, css="drawn")


def _named(values: pd.Series, names: list[str]) -> pd.Series:
    return values.astype(pd.CategoricalDtype(names))


def _banded(values: pd.Series, lows: Sequence[int]) -> pd.Series:
    """Puts whole numbers into bands from each of `lows` up to the next; negatives are unknown."""
    names = [
        str(low) if high == low + 1 else f"{low} to {high - 1}" if low else f"under {high}"
        for low, high in zip(lows, lows[1:], strict=False)
    ]
    names.append(f"{lows[-1]} or more")
    found = pd.cut(values, [*lows, np.inf], right=False, labels=names)
    return found.cat.add_categories(_NOT_KNOWN).fillna(_NOT_KNOWN)
