# SPDX-License-Identifier: MIT
"""Chooses a few examples of each finding and draws them on one sheet."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import cv2
import numpy as np

from preprocessing.contract import patients, schema
from preprocessing.contract.files import storage
from preprocessing.contract.labels import ABSENT, PRESENT
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.pictures import image
from preprocessing.contract.wording import words
from preprocessing.verify import Brief, Reading

NO_FINDING = "No finding"

_EXAMPLES = 4
_SIDE, _GAP, _TEXT, _TITLE = 224, 12, 38, 34
_INK, _PAPER, _QUIET = (30, 30, 30), (250, 250, 250), (90, 90, 90)
# Amber, in blue, green, red: nothing else on a grey film has its colour.
_BOX = (32, 176, 255)
_JPEG_QUALITY = 85

Canvas: TypeAlias = "np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]"


@dataclasses.dataclass(frozen=True)
class Example:
    """One picture of the sheet.

    Attributes:
        finding: that it is an example of, or `NO_FINDING`.
        id: name of the image.
        caption: split, view, sex and age.
        others: what else it shows, "" for nothing.
        boxes: number of boxes that are drawn.
        pixels: uint8 [side, side, 3], blue, green, red.
    """

    finding: str
    id: str
    caption: str
    others: str
    boxes: int
    pixels: Canvas = dataclasses.field(repr=False)

    @property
    def alternative(self) -> str:
        """What the picture is, for those who do not see it."""
        boxes = f", with {self.boxes} box" + "es" * (self.boxes > 1) if self.boxes else ""
        return f"Chest radiograph {self.id}, {self.caption}, labelled {self.finding}{boxes}"

    def jpeg(self) -> bytes:
        """Returns the picture as a small JPEG file for the page."""
        return bytes(
            cv2.imencode(".jpg", self.pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
        )


def examples(folder: str, manifest: Manifest, readings: Sequence[Reading]) -> list[Example]:
    """Chooses examples and fetches their pictures, each with one small read.

    The choice depends on nothing but the names: the first has a box of the finding if any has, the
    others have the lowest hashes; no patient is shown twice for one finding.

    Args:
        folder: of the data set.
        manifest: of the data set.
        readings: of all of its shards.
    """
    every = [(reading, brief) for reading in readings for brief in reading.briefs]
    every.sort(key=lambda pair: hashlib.sha256(pair[1].id.encode()).digest())
    plain = [pair for pair in every if all(target == ABSENT for target in pair[1].targets)]
    chosen = [(-1, *pair) for pair in _first(plain)]
    for finding in range(len(manifest.findings)):
        positive = [pair for pair in every if pair[1].targets[finding] == PRESENT]
        boxed = [pair for pair in positive if finding in pair[1].box_findings]
        chosen += [(finding, *pair) for pair in _first([*boxed[:1], *positive])]
    return [_example(folder, manifest, *choice) for choice in chosen]


def _first(pairs: Iterable[tuple[Reading, Brief]]) -> list[tuple[Reading, Brief]]:
    of_patient: dict[str, tuple[Reading, Brief]] = {}
    for pair in pairs:
        of_patient.setdefault(patients.value(pair[1].patient), pair)
        if len(of_patient) == _EXAMPLES:
            break
    return list(of_patient.values())


def _example(
    folder: str, manifest: Manifest, finding: int, reading: Reading, brief: Brief
) -> Example:
    """Reads the picture of one choice; `finding` is -1 for an image without findings."""
    path = storage.join(folder, reading.name)
    record = schema.decode(storage.read_range(path, brief.start, brief.length))
    pixels = image.decode_stored(record.image, manifest.stored_size, manifest.encoding)
    boxes = zip(record.box_findings, zip(*[iter(record.boxes)] * 4, strict=True), strict=True)
    own = [box for of, box in boxes if of == finding]
    shown = [at for at, target in enumerate(brief.targets) if target == PRESENT and at != finding]
    age = f"{brief.age} years" if brief.age >= 0 else ""
    return Example(
        finding=words(manifest.findings[finding]) if finding >= 0 else NO_FINDING,
        id=brief.id,
        caption=", ".join(filter(None, (reading.split, brief.view, brief.sex, age))),
        others=", ".join(words(manifest.findings[at]) for at in shown),
        boxes=len(own),
        pixels=_thumbnail(pixels, own),
    )


def _thumbnail(pixels: image.Pixels, boxes: Sequence[Sequence[float]]) -> Canvas:
    method = cv2.INTER_AREA if pixels.shape[0] > _SIDE else cv2.INTER_CUBIC
    small = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=method)
    canvas = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    for x, y, width, height in boxes:
        corners = [round(value * _SIDE) for value in (x, y, x + width, y + height)]
        cv2.rectangle(canvas, tuple(corners[:2]), tuple(corners[2:]), _BOX, 2, cv2.LINE_AA)
    return np.asarray(canvas, np.uint8)


def sheet(shown: Sequence[Example]) -> bytes:
    """Draws all examples on one sheet, a row for each finding.

    Returns:
        The bytes of a PNG file.
    """
    rows = [list(group) for _, group in itertools.groupby(shown, lambda one: one.finding)]
    height = _GAP + max(len(rows), 1) * (_TITLE + _SIDE + _TEXT)
    width = _GAP + _EXAMPLES * (_SIDE + _GAP)
    canvas = np.full((height, width, 3), _PAPER, np.uint8)
    for at, row in enumerate(rows):
        top = _GAP + at * (_TITLE + _SIDE + _TEXT)
        _write(canvas, row[0].finding, (_GAP, top + 22), 0.62, _INK)
        for column, one in enumerate(row):
            left, below = _GAP + column * (_SIDE + _GAP), top + _TITLE + _SIDE
            canvas[top + _TITLE : below, left : left + _SIDE] = one.pixels
            for line, text in enumerate(_lines(one)):
                _write(canvas, text, (left, below + 14 + 15 * line), 0.38, _QUIET)
    return bytes(cv2.imencode(".png", canvas)[1])


def _lines(one: Example) -> Iterator[str]:
    yield _cut(f"{one.id.rpartition('/')[2].removesuffix('.png')} {one.caption}")
    yield _cut(f"also {one.others}" if one.others else "")


def _cut(text: str) -> str:
    """Keeps what fits under a picture."""
    plain = _ascii(text)
    while cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, 0.38, 1)[0][0] > _SIDE:
        plain = plain.removesuffix("...")[:-1].rstrip(", ") + "..."
    return plain


def _write(
    canvas: Canvas, text: str, place: tuple[int, int], scale: float, colour: tuple[int, int, int]
) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(canvas, _ascii(text), place, font, scale, colour, 1, cv2.LINE_AA)


def _ascii(text: str) -> str:
    """Replaces what OpenCV has no letters for."""
    return text.encode("ascii", "replace").decode()
