# SPDX-License-Identifier: MIT
"""Makes one row of the several that some label files have of an image: one a reader, or one a box.

VinDr-CXR has a row for each of three radiologists, RSNA's challenge one for each box.
"""

import dataclasses
from collections.abc import Callable, Sequence

from preprocessing.contract.errors import DataError
from preprocessing.contract.labels import ABSENT, PRESENT, UNKNOWN
from preprocessing.sources.row import Row


def combine(path: str, rows: Sequence[Row], how: str) -> list[Row]:
    """Returns one row of each image, in the order in which images first come.

    Args:
        path: of the label file, for messages.
        rows: of the file; those of one image may differ in their targets alone.
        how: "majority": what more rows say, of those that say present or absent; unknown where
            these are as many, or none. "any": present where one row says so, else unknown where
            one says so, else absent.

    Raises:
        DataError: two rows of an image differ in something else, such as the patient.
    """
    of_image: dict[str, list[Row]] = {}
    for row in rows:
        of_image.setdefault(row.id, []).append(row)
    return [_one(path, group, _VOTES[how]) for group in of_image.values()]


def _one(path: str, rows: Sequence[Row], vote: Callable[[Sequence[int]], int]) -> Row:
    first = dataclasses.asdict(rows[0])
    for row in rows[1:]:
        own = dataclasses.asdict(row)
        if other := [name for name in own if name != "targets" and own[name] != first[name]]:
            raise DataError(
                f"{path}: the rows of {rows[0].id} differ in {', '.join(other)}, and not in their "
                "findings alone: correct them"
            )
    columns = zip(*(row.targets for row in rows), strict=True)
    return dataclasses.replace(rows[0], targets=tuple(map(vote, columns)))


def _majority(votes: Sequence[int]) -> int:
    present, absent = votes.count(PRESENT), votes.count(ABSENT)
    if present == absent:
        return UNKNOWN
    return PRESENT if present > absent else ABSENT


def any_of(votes: Sequence[int]) -> int:
    """Returns present if one vote says so, else unknown if one does, else absent."""
    return next((value for value in (PRESENT, UNKNOWN) if value in votes), ABSENT)


_VOTES = {"majority": _majority, "any": any_of}
