# SPDX-License-Identifier: MIT
"""Reads the label files of ChestX-ray14 into index rows; nothing but parsing."""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence

from preprocessing.contract import cells, labels, patients, vocabulary
from preprocessing.contract.errors import DataError
from preprocessing.contract.vocabulary import Vocabulary
from preprocessing.sources import text_files, views
from preprocessing.sources.row import Row

# The side in pixels of the published pictures, in which BBox_List_2017.csv measures.
PICTURE_PX = 1024

# ChestX-ray14 names a picture by its patient and the number in the patient's series.
_NAME = re.compile(r"([0-9]{8})_[0-9]{3}\.")

# BBox_List_2017.csv says Infiltrate where the label file says Infiltration.
_BOX_NAMES = {"Infiltrate": "Infiltration"}


def read_index(
    path: str,
    findings: Sequence[str],
    warnings: list[tuple[str, str]] | None = None,
    words: Vocabulary | None = None,
) -> list[Row]:
    """Reads Data_Entry_2017.csv or Data_Entry_2017_v2020.csv in any published variant.

    The bracketed column names have commas in them, so the header has 11 columns, 12 with the
    trailing comma of some copies; the sex column is "Patient Gender" or "Patient Sex".

    Args:
        path: the file.
        findings: names, in the order of the targets.
        warnings: receives (id, text) of ages that are unknown or only bounds, and of unknown views.
        words: by which views are known; those of the table if left out.

    Raises:
        DataError: a missing file or column, a label that is not a finding, a name given twice, a
            field that is not a number; it names the file and the line.
    """
    words = words or vocabulary.of({})
    lines = text_files.csv_lines(path)
    place = _places(path, next(lines)[1])
    rows = []
    for number, line in lines:
        try:
            fields = text_files.fields(line, place)
            view = views.read(fields["view"], "View Position", words)
            rows.append(_row(fields, findings, view))
        except (DataError, ValueError, OverflowError) as error:
            raise DataError(f"{path}, line {number}: {error}; fix or remove the line") from error
        odd = (text_files.age_warning(fields["age"], "Patient Age"), view.warning)
        if warnings is not None:
            warnings += [(fields["id"], text) for text in odd if text]
    text_files.refuse_duplicates(path, (row.id for row in rows))
    if not rows:
        raise DataError(f"{path} has a header but no rows: use the complete label file")
    return rows


def _places(path: str, header: Sequence[str]) -> dict[str, int]:
    return {
        "id": text_files.column(path, header, "Image Index"),
        "labels": text_files.column(path, header, "Finding Labels"),
        "patient": text_files.column(path, header, "Patient ID"),
        "sex": text_files.column(path, header, "Patient Sex", "Patient Gender"),
        "age": text_files.column(path, header, "Patient Age"),
        "view": text_files.column(path, header, "View Position"),
        "follow_up": text_files.column(path, header, "Follow-up #"),
        "width": text_files.column(path, header, "OriginalImage[Width", "OriginalImageWidth"),
        "height": text_files.column(path, header, "Height]", "OriginalImageHeight"),
    }


def read_boxes(path: str, findings: Sequence[str]) -> dict[str, list[tuple[int, ...]]]:
    """Reads BBox_List_2017.csv.

    Returns:
        image name -> list of (index of the finding, x, y, width, height) with the four numbers as
        shares of the picture's side, 0 to 1, from its top left corner.

    Raises:
        DataError: a missing file, an unknown finding or a field that is not a number.
    """
    boxes: dict[str, list[tuple[int, ...]]] = {}
    lines = text_files.csv_lines(path)
    next(lines)
    for number, line in lines:
        try:
            finding, x, y, width, height = _box(line, findings)
        except (DataError, ValueError) as error:
            raise DataError(f"{path}, line {number}: {error}; fix or remove the line") from error
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


def _row(fields: Mapping[str, str], findings: Sequence[str], view: views.View) -> Row:
    if not fields["id"]:
        raise DataError("the image name is empty")
    text_files.refuse_nobody(fields["patient"], "Patient ID")
    named = _NAME.match(fields["id"])
    if named and patients.value(named[1]) != patients.value(fields["patient"]):
        raise DataError(
            f"column 'Patient ID' is {fields['patient']!r}, but by its name {fields['id']} is of "
            f"patient {named[1]}"
        )
    return Row(
        id=fields["id"],
        patient=fields["patient"],
        targets=labels.encode(fields["labels"], findings),
        refused=view.refused,
        view=view.direction,
        sex=cells.sex(fields["sex"]),
        age=cells.years(fields["age"])[0],
        follow_up=text_files.whole(fields["follow_up"], "Follow-up #", unknown=-1),
        width=text_files.whole(fields["width"], "OriginalImage[Width", unknown=0),
        height=text_files.whole(fields["height"], "Height]", unknown=0),
    )


def _box(line: Sequence[str], findings: Sequence[str]) -> tuple[int, float, float, float, float]:
    if len(line) < 6:
        raise DataError(f"a box needs 6 fields, not {len(line)}")
    finding = _BOX_NAMES.get(line[1].strip(), line[1].strip())
    if finding not in findings:
        raise DataError(f"label {line[1]!r} is not among the {len(findings)} findings")
    try:
        x, y, width, height = (float(value) / PICTURE_PX for value in line[2:6])
    except ValueError as error:
        raise DataError(f"the box {', '.join(line[2:6])} is not four numbers") from error
    if not (
        x >= 0 and y >= 0 and width > 0 and height > 0 and math.isfinite(x + y + width + height)
    ):
        raise DataError(f"the box {', '.join(line[2:6])} is not inside a picture")
    return findings.index(finding), x, y, width, height
