# SPDX-License-Identifier: MIT
"""One line of the index: everything about a radiograph but its pixels."""

import dataclasses

from preprocessing.contract.schema import Facts

# The size of an original that only the picture itself knows.
SIZE_OF_PICTURE = -1


@dataclasses.dataclass(frozen=True)
class Row(Facts):
    """What is known of one radiograph, and where its picture is.

    Attributes:
        width: as in `Facts`, or `SIZE_OF_PICTURE` to ask the picture; likewise height.
        uri: the file; empty while it has not been looked up.
        piece: (offset, bytes) of the finished picture in that file, where earlier work left it.
        digest: of the finished picture's pixels, where it is known.
        refused: (reason, text) where the label file or earlier work found the picture unusable.
    """

    uri: str = ""
    piece: tuple[int, ...] = ()
    digest: str = ""
    refused: tuple[str, ...] = ()

    def known(self) -> "Row":
        """Returns the row without what depends on where and how its picture was found."""
        return dataclasses.replace(self, uri="", piece=(), digest="", refused=())
