# SPDX-License-Identifier: MIT
"""Finds the picture of each row, however the tree or the archive around it is nested."""

import dataclasses
import functools
import os
import re
import unicodedata
from collections.abc import Iterable

from preprocessing.contract.archives import archive_formats
from preprocessing.contract.archives.archive_formats import ARCHIVES, is_archive
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.radiographs import DICOM, PICTURES

# Not part of an identifier in numbers and dots, as DICOM names its files.
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")

_Named = dict[str, list[tuple[tuple[str, ...], str]]]


class Wanted:
    """The images of an index, to be recognized by any path that ends in their name.

    Label files name images by base name (ChestX-ray14) or by a path (CheXpert, whose base names
    repeat), and with or without a suffix (DICOM). A file is an image's if one path ends in the
    other, part by part. Backslashes count as slashes, and names in another Unicode form (macOS
    takes letters and accents apart) or in Latin-1 as what they show.

    Args:
        ids: names of the images as the index has them.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids: _Named = {}
        for name in ids:
            parts = _parts(name)
            self._ids.setdefault(parts[-1] if parts else "", []).append((parts, name))

    def find(self, path: str) -> str | None:
        """Returns the id of the image at a path below the root, None if it is not in the index.

        Raises:
            DataError: the path fits two images equally well.
        """
        whole = _parts(path)
        if not whole:
            return None
        spellings = [whole]
        if path.lower().endswith((*PICTURES, *DICOM)):
            spellings.append((*whole[:-1], whole[-1].rpartition(".")[0]))
        for parts in spellings:
            fitting = _fitting(self._ids, parts)
            if fitting:
                longest = max(length for length, _ in fitting)
                names = [name for length, name in fitting if length == longest]
                if len(names) > 1:
                    raise DataError(
                        f"{path} may be {names[0]} or {names[1]}: give --images the folder in "
                        "which the paths of the label file begin"
                    )
                return names[0]
        return None

    def near(self, path: str) -> str | None:
        """Returns the id of an image whose name differs from a path in suffix or case alone."""
        parts = _folded(_parts(path))
        fitting = _fitting(self._nearly, parts) if parts else []
        return max(fitting)[1] if fitting else None

    @functools.cached_property
    def _nearly(self) -> _Named:
        nearly: _Named = {}
        for named in self._ids.values():
            for parts, name in named:
                folded = _folded(parts)
                nearly.setdefault(folded[-1] if folded else "", []).append((folded, name))
        return nearly


@dataclasses.dataclass(frozen=True)
class Places:
    """What lies below a folder.

    Attributes:
        files: id of an image -> full path of its file.
        strangers: number of picture files that no row names.
        archives: full path of each archive, in order -> bytes.
        near: id -> path of a file whose name differs in suffix or case alone.
        unreadable: path -> reason of each folder that cannot be read.
    """

    files: dict[str, str]
    strangers: int
    archives: dict[str, int]
    near: dict[str, str] = dataclasses.field(default_factory=dict)
    unreadable: dict[str, str] = dataclasses.field(default_factory=dict)


def find(root: str, wanted: Wanted, suffixes: tuple[str, ...]) -> Places:
    """Lists a folder, or one archive, once.

    Args:
        root: folder or archive, local or in a bucket.
        wanted: the images of the index.
        suffixes: of picture files, in lower case; a file of another counts if the index names it.

    Raises:
        DataError: neither pictures nor archives, one image in two places, or no folder.
    """
    if archive_formats.is_one(root):
        return Places({}, 0, {root: _size(root)})
    files: dict[str, str] = {}
    archives: dict[str, int] = {}
    near: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    strangers = 0
    for path, size in storage.sizes(root, unreadable).items():
        # What macOS leaves beside files on foreign disks looks like a picture by its name.
        if storage.basename(path).startswith("."):
            continue
        if is_archive(path):
            archives[path] = size
            continue
        below = path[len(root.rstrip("/")) + 1 :]
        name = wanted.find(below)
        if name is None:
            strangers += path.lower().endswith(suffixes)
            near.setdefault(wanted.near(below) or "", path)
        elif name in files:
            raise DataError(f"{name} lies in two places, {files[name]} and {path}: keep one")
        else:
            files[name] = path
    near.pop("", None)
    found = Places(files, strangers, archives, near, unreadable)
    if not (files or strangers or archives or near or unreadable):
        raise DataError(_nothing_below(root, suffixes))
    return found


def _nothing_below(root: str, suffixes: tuple[str, ...]) -> str:
    if not storage.scheme_of(root) and os.path.exists(root) and not os.path.isdir(root):
        kinds = ", ".join(ARCHIVES)
        advice = "give --images a folder or an archive"
        return f"{root} is a file, but not an archive ({kinds}): {advice}"
    kinds = ", ".join((*suffixes, *ARCHIVES))
    return f"{root} holds no pictures or archives ({kinds}): check --images"


def folders_named(root: str, ids: Iterable[str]) -> dict[str, str]:
    """Returns id -> folder of a local tree that is where the picture of that name should be."""
    found: dict[str, str] = {}
    if not storage.scheme_of(root):
        wanted = Wanted(ids)
        for path, folders, _ in os.walk(root):
            for name in sorted(folders):
                whole = storage.join(path, name)
                if image := wanted.find(os.path.relpath(whole, root)):
                    found.setdefault(image, whole)
    return found


def _size(archive: str) -> int:
    try:
        with storage.open_read(archive) as file:
            return file.seek(0, os.SEEK_END)
    except OSError as error:
        raise DataError(f"archive {archive} cannot be read ({error}): check --images") from error


def _parts(path: str) -> tuple[str, ...]:
    parts = path.replace("\\", "/").split("/")
    if not path.isascii():
        parts = [unicodedata.normalize("NFC", _readable(part)) for part in parts]
    return tuple(part for part in parts if part not in ("", ".", ".."))


def _readable(part: str) -> str:
    """Returns a name whose bytes are not UTF-8 as Latin-1, which older systems wrote."""
    try:
        part.encode()
    except UnicodeEncodeError:
        return part.encode("utf-8", "surrogateescape").decode("latin-1")
    return part


def _folded(parts: tuple[str, ...]) -> tuple[str, ...]:
    folded = [part.casefold() for part in parts]
    return (*folded[:-1], _SUFFIX.sub("", folded[-1])) if folded else ()


def _fitting(named: _Named, parts: tuple[str, ...]) -> list[tuple[int, str]]:
    """Returns number of parts and id of the images that a path may be."""
    return [(len(own), name) for own, name in named.get(parts[-1], ()) if _ends_alike(own, parts)]


def _ends_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]
