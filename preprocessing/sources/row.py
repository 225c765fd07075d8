# SPDX-License-Identifier: MIT
"""One line of the index: everything about a radiograph but its pixels."""

import dataclasses

# A row whose original size only the picture itself can tell.
SIZE_OF_PICTURE = -1


@dataclasses.dataclass(frozen=True)
class Row:
    """One radiograph of the index.

    Attributes are those of `preprocessing.contract.schema.Record`, and where the picture lies.

    Attributes:
        id: name of the image, unique in the data set.
        patient: name of the patient; a pseudonym where the source holds identifiers.
        targets: for each finding 1 present, 0 absent, -1 unknown.
        uri: the file; empty while it has not been looked up.
        piece: (offset, bytes) of the finished picture in that file, where earlier work left it.
        digest: of the finished picture's pixels, where it is known.
        refused: (reason, text) where the label file or earlier work found the picture unusable.
        view: "AP", "PA" or "".
        sex: "M", "F" or "".
        age: years, -1 if unknown.
        follow_up: number in the patient's series, -1 if unknown.
        width: of the original in pixels; 0 unknown, `SIZE_OF_PICTURE` to ask the picture.
        height: likewise.
        box_findings: for each box the index of its finding.
        boxes: x, y, width, height of each box in turn, as shares of the side.
    """

    id: str
    patient: str
    targets: tuple[int, ...]
    uri: str = ""
    piece: tuple[int, ...] = ()
    digest: str = ""
    refused: tuple[str, ...] = ()
    view: str = ""
    sex: str = ""
    age: int = -1
    follow_up: int = -1
    width: int = 0
    height: int = 0
    box_findings: tuple[int, ...] = ()
    boxes: tuple[float, ...] = ()

    def known(self) -> "Row":
        """Returns the row without what depends on where and how its picture was found."""
        return dataclasses.replace(self, uri="", piece=(), digest="", refused=())
