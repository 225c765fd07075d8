# SPDX-License-Identifier: MIT
"""The examples show what they are said to show, and are chosen without anybody's eye."""

import collections

import cv2
import numpy as np

from preprocessing.card import contact_sheet
from preprocessing.contract import schema
from preprocessing.contract.files import tfrecord

AMBER = (32, 176, 255)


def _records(finished) -> dict[str, schema.Record]:  # type: ignore[no-untyped-def]
    paths = finished.folder.glob("*.tfrecord")
    every = (schema.decode(data) for path in paths for data in tfrecord.read(path.read_bytes()))
    return {record.id: record for record in every}


def test_each_finding_has_examples_of_other_patients_that_show_it(finished) -> None:
    findings, records = finished.manifest.findings, _records(finished)
    shown = contact_sheet.examples(str(finished.folder), finished.manifest, finished.readings())
    groups = collections.defaultdict(list)
    for example in shown:
        groups[example.finding].append(records[example.id])
    assert list(groups) == ["No finding", *(name.replace("_", " ") for name in findings)]
    assert not any(1 in record.targets for record in groups["No finding"])
    for at, name in enumerate(findings):
        own = groups[name.replace("_", " ")]
        assert all(record.targets[at] == 1 for record in own)
        patients = {r.patient for r in records.values() if r.targets[at] == 1}
        assert len({record.patient for record in own}) == len(own) == min(4, len(patients))


def test_the_order_of_reading_does_not_matter(finished) -> None:
    folder, manifest = str(finished.folder), finished.manifest
    one = contact_sheet.examples(folder, manifest, finished.readings())
    other = contact_sheet.examples(folder, manifest, finished.readings()[::-1])
    assert [example.id for example in one] == [example.id for example in other]


def test_boxes_are_drawn_where_they_are(finished) -> None:
    records, names = _records(finished), finished.manifest.findings
    shown = contact_sheet.examples(str(finished.folder), finished.manifest, finished.readings())
    boxed = [example for example in shown if example.boxes]
    assert boxed
    for example in shown:
        amber = (np.abs(example.pixels.astype(int) - AMBER) < 40).all(axis=2)
        assert amber.any() == bool(example.boxes)
    for example in boxed:
        record = records[example.id]
        at = names.index(example.finding.replace(" ", "_"))
        box = record.box_findings.index(at)
        x, y, width, height = (value * 224 for value in record.boxes[4 * box : 4 * box + 4])
        amber = (np.abs(example.pixels.astype(int) - AMBER) < 40).all(axis=2)
        row, column = int(min(y + height / 2, 223)), int(min(max(x, 0), 223))
        assert amber[row, max(column - 2, 0) : column + 3].any()
        assert f"with {example.boxes} box" in example.alternative


def test_a_finding_with_a_box_shows_it_first(finished) -> None:
    shown = contact_sheet.examples(str(finished.folder), finished.manifest, finished.readings())
    names = finished.manifest.findings
    with_boxes = {names[f] for record in _records(finished).values() for f in record.box_findings}
    assert with_boxes
    for name in with_boxes:
        first = next(one for one in shown if one.finding == name.replace("_", " "))
        assert first.boxes


def test_long_and_foreign_captions_stay_in_their_column() -> None:
    example = contact_sheet.Example(
        finding="Überbeinknötchen",
        id="a/very/long/path/" + "x" * 200,
        caption="train, PA, F, 50 years",
        others="",
        boxes=0,
        pixels=np.zeros((224, 224, 3), np.uint8),
    )
    sheet = cv2.imdecode(np.frombuffer(contact_sheet.sheet([example]), np.uint8), 1)
    assert (sheet[:, 12 + 224 + 2 :] == 250).all()
    assert (sheet[-30:, 12 : 12 + 224] < 200).any()
