# SPDX-License-Identifier: MIT
"""Carves a part out of a set of patients so that every finding keeps its proportion.

Iterative stratification (Sechidis, Tsoumakas, Vlahavas: On the stratification of multi-label data,
ECML PKDD 2011), with whole patients in the place of examples: findings are dealt out from the
rarest on, each patient goes to the part that lacks most of that finding.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients
from preprocessing.contract.labels import PRESENT
from preprocessing.sources.row import Row


def carve(rows: Sequence[Row], *, fraction: float, salt: str) -> frozenset[str]:
    """Chooses the patients of the smaller part.

    A pure function of which rows there are and of the salt, not of their order.

    Args:
        rows: at least one; every row names its patient.
        fraction: share of the images, and of each finding's positive images, of that part.
        salt: text mixed into the hash that orders patients; another salt, another choice.

    Returns:
        The patients of the part, in every spelling that the rows have; never all, and never none
        where there are two patients.
    """
    spellings = patients.spellings(row.patient for row in rows)
    names, counts = _counts(rows, spellings, salt)
    images = counts.sum(axis=0)
    # Wanted by the small part and by the large one, updated as patients are dealt out.
    wanted = np.stack([images * fraction, images * (1 - fraction)])
    place = np.full(len(names), -1)
    for finding in _rarest_first(counts):
        _deal(
            np.flatnonzero((place < 0) & (counts[:, finding] > 0)), finding, counts, wanted, place
        )
    _deal(np.flatnonzero(place < 0), counts.shape[1] - 1, counts, wanted, place)
    chosen = [name for name, part in zip(names, place, strict=True) if part == 0]
    part = _neither_none_nor_all(names, chosen)
    return frozenset(name for first in part for name in spellings[patients.value(first)])


def _counts(
    rows: Sequence[Row], spellings: Mapping[str, Sequence[str]], salt: str
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Returns patients in salted order and int64 [patients, findings + 1]: positives, images.

    A patient goes by the first of the spellings.
    """
    first = {name: names[0] for names in spellings.values() for name in names}
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(first[row.patient], []).append(row)
    names = sorted(of, key=lambda name: hashlib.sha256(f"{salt}:{name}".encode()).digest())
    counts = np.zeros((len(names), len(rows[0].targets) + 1), np.int64)
    for at, name in enumerate(names):
        targets = np.array([row.targets for row in of[name]], np.int64).reshape(len(of[name]), -1)
        counts[at, :-1] = (targets == PRESENT).sum(axis=0)
        counts[at, -1] = len(of[name])
    return names, counts


def _rarest_first(counts: npt.NDArray[np.int64]) -> list[int]:
    """Orders the findings by the number of patients who have them."""
    having = (counts[:, :-1] > 0).sum(axis=0)
    return [int(finding) for finding in np.argsort(having, kind="stable")]


def _deal(
    dealt: npt.NDArray[np.int64],
    column: int,
    counts: npt.NDArray[np.int64],
    wanted: npt.NDArray[np.float64],
    place: npt.NDArray[np.int64],
) -> None:
    """Deals patients out, those with most of the column first, to the part that lacks most."""
    order = np.argsort(-counts[dealt, column], kind="stable")
    shares = wanted.sum(axis=1)
    for patient in dealt[order]:
        # Measured in each part's own size: 2 missing of 15 weigh more than 2 missing of 100.
        lacking = wanted[:, column] / np.maximum(shares, 1e-9)
        part = int(lacking[1] >= lacking[0])
        if abs(lacking[0] - lacking[1]) < 1e-12:
            part = int(wanted[1, -1] >= wanted[0, -1])
        place[patient] = part
        wanted[part] -= counts[patient]


def _neither_none_nor_all(names: Sequence[str], chosen: Sequence[str]) -> Sequence[str]:
    if len(names) < 2:
        return []
    if not chosen:
        return names[:1]
    return chosen if len(chosen) < len(names) else chosen[:-1]
