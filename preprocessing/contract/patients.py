# SPDX-License-Identifier: MIT
"""Decides which names mean the same patient, for both jobs and for everything that groups images.

A patient is a value, not a spelling: files that went through a spreadsheet or pandas write 00000013
as 13 or 13.0, and databases pad names with blanks. Two spellings of one patient in two splits would
be a leak that no comparison of texts sees. Names are compared by `value` and stored as they came.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import cells

# All white space of Unicode, no-break spaces among it, and characters that nobody sees: NUL, which
# pads DICOM values, soft hyphen, zero-width characters and the byte order mark.
_INVISIBLE = "".join(filter(str.isspace, map(chr, range(0x3001)))) + (
    "\0\u00ad\u200b\u200c\u200d\u2060\ufeff"
)
_NUMBER = re.compile(r"([0-9]+)(?:\.0*)?")
# What a spreadsheet leaves of a number with many digits: several patients get one such name.
_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+")


def value(name: str) -> str:
    r"""Returns what a patient's name is compared by.

    White space around it does not count, nor how accents are composed (Unicode, NFC), nor, in a
    name that is a whole number, leading zeros and decimals that are zero.

    >>> [value(name) for name in ("P7", "P7 ", "\xa0P7", "00000013", "13.0", "13", "0", "P07")]
    ['P7', 'P7', 'P7', '13', '13', '13', '0', 'P07']
    """
    plain = unicodedata.normalize("NFC", name).strip(_INVISIBLE)
    number = _NUMBER.fullmatch(plain)
    return number[1].lstrip("0") or "0" if number else plain


def is_missing(name: str) -> bool:
    """Tells whether a name is empty, says that there is none, or was rounded by a spreadsheet.

    >>> is_missing(" "), is_missing("NaN"), is_missing("1.23457E+11"), is_missing("0")
    (True, True, True, False)
    """
    plain = value(name)
    return cells.is_missing(plain) or _ROUNDED.fullmatch(plain) is not None


def spellings(names: Iterable[str]) -> dict[str, list[str]]:
    """Returns for each patient, by value, the spellings that occur, sorted.

    >>> spellings(["7", "8", "007", "7"])
    {'7': ['007', '7'], '8': ['8']}
    """
    found: dict[str, list[str]] = {}
    # Sorted by value, so that the result does not depend on the order of the names.
    for patient, name in sorted((value(name), name) for name in set(names)):
        found.setdefault(patient, []).append(name)
    return found


def spelled(names: Sequence[str]) -> str:
    r"""Names one patient in a message, with all spellings where there are several.

    >>> spelled(["P7"]), spelled(["P7", "P7 "]), spelled(["7", "007", "7\xa0"])
    ('P7', "'P7' or 'P7 '", "'7' or '007' or '7\\xa0'")
    """
    return names[0] if len(names) == 1 else " or ".join(map(repr, names))


def count(names: Iterable[str] | npt.NDArray[Any]) -> int:
    """Returns the number of patients."""
    unique = np.unique(names).tolist() if isinstance(names, np.ndarray) else set(names)
    return len({value(str(name)) for name in unique})


def values(names: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """Returns `value` of every name, str [n]."""
    unique, inverse = np.unique(names, return_inverse=True)
    return np.array([value(name) for name in unique.tolist()], dtype=np.str_)[inverse]


def numbered(names: npt.NDArray[Any]) -> tuple[int, npt.NDArray[np.intp]]:
    """Numbers the patients of images.

    Args:
        names: [n], texts, or numbers of any kind.

    Returns:
        How many patients there are, and the number of each image's patient from 0, int [n]. The
        order is that of the sorted names, of the first spelling where a patient has several: where
        none has, this is what `numpy.unique` gives.
    """
    unique, of = np.unique(names, return_inverse=True)
    if unique.dtype.kind != "U":
        return len(unique), of
    numbers: dict[str, int] = {}
    for name in unique.tolist():
        numbers.setdefault(value(name), len(numbers))
    if len(numbers) == len(unique):
        return len(unique), of
    return len(numbers), np.array([numbers[value(name)] for name in unique.tolist()], np.intp)[of]
