# SPDX-License-Identifier: MIT
"""Pieces of run files come back as they were written, in few requests."""

import pathlib

import pytest

from preprocessing.contract.files import storage
from preprocessing.sources.row import Row
from preprocessing.staging import pieces


def _row(name: str, path: pathlib.Path, offset: int, length: int) -> Row:
    return Row(name, "1", (0,), uri=str(path), piece=(offset, length))


def test_near_pieces_are_read_at_once_and_far_ones_apart(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    data = bytes(range(256)) * 4096
    path.write_bytes(data)
    other.write_bytes(b"other")
    far = 900_000
    rows = [_row("c", path, far, 10), _row("a", path, 0, 5), _row("b", path, 100, 7)]
    rows += [_row("d", other, 1, 3), _row("e", path, 105, 0)]
    requests = []
    read_range = storage.read_range
    monkeypatch.setattr(
        storage, "read_range", lambda *request: requests.append(request) or read_range(*request)
    )
    found = pieces.read(rows)
    assert found == {
        "a": data[:5],
        "b": data[100:107],
        "c": data[far : far + 10],
        "d": b"the",
        "e": b"",
    }
    assert requests == [(str(path), 0, 107), (str(path), far, 10), (str(other), 1, 3)]


def test_a_run_that_lost_its_end_is_an_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    with pytest.raises(EOFError, match="has lost its end"):
        pieces.read([_row("a", tmp_path / "a", 3, 4)])


def test_no_rows_need_no_file() -> None:
    assert pieces.read([]) == {}
