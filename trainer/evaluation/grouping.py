# SPDX-License-Identifier: MIT
"""Divides images into the groups that a report compares: by sex, age, view, follow-up, detector."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

UNKNOWN = "unknown"
OTHER = "other sizes"
AGE_BANDS = ((0, 17), (18, 39), (40, 59), (60, 74), (75, None))
FOLLOW_UPS = ((0, 0), (1, 4), (5, 19), (20, None))
# The sizes named one by one: the most common, each of at least this share of the images.
COMMON_SIZES = 4
COMMON_SHARE = 0.05

Texts = npt.NDArray[np.str_]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, eq=False)
class Division:
    """All images divided by one fact; every image is in exactly one group.

    Attributes:
        name: of the fact: `sex`, `age`, `view`, `follow_up` or `detector`, or of several.
        groups: name as a report shows it -> its images, bool [n]; those groups that have images,
            in a fixed order, the unknown ones last.
    """

    name: str
    groups: dict[str, Mask]

    @property
    def known(self) -> list[str]:
        """The groups whose images are known to belong together."""
        return [name for name in self.groups if name != UNKNOWN]


def by_code(name: str, values: Texts, names: dict[str, str]) -> Division:
    """Divides by a code.

    Args:
        name: of the fact.
        values: str [n]; any other value than a key of `names` is unknown.
        names: code -> name of its group, in the order of the groups.
    """
    return _division(name, {shown: values == code for code, shown in names.items()})


def by_band(
    name: str, values: Integers, bands: Sequence[tuple[int, int | None]], unit: str = ""
) -> Division:
    """Divides by bands of a number.

    Args:
        name: of the fact.
        values: int [n]; what is below the first band, as -1, is unknown.
        bands: lowest and highest number of each band, both inside it; None is no highest.
        unit: what the numbers count, behind the name of each group.

    >>> ages = np.array([17, 18, 90, -1])
    >>> list(by_band("age", ages, AGE_BANDS, " years").groups)
    ['under 18 years', '18 to 39 years', '75 years and over', 'unknown']
    """
    named = {
        _band_name(low, high, unit): (values >= low) & (high is None or values <= high)
        for low, high in bands
    }
    return _division(name, named)


def by_size(name: str, width: Integers, height: Integers) -> Division:
    """Divides by the size of the original image, in place of the detector that took it.

    A size counts the same upright and lying: a plate can be turned.

    Args:
        name: of the fact.
        width: pixels, int [n]; 0 or less is unknown.
        height: likewise.
    """
    known = (width > 0) & (height > 0)
    long, short = np.maximum(width, height), np.minimum(width, height)
    sizes, number, counts = np.unique(
        np.stack([long, short], axis=1)[known], axis=0, return_inverse=True, return_counts=True
    )
    # Stable, so that of two equally common sizes the smaller comes first.
    common = [
        position
        for position in np.argsort(-counts, kind="stable")[:COMMON_SIZES].tolist()
        if counts[position] >= COMMON_SHARE * len(width)
    ]
    number_of = np.full(len(width), -1)
    number_of[known] = number.reshape(-1)
    named = {
        f"{sizes[position][0]} x {sizes[position][1]}": number_of == position for position in common
    }
    return _division(name, named | {OTHER: known & ~np.isin(number_of, common)})


def crossed(divided: Sequence[Division]) -> Division:
    """Divides by several facts at once; images that lack one of them are unknown."""
    every = itertools.product(*(each.known for each in divided))
    named = {
        ", ".join(names): np.all(
            [each.groups[name] for each, name in zip(divided, names, strict=True)], axis=0
        )
        for names in every
    }
    return _division(" x ".join(each.name for each in divided), named)


def divisions(
    *,
    sex: Texts,
    age: Integers,
    view: Texts,
    follow_up: Integers,
    width: Integers,
    height: Integers,
) -> list[Division]:
    """Returns the divisions by all facts; one value an image, [n], as `Metadata` has them."""
    return [
        by_code("sex", sex, {"F": "female", "M": "male"}),
        by_band("age", age, AGE_BANDS, " years"),
        by_code("view", view, {"PA": "PA", "AP": "AP"}),
        by_band("follow_up", follow_up, FOLLOW_UPS),
        by_size("detector", width, height),
    ]


def _division(name: str, named: dict[str, Mask]) -> Division:
    rest = ~np.any(list(named.values()), axis=0)
    groups = named | {UNKNOWN: rest}
    return Division(name, {shown: members for shown, members in groups.items() if members.any()})


def _band_name(low: int, high: int | None, unit: str) -> str:
    if high is None:
        return f"{low}{unit} and over"
    if low == 0 and high > 0:
        return f"under {high + 1}{unit}"
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"
