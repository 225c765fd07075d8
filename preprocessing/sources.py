# SPDX-License-Identifier: MIT
"""Reads the label files of ChestX-ray14 into index rows; nothing but parsing."""

import csv
import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from preprocessing.contract import labels, storage
from preprocessing.contract.errors import DataError

# The side in pixels of the published pictures, in which BBox_List_2017.csv measures.
PICTURE_PX = 1024

_SUFFIXES = (".png", ".jpg", ".jpeg")
# BBox_List_2017.csv says Infiltrate where the label file says Infiltration.
_BOX_NAMES = {"Infiltrate": "Infiltration"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the index: everything about a radiograph but its pixels.

    Attributes are those of `preprocessing.contract.schema.Record`; `uri` is where the file lies,
    empty while it has not been looked up.
    """

    id: str
    patient: str
    targets: tuple[int, ...]
    uri: str = ""
    view: str = ""
    sex: str = ""
    age: int = -1
    follow_up: int = -1
    width: int = 0
    height: int = 0
    box_findings: tuple[int, ...] = ()
    boxes: tuple[float, ...] = ()


def read_index(path: str, findings: Sequence[str]) -> list[Row]:
    """Reads Data_Entry_2017.csv or Data_Entry_2017_v2020.csv in any published variant.

    The bracketed column names hold commas, so the header has 11 columns, 12 with the trailing comma
    of some copies; the sex column is "Patient Gender" or "Patient Sex".

    Raises:
        DataError: a missing file or column, a label that is not a finding, a name given twice, a
            field that is not a number; it names the file and the line.
    """
    lines = _csv_lines(path)
    columns = {name.strip(): at for at, name in enumerate(lines[0])}
    place = {
        "id": _column(path, columns, "Image Index"),
        "labels": _column(path, columns, "Finding Labels"),
        "patient": _column(path, columns, "Patient ID"),
        "sex": _column(path, columns, "Patient Sex", "Patient Gender"),
        "age": _column(path, columns, "Patient Age"),
        "view": _column(path, columns, "View Position"),
        "follow_up": _column(path, columns, "Follow-up #"),
        "width": _column(path, columns, "OriginalImage[Width", "OriginalImageWidth"),
        "height": _column(path, columns, "Height]", "OriginalImageHeight"),
    }
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        try:
            rows.append(_row(_fields(line, place), findings))
        except (DataError, ValueError, OverflowError) as error:
            raise DataError(f"{path}, line {number}: {error}; mend or remove the line") from error
    _refuse_duplicates(path, (row.id for row in rows))
    if not rows:
        raise DataError(f"{path} has a header but no rows: use the complete label file")
    return rows


def read_names(path: str) -> list[str]:
    """Reads a list of image names, one on each line.

    Raises:
        DataError: a missing or empty list, or a name given twice.
    """
    try:
        names = [line.strip() for line in storage.read_text(path).splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise DataError(f"list {path} does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"list {path} is no text file: {error}") from error
    if not names:
        raise DataError(f"list {path} names no image: use the complete list")
    _refuse_duplicates(path, names)
    return names


def read_boxes(path: str, findings: Sequence[str]) -> dict[str, list[tuple[int, ...]]]:
    """Reads BBox_List_2017.csv.

    Returns:
        image name -> list of (index of the finding, x, y, width, height) with the four numbers as
        shares of the picture's side, 0 to 1, from its top left corner.

    Raises:
        DataError: a missing file, an unknown finding or a field that is not a number.
    """
    boxes: dict[str, list[tuple[int, ...]]] = {}
    for number, line in enumerate(_csv_lines(path)[1:], start=2):
        if not line:
            continue
        try:
            finding, x, y, width, height = _box(line, findings)
        except (DataError, ValueError) as error:
            raise DataError(f"{path}, line {number}: {error}; mend or remove the line") from error
        boxes.setdefault(line[0], []).append((finding, x, y, width, height))  # type: ignore[arg-type]
    return boxes


def with_boxes(row: Row, boxes: Mapping[str, list[tuple[int, ...]]]) -> Row:
    """Returns the row with its boxes from `read_boxes`."""
    own = boxes.get(row.id, [])
    return dataclasses.replace(
        row,
        box_findings=tuple(box[0] for box in own),
        boxes=tuple(share for box in own for share in box[1:]),
    )


def find_images(folder: str) -> dict[str, str]:
    """Lists every picture below a folder once, however the tree is nested.

    Returns:
        base name -> full path.

    Raises:
        DataError: no picture at all, or one name in two places.
    """
    found: dict[str, str] = {}
    for path in storage.list_files(folder):
        name = storage.basename(path)
        if not name.lower().endswith(_SUFFIXES):
            continue
        if name in found:
            raise DataError(f"{name} lies in two places, {found[name]} and {path}: keep one")
        found[name] = path
    if not found:
        raise DataError(f"{folder} holds no PNG or JPEG files: check --images")
    return found


def _csv_lines(path: str) -> list[list[str]]:
    try:
        lines = list(csv.reader(storage.read_text(path).splitlines()))
    except FileNotFoundError as error:
        raise DataError(f"label file {path} does not exist") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}") from error
    if not lines:
        raise DataError(f"{path} is empty: use the complete label file")
    return lines


def _column(path: str, columns: Mapping[str, int], *names: str) -> int:
    for name in names:
        if name in columns:
            return columns[name]
    raise DataError(
        f"{path} has no column {' or '.join(map(repr, names))}: use ChestX-ray14's "
        "Data_Entry_2017_v2020.csv"
    )


def _row(fields: Mapping[str, str], findings: Sequence[str]) -> Row:
    if not fields["id"] or not fields["patient"]:
        raise DataError("the image name or the patient is empty")
    return Row(
        id=fields["id"],
        patient=fields["patient"],
        targets=labels.encode(fields["labels"], findings),
        view=fields["view"] if fields["view"] in ("AP", "PA") else "",
        sex=fields["sex"] if fields["sex"] in ("M", "F") else "",
        age=_years(fields["age"]),
        follow_up=int(fields["follow_up"] or -1),
        width=int(float(fields["width"] or 0)),
        height=int(float(fields["height"] or 0)),
    )


def _fields(line: Sequence[str], place: Mapping[str, int]) -> dict[str, str]:
    if len(line) <= max(place.values()):
        raise DataError(f"the line has {len(line)} fields, the header more")
    return {name: line[at].strip() for name, at in place.items()}


def _years(text: str) -> int:
    """Reads an age in years, or as some copies and DICOM (PS3.5, AS) write it: 060Y, 018M, 014D."""
    units = {"Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}
    if text[-1:] in units:
        return int(int(text[:-1]) / units[text[-1]])
    return int(text or -1)


def _box(line: Sequence[str], findings: Sequence[str]) -> tuple[int, float, float, float, float]:
    if len(line) < 6:
        raise DataError(f"a box needs 6 fields, not {len(line)}")
    finding = _BOX_NAMES.get(line[1].strip(), line[1].strip())
    if finding not in findings:
        raise DataError(f"label {line[1]!r} is not among the {len(findings)} findings")
    x, y, width, height = (float(value) / PICTURE_PX for value in line[2:6])
    if not (
        x >= 0 and y >= 0 and width > 0 and height > 0 and math.isfinite(x + y + width + height)
    ):
        raise DataError(f"the box {', '.join(line[2:6])} is none in a picture")
    return findings.index(finding), x, y, width, height


def _refuse_duplicates(path: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    twice = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
    if twice:
        raise DataError(
            f"{path} gives {len(twice)} names more than once, first "
            f"{', '.join(twice[:3])}: keep one line of each"
        )
