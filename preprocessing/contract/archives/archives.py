# SPDX-License-Identifier: MIT
"""Reads the files of tar and zip archives as downloaded, without unpacking them.

No member's name is ever used as a path to write to, so what a name holds (`../`, a leading slash)
can do no harm; sizes are bounded before anything is read.
"""

import hashlib
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator

from preprocessing.contract.archives import archive_formats, tars, zips
from preprocessing.contract.archives.archive_formats import Member
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage

__all__ = ["PUBLISHED_MD5", "Member", "members"]

# MD5 of the twelve archives of ChestX-ray14, as NIH publishes them (FAQ Q07 of the data set).
PUBLISHED_MD5 = {
    "images_001.tar.gz": "fe8ed0a6961412fddcbb3603c11b3698",
    "images_002.tar.gz": "ab07a2d7cbe6f65ddd97b4ed7bde10bf",
    "images_003.tar.gz": "2301d03bde4c246388bad3876965d574",
    "images_004.tar.gz": "9f1b7f5aae01b13f4bc8e2c44a4b8ef6",
    "images_005.tar.gz": "1861f3cd0ef7734df8104f2b0309023b",
    "images_006.tar.gz": "456b53a8b351afd92a35bc41444c58c8",
    "images_007.tar.gz": "1075121ea20a137b87f290d6a4a5965e",
    "images_008.tar.gz": "b61f34cec3aa69f295fbb593cbd9d443",
    "images_009.tar.gz": "442a3caa61ae9b64e61c561294d1e183",
    "images_010.tar.gz": "09ec81c4c31e32858ad8cf965c494b74",
    "images_011.tar.gz": "499aefc67207a5a97692424cf5dbeed5",
    "images_012.tar.gz": "dc9fda1757c2de0032b63347a7d2895c",
}

_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, struct.error, UnicodeDecodeError),
)


def members(
    path: str, wanted: Callable[[str], bool], *, check_md5: bool = False
) -> Iterator[Member]:
    """Yields the files of an archive in its own order, links last.

    Args:
        path: a zip, or a tar packed with gzip, bzip2 or xz or not at all, whatever its name; local
            or in a bucket.
        wanted: tells by its name whether a member's content is needed.
        check_md5: check the archive against the published sum, where its name has one.

    Raises:
        DataError: the archive is cut short, damaged, a bomb, not the published one, or of a kind
            that cannot be read.
    """
    try:
        yield from _members(path, wanted, check_md5=check_md5)
    except FileNotFoundError as error:
        raise DataError(f"archive {path} does not exist") from error
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    except OSError as error:
        if error.errno is not None:  # the disk's, not the archive's
            raise
        raise _damaged(path, error) from error  # as bz2 and gzip say it


def _members(path: str, wanted: Callable[[str], bool], *, check_md5: bool) -> Iterator[Member]:
    with storage.open_read(path) as file:
        kind = archive_formats.kind_of(path, file.read(archive_formats.HEAD_BYTES))
        if kind == archive_formats.ZIP:
            yield from zips.members(path, file, wanted)
    if kind == archive_formats.TAR:
        digest = hashlib.md5(usedforsecurity=False) if check_md5 else None
        yield from tars.members(path, wanted, digest=digest)
        if digest is not None:
            _check_md5(path, digest.hexdigest())


def _damaged(path: str, error: Exception) -> DataError:
    said = " ".join(str(error).split())
    return DataError(f"archive {path} is cut short or damaged ({said}): download it again")


def _check_md5(path: str, found: str) -> None:
    published = PUBLISHED_MD5.get(storage.basename(path))
    if published is not None and found != published:
        raise DataError(
            f"archive {path} has MD5 {found}, published is {published}: download it again"
        )
