# SPDX-License-Identifier: MIT
"""Finds the picture of each row, however the tree or the archive around it is nested."""

import dataclasses
import os
from collections.abc import Iterable

from preprocessing.contract import storage
from preprocessing.contract.errors import DataError

PICTURES = (".png", ".jpg", ".jpeg")
DICOM = (".dcm", ".dicom", ".ima")
ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")


class Wanted:
    """The images of an index, to be recognized by any path that ends in their name.

    Label files name images by base name (ChestX-ray14) or by a path (CheXpert, whose base names
    repeat), and with or without a suffix (DICOM). A file is an image's if one path ends in the
    other, part by part.

    Args:
        ids: names of the images as the index has them.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name in ids:
            parts = _parts(name)
            self._ids.setdefault(parts[-1] if parts else "", []).append((parts, name))

    def find(self, path: str) -> str | None:
        """Returns the id of the image that lies at a path below the root, None if it is no one's.

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
            fitting = [
                (len(own), name)
                for own, name in self._ids.get(parts[-1], ())
                if _ends_alike(own, parts)
            ]
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


@dataclasses.dataclass(frozen=True)
class Places:
    """What lies below a folder.

    Attributes:
        files: id of an image -> full path of its file.
        strangers: number of picture files that no row names.
        archives: full path of each archive, in order -> bytes.
    """

    files: dict[str, str]
    strangers: int
    archives: dict[str, int]


def find(root: str, wanted: Wanted, suffixes: tuple[str, ...]) -> Places:
    """Lists a folder, or one archive, once.

    Args:
        root: folder or archive, local or in a bucket.
        wanted: the images of the index.
        suffixes: of picture files, in lower case; a file of another counts if the index names it.

    Raises:
        DataError: neither pictures nor archives, or one image in two places.
    """
    if is_archive(root):
        return Places({}, 0, {root: _size(root)})
    files: dict[str, str] = {}
    archives: dict[str, int] = {}
    strangers = 0
    for path, size in storage.sizes(root).items():
        # What macOS leaves beside files on foreign disks looks like a picture by its name.
        if storage.basename(path).startswith("."):
            continue
        if is_archive(path):
            archives[path] = size
            continue
        name = wanted.find(path[len(root.rstrip("/")) + 1 :])
        if name is None:
            strangers += path.lower().endswith(suffixes)
        elif name in files:
            raise DataError(f"{name} lies in two places, {files[name]} and {path}: keep one")
        else:
            files[name] = path
    if not files and not strangers and not archives:
        kinds = ", ".join((*suffixes, *ARCHIVES))
        raise DataError(f"{root} holds no pictures or archives ({kinds}): check --images")
    return Places(files, strangers, archives)


def is_archive(path: str) -> bool:
    """Tells by its name whether a file is an archive.

    >>> is_archive("images_001.tar.gz"), is_archive("00000001_000.png")
    (True, False)
    """
    return path.lower().endswith(ARCHIVES)


def _size(archive: str) -> int:
    try:
        with storage.open_read(archive) as file:
            return file.seek(0, os.SEEK_END)
    except OSError as error:
        raise DataError(f"archive {archive} cannot be read ({error}): check --images") from error


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in ("", ".", ".."))


def _ends_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]
