# SPDX-License-Identifier: MIT
"""Takes apart what names one predictions file, or several with commas between them."""

import os
from collections.abc import Sequence

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage


def paths(text: str, name: str = "predictions") -> list[str]:
    """Returns the files that a flag or setting names, in their order.

    A comma in the name of a local file that is there belongs to the name; in names of other stores
    a comma always divides.

    >>> paths("a.csv"), paths("gs://b/1.csv,gs://b/2.csv")
    (['a.csv'], ['gs://b/1.csv', 'gs://b/2.csv'])

    Args:
        text: one path or more, local or gs://.
        name: of the flag or setting, for the sentence.

    Raises:
        UsageError: a path is empty, or there twice.
    """
    if "," not in text or os.path.exists(text):
        return [text]
    found = text.split(",")
    if "" in found:
        raise UsageError(f"{name}={text} has a comma with no path beside it: remove the comma")
    files = [real(path) for path in found]
    for path, file in zip(found, files, strict=True):
        if files.count(file) > 1:
            raise UsageError(f"{name}={text} names {path} twice: its scores would count double")
    return found


def check_once(given: Sequence[str], name: str) -> None:
    """Raises UsageError where two texts, each of which `paths` reads, name the same files."""
    files = [set(map(real, paths(text, name))) for text in given]
    for text, each in zip(given, files, strict=True):
        if files.count(each) > 1:
            raise UsageError(f"{name}={text} is given twice: give each model once")


def real(path: str) -> str:
    """Returns what a path is compared by: of a local file, what links and dots lead to."""
    return path if storage.scheme_of(path) else os.path.realpath(path)


def names(given: list[str]) -> list[str]:
    """Returns the names of files without the folders that they have in common.

    >>> names(["/r/1/p.csv", "/r/2/p.csv"]), names(["gs://b/runs/p.csv"])
    (['1/p.csv', '2/p.csv'], ['p.csv'])
    """
    parts = [path.split("/") for path in given]
    shared = 0
    for level in zip(*(folders[:-1] for folders in parts), strict=False):
        if len(set(level)) > 1:
            break
        shared += 1
    return ["/".join(each[shared:]) for each in parts]
