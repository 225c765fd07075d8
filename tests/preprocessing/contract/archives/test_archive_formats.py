# SPDX-License-Identifier: MIT
"""An archive is what its first bytes say, whatever it is called."""

import bz2
import gzip
import lzma

import pytest

from preprocessing.contract.archives import archive_formats
from preprocessing.contract.errors import DataError


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04rest", "zip"),
        (b"PK\x07\x08PK\x03\x04", "zip"),
        (gzip.compress(b"a"), "tar"),
        (bz2.compress(b"a"), "tar"),
        (lzma.compress(b"a"), "tar"),
        (b"\0" * 257 + b"ustar\0", "tar"),
    ],
    ids=["zip", "volume", "gzip", "bzip2", "xz", "ustar"],
)
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
def test_the_first_bytes_decide_and_not_the_name(head: bytes, kind: str, name: str) -> None:
    assert archive_formats.kind_of(name, head) == kind
    assert archive_formats.is_known(head)


def test_the_name_decides_where_the_first_bytes_say_nothing() -> None:
    assert archive_formats.kind_of("a.ZIP", b"MZ of one that unpacks itself") == "zip"
    assert archive_formats.kind_of("old.tar", b"images/f00.png\0") == "tar"
    assert not archive_formats.is_known(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("head", "cause"),
    [
        (b"", "is empty: download it again"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "is a 7-Zip archive, which cannot be read here: unpack it"),
        (b"Rar!\x1a\x07\0", "is a RAR archive, which cannot be read here: unpack it"),
        (b"\x28\xb5\x2f\xfd\0", "is packed with Zstandard, which cannot be read here: unpack it"),
        (b"\n<!DOCTYPE html><title>Sign in", "not an archive but a text, such as a web page"),
        (b'{"error": {"code": 403}}', "not an archive but a text, such as a web page"),
    ],
)
def test_what_cannot_be_read_is_called_by_its_name(head: bytes, cause: str) -> None:
    with pytest.raises(DataError, match=cause):
        archive_formats.kind_of("a.zip", head)
