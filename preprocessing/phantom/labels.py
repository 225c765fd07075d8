# SPDX-License-Identifier: MIT
"""The text of the phantom's label files, byte for byte in the form of ChestX-ray14's."""

import math
from collections.abc import Sequence

from preprocessing.phantom import render
from preprocessing.phantom.anatomy import BOXES as BOX_STREAM
from preprocessing.phantom.anatomy import stream
from preprocessing.phantom.findings import BOXED
from preprocessing.phantom.population import Record

DATA_ENTRY = "Data_Entry_2017_v2020.csv"
BOXES = "BBox_List_2017.csv"
_DATA_ENTRY_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
_BOXES_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
# The real box file calls it so.
_BOX_NAMES = {"Infiltration": "Infiltrate"}
# The radiologists marked some of the test images only.
_BOXED_SHARE = 0.2


def texts(records: Sequence[Record], seed: int) -> dict[str, str]:
    """Builds the label files: name -> text, Data_Entry last, as they are to be written.

    The lists hold sorted names, one a line, without a line end after the last.
    """
    lists = {
        f"{split}_list.txt": "\n".join(sorted(one.name for one in records if one.split == split))
        for split in ("train_val", "test")
    }
    boxes = [_BOXES_HEADER, *_box_rows(records, seed)]
    rows = [_DATA_ENTRY_HEADER, *map(_row, records)]
    return {BOXES: "\n".join(boxes) + "\n", **lists, DATA_ENTRY: "\n".join(rows) + "\n"}


def _row(record: Record) -> str:
    patient = (record.follow_up, record.patient, record.age, record.sex, record.view)
    findings = "|".join(record.findings) or "No Finding"
    # The spacing is the same across and down.
    cells = (record.name, findings, *patient, *record.original, record.original[-1])
    return ",".join(map(str, cells))


def _box_rows(records: Sequence[Record], seed: int) -> list[str]:
    """Builds the rows of the box file, on a share of the test images.

    Returns:
        name,finding,x,y,width,height in pixels of the 1024x1024 picture; by finding, as the real
        file is.
    """
    candidates = [
        record
        for record in records
        if record.split == "test" and not set(BOXED).isdisjoint(record.findings)
    ]
    wanted = math.ceil(_BOXED_SHARE * len(candidates))
    rows: list[tuple[str, str]] = []
    # The radiologists came to the images by chance.
    candidates.sort(key=lambda r: stream(seed, BOX_STREAM, r.patient, r.number).random())
    for record in candidates:
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
