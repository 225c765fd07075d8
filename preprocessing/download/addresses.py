# SPDX-License-Identifier: MIT
"""Knows where the files of ChestX-ray14 are published, or reads where else they are to be had."""

import csv
import dataclasses
import pathlib
import re
from urllib.parse import urlsplit

from preprocessing.contract.archives.archive_formats import is_archive
from preprocessing.contract.archives.archives import PUBLISHED_MD5
from preprocessing.contract.errors import DataError, UsageError
from preprocessing.contract.files import given_paths, storage

# Where NIH gives all files to a browser.
PAGE = "https://nihcc.app.box.com/v/ChestXray-NIHCC"
LABEL_FILE, BOXES = "Data_Entry_2017_v2020.csv", "BBox_List_2017.csv"
LISTS = ("train_val_list.txt", "test_list.txt")
# By NIH's own script beside the files; also an example of such a table.
_PUBLISHED = pathlib.Path(__file__).with_name("nih.csv")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclasses.dataclass(frozen=True)
class File:
    """A file to fetch.

    Attributes:
        name: in the folder that it is fetched to.
        address: http:// or https://; may hold a secret, so that `place` is what is shown.
        md5: in hexadecimal; "" if nobody has published it.
        size: in bytes; 0 if it is not known.
    """

    name: str
    address: str = dataclasses.field(repr=False)
    md5: str = ""
    size: int = 0

    @property
    def place(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def files(table: str, labels_url: str, first: int | None) -> list[File]:
    """Returns the files that are wanted.

    Args:
        table: a CSV file with the columns name, address and, if known, md5 and bytes, which
            takes the place of NIH's addresses; "" for these.
        labels_url: of a folder with the label files, to which NIH has published no addresses; ""
            to leave them out.
        first: how many archives, from the first on; None for all.

    Raises:
        UsageError: there are fewer archives, or `labels_url` is not an address.
        DataError: the table cannot be read.
    """
    found = _read(table or str(_PUBLISHED))
    if labels_url:
        if not given_paths.is_web_address(labels_url):
            raise UsageError("--labels_url is not an address: begin it with https:// or http://")
        names = (LABEL_FILE, *LISTS, BOXES)
        found = [file for file in found if file.name not in names]
        found += [File(name, f"{labels_url.rstrip('/')}/{name}") for name in names]
    archives = [file for file in found if is_archive(file.name)]
    if first is not None and first > len(archives):
        raise UsageError(f"--first={first}: there are only {len(archives)} archives")
    left_out = archives[first:] if first else []
    return [file for file in found if file not in left_out]


def _read(table: str) -> list[File]:
    try:
        rows = csv.DictReader(storage.read_text(table).splitlines())
        found = [_file({k: (v or "").strip() for k, v in row.items() if k}) for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"--addresses={table} cannot be used: {error}") from error
    names = [file.name for file in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not found:
        wrong = f"{twice[0]} is named twice" if twice else "it names no file"
        raise DataError(f"--addresses={table} cannot be used: {wrong}")
    return found


def _file(row: dict[str, str]) -> File:
    if not {"name", "address"} <= row.keys():
        raise ValueError("its first line must be name,address or name,address,md5,bytes")
    name, md5, size = row["name"], row.get("md5", "").lower(), row.get("bytes", "")
    # The name becomes part of a path, and an address may be secret: neither goes unchecked, and
    # only the name into a sentence.
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a plain file name")
    if not given_paths.is_web_address(row["address"]):
        raise ValueError(f"the address of {name} must begin with https:// or http://")
    if not re.fullmatch(r"([0-9a-f]{32})?", md5) or not re.fullmatch(r"\d*", size):
        raise ValueError(f"md5 of {name} must be 32 hexadecimal digits, bytes a number, or empty")
    return File(name, row["address"], md5 or PUBLISHED_MD5.get(name, ""), int(size or 0))
