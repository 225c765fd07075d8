# SPDX-License-Identifier: MIT
"""Where a film lies, and the name that it gets among all that are given."""

import collections
import dataclasses
from collections.abc import Callable, Iterable

from preprocessing.contract.files import storage


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a film lies.

    Attributes:
        path: of its file, or of the archive that holds it.
        member: its name in that archive; "" for a file.
        below: its path below what was given.
        stamp: what changes when the file is replaced.
        name: that a data set has given it; "" for none.
    """

    path: str
    member: str
    below: str
    stamp: str
    name: str = ""

    @property
    def whole(self) -> str:
        """What tells it from all other places, for people."""
        return f"{self.path}: {self.member}" if self.member else self.path


# How a film may be named, the shortest first.
_NAMINGS: tuple[Callable[[Place], str], ...] = (
    lambda place: place.name or storage.basename(place.member or place.path),
    lambda place: place.below,
    lambda place: place.whole,
)


def named(places: Iterable[Place]) -> dict[str, Place]:
    """Names films by the names of their files, where those are not unique by more of the path."""
    order = list(places)
    names = [""] * len(order)
    for naming in _NAMINGS:
        taken = set(names)
        left = [at for at, name in enumerate(names) if not name]
        wished = {at: storage.shown(naming(order[at])).strip() for at in left}
        often = collections.Counter(wished.values())
        for at, name in wished.items():
            if often[name] == 1 and name not in taken:
                names[at] = name
    return {
        name or f"film {at}": place
        for at, (name, place) in enumerate(zip(names, order, strict=True))
    }
