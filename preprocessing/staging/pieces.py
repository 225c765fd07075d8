# SPDX-License-Identifier: MIT
"""Fetches the stored pictures of one shard out of the run files in which earlier work left them."""

import itertools
from collections.abc import Iterator, Sequence

from preprocessing.contract.files import storage
from preprocessing.sources.row import Row

# Two pieces closer than this are read at once: a request costs more than the bytes between them.
_GAP_BYTES = 256 << 10


def read(rows: Sequence[Row]) -> dict[str, bytes]:
    """Returns id -> stored picture of rows that name their piece of a file.

    Raises:
        FileNotFoundError: a run file is gone.
        EOFError: a run file is shorter than its note says.
    """
    found: dict[str, bytes] = {}
    ordered = sorted(rows, key=lambda row: (row.uri, row.piece))
    for uri, of_file in itertools.groupby(ordered, key=lambda row: row.uri):
        for near in _near(list(of_file)):
            start = near[0].piece[0]
            end = max(sum(row.piece) for row in near)
            data = storage.read_range(uri, start, end - start)
            if len(data) != end - start:
                raise EOFError(f"{uri} has lost its end: delete it and run again")
            for row in near:
                offset, length = row.piece
                found[row.id] = data[offset - start : offset - start + length]
    return found


def _near(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Cuts rows of one file, in its order, where the gap between two is worth a new request."""
    group: list[Row] = []
    for row in rows:
        if group and row.piece[0] - sum(group[-1].piece) > _GAP_BYTES:
            yield group
            group = []
        group.append(row)
    if group:
        yield group
