# SPDX-License-Identifier: MIT
"""Reads single values out of a data set, however odd."""

import math
import re
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from preprocessing.contract.pictures.picture_files import ImageError

_LONGEST_CODE = 16
_IDENTIFYING = (
    *("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"),
    *("PatientID", "OtherPatientIDs", "PatientAddress", "InstitutionName", "AccessionNumber"),
    *("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName"),
)


def title(keyword: str) -> str:
    """Names an attribute by keyword and number.

    >>> title("Rows")
    'Rows (0028,0010)'
    """
    return f"{keyword} {Tag(keyword)}"


def warn(warnings: list[str], keyword: str, text: str) -> None:
    """Adds what is odd about an attribute, and what was assumed, to the warnings of a file."""
    warnings.append(f"{title(keyword)} {text}")


def refusal(reason: str, keyword: str, text: str) -> ImageError:
    """Returns the error that refuses a file for an attribute."""
    return ImageError(reason, f"{title(keyword)} {text}")


def values(dataset: Dataset, keyword: str) -> list[Any]:
    """Returns the values of an attribute; none if it is missing, empty or cannot be read."""
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return []
        several = not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")
        # A name is iterable letter by letter.
        return list(value) if several and not hasattr(value, "components") else [value]
    except Exception:  # pydicom converts here, and hostile values raise every type
        return []


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """Returns the values of an attribute as text without padding."""
    found = []
    for value in values(dataset, keyword):
        try:
            found.append(str(value).replace("\0", " ").strip())
        except Exception:  # a name of characters that are in no character set
            found.append("")
    return found


def text(dataset: Dataset, keyword: str) -> str:
    r"""Returns an attribute as one text: its values with "\\" between them, as in the file."""
    return "\\".join(texts(dataset, keyword))


def words(dataset: Dataset, *keywords: str) -> set[str]:
    """Returns the words of attributes in capital letters."""
    whole = " ".join(text(dataset, keyword) for keyword in keywords).upper()
    return set(re.findall(r"[^\W\d_]+", whole))


def quoted(dataset: Dataset, keyword: str) -> str:
    """Returns the value of a code attribute for a message, in quotes.

    Empty unless it has the form of a code, one to three words of letters, none of which is part of
    a name or number of the person.
    """
    value = text(dataset, keyword)
    found = re.findall(r"[^\W\d_]+", value.upper())
    if len(value) > _LONGEST_CODE or len(found) > 3 or not re.fullmatch(r"[\w /-]+", value):
        return ""
    persons = words(dataset, *_IDENTIFYING)
    return "" if not found or re.search(r"\d", value) or persons & set(found) else f"'{value}'"


def number(dataset: Dataset, keyword: str) -> float | None:
    """Returns the first value of an attribute; None if it is not a finite number."""
    found = numbers(dataset, keyword)
    return found[0] if found and math.isfinite(found[0]) else None


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Returns the values of an attribute; NaN for each that is not a number."""
    found = []
    for value in values(dataset, keyword):
        try:
            found.append(float(value))
        except (TypeError, ValueError, OverflowError):
            found.append(math.nan)
    return found


def integer(dataset: Dataset, keyword: str) -> int | None:
    """Returns the first value of an attribute; None if it is not a whole number."""
    value = number(dataset, keyword)
    return int(value) if value is not None and value == int(value) else None
