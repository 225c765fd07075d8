# SPDX-License-Identifier: MIT
"""The text of the phantom's label files, byte for byte in the form of ChestX-ray14's."""

import math
from collections.abc import Iterable

from preprocessing.phantom import render
from preprocessing.phantom.anatomy import BOXES as BOX_STREAM
from preprocessing.phantom.anatomy import stream
from preprocessing.phantom.findings import FINDINGS
from preprocessing.phantom.population import Record

DATA_ENTRY = "Data_Entry_2017_v2020.csv"
BOXES = "BBox_List_2017.csv"
DATA_ENTRY_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
BOXES_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
# The real box file calls it so.
_BOX_NAMES = {"Infiltration": "Infiltrate"}
# The radiologists marked some of the test images only.
_BOXED_SHARE = 0.2


def data_entry_file(records: Iterable[Record]) -> str:
    """Builds the label file: one row for each image."""
    return "\n".join([DATA_ENTRY_HEADER, *(_row(record) for record in records)]) + "\n"


def _row(record: Record) -> str:
    original = record.original
    cells = (
        record.name,
        "|".join(record.findings) or "No Finding",
        record.follow_up,
        record.patient,
        record.age,
        record.sex,
        record.view,
        original.width,
        original.height,
        original.spacing,
        original.spacing,
    )
    return ",".join(str(cell) for cell in cells)


def list_file(records: Iterable[Record], split: str) -> str:
    """Builds the list of a split: sorted names, one a line, no line end after the last."""
    return "\n".join(sorted(record.name for record in records if record.split == split))


def box_rows(records: Iterable[Record], seed: int) -> list[str]:
    """Builds the rows of the box file, on a share of the test images.

    Args:
        records: the images.
        seed: seed of the phantom.

    Returns:
        name,finding,x,y,width,height in pixels of the 1024x1024 picture; by finding, as the real
        file is.
    """
    candidates = [
        record
        for record in records
        if record.split == "test" and any(FINDINGS[name].extent for name in record.findings)
    ]
    wanted = math.ceil(_BOXED_SHARE * len(candidates))
    rows: list[tuple[str, str]] = []
    for record in sorted(candidates, key=lambda one: _turn(one, seed)):
        if wanted == 0:
            break
        boxes = render.boxes(record, seed)
        # Findings on both sides have no box, so a candidate may turn out to have none.
        wanted -= bool(boxes)
        for finding, box in boxes.items():
            label = _BOX_NAMES.get(finding, finding)
            numbers = ",".join(repr(round(value, 12)) for value in box)
            rows.append((label, f"{record.name},{label},{numbers}"))
    return [row for _, row in sorted(rows)]


def _turn(record: Record, seed: int) -> float:
    """Draws when the radiologists came to an image."""
    return float(stream(seed, BOX_STREAM, record.patient, record.number).random())


def box_file(rows: Iterable[str]) -> str:
    """Builds the box file of its rows."""
    return "\n".join([BOXES_HEADER, *rows]) + "\n"
