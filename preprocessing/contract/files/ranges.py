# SPDX-License-Identifier: MIT
"""Shows something that can be fetched in pieces as a file that can be read from anywhere."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class RangeReader(io.RawIOBase):
    """A file whose content comes from a function; to be read through an `io.BufferedReader`.

    Args:
        size: how many bytes there are.
        fetch: (start, length) -> bytes; less than `length` bytes are read as such.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size, self._fetch, self._at = size, fetch, 0

    def readable(self) -> bool:
        """Tells that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tells that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Returns the place of the next byte to read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves to a place, counted from the start, from here or from the end.

        Raises:
            ValueError: a place before the start.
        """
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise ValueError(f"place {at} is before the start of the file")
        self._at = at
        return at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fills a buffer as far as the content goes; returns how many bytes it got."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._at)
        if wanted <= 0:
            return 0
        data = self._fetch(self._at, wanted)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
