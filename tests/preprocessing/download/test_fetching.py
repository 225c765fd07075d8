# SPDX-License-Identifier: MIT
"""One file through everything that happens on the way, to a folder and to a bucket."""

import contextlib
import dataclasses
import hashlib
import logging
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from preprocessing.contract.errors import DataError, JobError
from preprocessing.contract.files import patience, storage
from preprocessing.download import fetching, parts, web

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
MB = 1 << 20


@pytest.fixture(params=["disk", "bucket"])
def place(request: pytest.FixtureRequest, folder: str) -> str:
    """A folder that is there, local or on gs://."""
    if request.param == "bucket":
        return f"{request.getfixturevalue('bucket')}/nih"
    storage.make_folder(folder)
    return folder


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_PIECE_BYTES", 1 << 18)


class Fetched(list[int]):
    """Does one start of a job for one file; a list of what it counted."""

    def __init__(self, file: Any, place: str) -> None:
        super().__init__()
        with contextlib.closing(fetching.begun(file, place)) as part:
            self.first = part.at
            self.md5 = fetching.fetch(file, part, place, self.append)


def test_a_file_comes_whole_and_under_its_name(site: Any, data: bytes, place: str) -> None:
    file = site.file("a.tar.gz", data)
    start = Fetched(dataclasses.replace(file, size=len(data)), place)
    assert start.md5 == file.md5 == fetching.examined(file, place)
    assert sum(start) == len(data)
    assert storage.sizes(place) == {f"{place}/a.tar.gz": len(data)}
    assert storage.read_bytes(f"{place}/a.tar.gz") == data


def test_ten_breaks_and_passing_refusals_cost_next_to_nothing(
    site: Any, data: bytes, place: str
) -> None:
    file = site.file("a.tar.gz", data, size=len(data))
    site.faults["a.tar.gz"] = [503, *[("cut", 250_000)] * 10, 429, 500]
    start = Fetched(file, place)
    assert storage.read_bytes(f"{place}/a.tar.gz") == data
    assert sum(start) == len(data)
    starts = [int(span[6:-1]) for span in site.bodies("a.tar.gz")]
    assert starts == sorted(starts) and len(set(starts)) >= 11
    sent = sum(min(250_000, len(data) - start) for start in set(starts))
    assert sent - len(data) < len(starts) * web.PIECE_BYTES


@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_later_start_goes_on(site: Any, data: bytes, place: str, has_ranges: bool) -> None:
    file = site.file("a.tar.gz", data, size=len(data))
    for _ in range(3):
        site.faults["a.tar.gz"] = [("cut", 800_000), 404]
        with pytest.raises(JobError, match="HTTP 404"):
            Fetched(file, place)
    assert f"{place}/a.tar.gz" not in storage.sizes(place)
    site.requests.clear()
    site.faults.clear()
    site.has_ranges = has_ranges
    last = Fetched(file, place)
    assert last.first >= 3 * (800_000 - (1 << 16) - (1 << 18))  # a bucket has whole pieces alone
    assert site.bodies("a.tar.gz") == [f"bytes={last.first}-"]
    assert storage.read_bytes(f"{place}/a.tar.gz") == data


def test_a_file_without_a_sum_is_never_put_together_of_two_starts(
    site: Any, data: bytes, place: str
) -> None:
    file = site.file("labels.csv", data, md5="")
    site.faults["labels.csv"] = [("cut", 1_000_000), 404]
    with pytest.raises(JobError, match="HTTP 404"):
        Fetched(file, place)
    start = Fetched(file, place)
    assert start.first == 0 and start.md5 == hashlib.md5(data).hexdigest()
    assert storage.read_bytes(f"{place}/labels.csv") == data


def test_a_wrong_byte_is_mended_once(
    site: Any, data: bytes, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = site.file("a.tar.gz", data, size=len(data))
    site.faults["a.tar.gz"] = [("flip", 1_234_567)]
    with caplog.at_level(logging.WARNING):
        start = Fetched(file, place)
    assert f"and {file.md5} is right; it is fetched again from the start" in caplog.text
    assert sum(start) == len(data)
    assert storage.sizes(place) == {f"{place}/a.tar.gz": len(data)}
    assert storage.read_bytes(f"{place}/a.tar.gz") == data


def test_a_byte_that_is_wrong_twice_is_refused_and_nothing_stays(
    site: Any, data: bytes, place: str
) -> None:
    file = site.file("a.tar.gz", data, size=len(data))
    site.faults["a.tar.gz"] = [("flip", 1), ("flip", 2_999_999)]
    with pytest.raises(DataError, match="could not be downloaded: its MD5 is"):
        Fetched(file, place)
    assert storage.sizes(place) == {}
    assert len(site.bodies("a.tar.gz")) == 2


def test_an_end_that_comes_too_early_is_no_end(site: Any, data: bytes, place: str) -> None:
    """Of a server that tells no size, a connection that ends is all there is to know."""
    site.tells_size = False
    file = site.file("a.tar.gz", data)
    site.faults["a.tar.gz"] = [("cut", 1_000_000)]
    Fetched(file, place)
    assert storage.read_bytes(f"{place}/a.tar.gz") == data
    with pytest.raises(DataError, match="it is empty"):
        Fetched(site.file("b.tar.gz", b"", md5=""), place)
    assert storage.sizes(place) == {f"{place}/a.tar.gz": len(data)}


def test_a_server_that_gives_only_part_of_a_range_is_asked_again(
    site: Any, data: bytes, place: str
) -> None:
    site.most = len(data) // 3
    file = site.file("a.tar.gz", data, size=len(data))
    assert sum(Fetched(file, place)) == len(data)
    assert storage.read_bytes(f"{place}/a.tar.gz") == data
    assert len(site.bodies("a.tar.gz")) in (3, 4)


def test_a_server_that_stays_away_is_waited_for(
    site: Any, data: bytes, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = site.file("a.tar.gz", data, size=len(data))
    monkeypatch.setattr(patience, "SECONDS", 0.2)
    site.faults["a.tar.gz"] = [("cut", 600_000), *[503] * 1000]
    with pytest.raises(web.BrokenError, match="HTTP 503 for as long as it was tried"):
        Fetched(file, place)
    assert len(site.bodies("a.tar.gz")) > 5
    site.faults.clear()
    assert Fetched(file, place).first > 300_000


def test_what_lies_there_is_compared_with_the_published_sum(
    site: Any, data: bytes, place: str
) -> None:
    file = site.file("a.tar.gz", data)
    storage.write_bytes(f"{place}/a.tar.gz", data[:-1])
    with pytest.raises(DataError, match=f"{file.md5} is right: move it away"):
        fetching.examined(file, place)
    assert fetching.examined(dataclasses.replace(file, md5=""), place) != file.md5


@pytest.fixture
def _traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("_traced")
def test_memory_is_the_same_for_a_file_of_any_size(site: Any, folder: str) -> None:
    """To a folder; what an upload holds is bounded by a test of `parts`."""
    storage.make_folder(folder)
    block = bytes(range(256)) * 1024
    peaks = []
    for times in (40, 320):  # 10 and 80 MB
        site.repeated[f"{times}.tar"] = times
        digest = hashlib.md5()
        for _ in range(times):
            digest.update(block)
        file = site.file(f"{times}.tar", block, md5=digest.hexdigest(), size=times * len(block))
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        Fetched(file, folder)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    assert max(peaks) < 2 * MB
