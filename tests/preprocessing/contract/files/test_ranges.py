# SPDX-License-Identifier: MIT
"""A file made of pieces reads like the file it stands for, with few requests."""

import io
import random
import tarfile
import zipfile

import pytest

from preprocessing.contract.files.ranges import RangeReader

DATA = random.Random(5).randbytes(100_000)


def _opened(data: bytes, buffer: int = 1024) -> tuple[io.BufferedReader, list[tuple[int, int]]]:
    asked: list[tuple[int, int]] = []

    def fetch(start: int, length: int) -> bytes:
        asked.append((start, length))
        return data[start : start + length]

    return io.BufferedReader(RangeReader(len(data), fetch), buffer), asked


@pytest.mark.parametrize("seed", range(5))
def test_it_reads_like_a_file_wherever_one_goes(seed: int) -> None:
    ours, _ = _opened(DATA)
    real = io.BytesIO(DATA)
    drawn = random.Random(seed)
    for _ in range(300):
        whence = drawn.choice([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END])
        lowest, highest = {0: (0, 110_000), 1: (-real.tell(), 5000), 2: (-100_000, 10)}[whence]
        offset = drawn.randint(lowest, highest)
        assert ours.seek(offset, whence) == real.seek(offset, whence)
        length = drawn.choice([0, 1, 100, 5000, -1])
        assert ours.read(length) == real.read(length)
        assert ours.tell() == real.tell()


def test_a_place_before_the_start_is_refused_and_changes_nothing() -> None:
    ours, _ = _opened(DATA)
    ours.seek(10)
    with pytest.raises(ValueError, match="before the start"):
        ours.seek(-1)
    assert ours.read(2) == DATA[10:12]


def test_small_reads_in_a_row_share_one_request() -> None:
    ours, asked = _opened(DATA, buffer=50_000)
    assert b"".join(ours.read(1000) for _ in range(100)) == DATA
    assert asked == [(0, 50_000), (50_000, 50_000)]


def test_nothing_is_fetched_behind_the_end() -> None:
    ours, asked = _opened(DATA)
    ours.seek(200_000)
    assert ours.read() == b""
    assert asked == []
    assert _opened(b"")[0].read() == b""


def test_archives_can_be_read_through_it() -> None:
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a", DATA)
        archive.writestr("b", b"second")
    with tarfile.open(fileobj=tarred, mode="w:gz") as archive:
        member = tarfile.TarInfo("a")
        member.size = len(DATA)
        archive.addfile(member, io.BytesIO(DATA))
    with zipfile.ZipFile(_opened(zipped.getvalue())[0]) as archive:
        assert (archive.read("b"), archive.read("a")) == (b"second", DATA)
    with tarfile.open(fileobj=_opened(tarred.getvalue())[0], mode="r|gz") as archive:
        (found,) = [archive.extractfile(member).read() for member in archive]
    assert found == DATA
