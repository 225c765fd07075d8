# SPDX-License-Identifier: MIT
"""Public data sets are read by one command each, from exactly the files as they are downloaded."""

import pathlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from preprocessing import index, locate, task
from preprocessing.contract import manifest, schema
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage, tfrecord
from preprocessing.contract.invocation import flags
from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from preprocessing.contract.pictures import image
from preprocessing.index import Index
from preprocessing.splits import assignment
from tests.preprocessing import public_sets

_SEVEN = (
    *("Atelectasis", "Cardiomegaly", "Effusion", "Pneumonia", "Pneumothorax", "Consolidation"),
    "Edema",
)
# `public_sets.SAYS` in these names: nothing, effusion, atelectasis, heart, consolidation, air.
_TARGETS = (
    (0, 0, 0, 0, 0, 0, 0),
    (0, 0, 1, 0, 0, 0, -1),
    (1, 0, 0, 0, 0, 0, 0),
    (0, 1, 0, 0, 0, 0, 0),
    (0, 0, 0, -1, 0, 1, 0),
    (0, 0, 0, 0, 1, 0, 0),
)
_UNKNOWN = (-1,) * 7


def _read(folder: pathlib.Path, make: Callable[[pathlib.Path], list[str]]) -> Index:
    """Reads the text of a data set and finds the picture of every row."""
    inputs, config, left = flags.parse(make(folder))
    config.validate()
    assert not left
    read = index.read(inputs, config)
    found = locate.look(read, inputs)
    assert found.files.keys() == {row.id for row in read.rows}
    split_of, _ = assignment.assign(
        read.rows, how=read.how, lists=read.lists, column=read.column, config=config
    )
    assignment.group(read.rows, split_of)  # none is empty
    assignment.check_patients(read.rows, split_of)
    findings = CHESTXRAY14_FINDINGS if make is public_sets.padchest else _SEVEN
    assert config.findings == list(findings)
    return read


def test_chexpert_is_tested_on_its_radiologists_labels(tmp_path: pathlib.Path) -> None:
    read = _read(tmp_path, public_sets.chexpert)
    patients = [*range(1, 13), 64541, 64542]
    assert [row.patient for row in read.rows] == [f"{patient:05d}" for patient in patients]
    expected = [*(_TARGETS[patient % 6] for patient in range(1, 13)), *[(0,) * 7] * 2]
    assert [row.targets for row in read.rows] == expected
    assert list(read.column.values()) == [*["train"] * 12, *["test"] * 2]
    assert {row.view for row in read.rows} == {"AP"}
    assert (read.rows[0].sex, read.rows[0].age) == ("M", 41)
    assert (read.counters["rows_in_index"], read.counters["rows_left_out"]) == (14, 14)
    assert read.identity["sources"].keys() == {"labels", "labels_2"}


def test_chexpert_plus_is_joined_with_its_json_lines(tmp_path: pathlib.Path) -> None:
    read = _read(tmp_path, public_sets.chexpert_plus)
    assert [row.targets for row in read.rows] == [
        *(_TARGETS[patient % 6] for patient in range(1, 12)),
        _UNKNOWN,
    ]
    assert read.rows[0].id == "train/patient00001/study1/view1_frontal.png"
    assert (read.rows[0].patient, read.rows[0].age) == ("patient00001", 51)
    assert {row.view for row in read.rows} == {"PA"}
    assert read.how == assignment.RANDOM
    assert read.counters["rows_without_partner"] == 1
    (warning,) = read.warnings
    assert warning == (
        "train/patient00012/study1/view1_frontal.png",
        "impression_fixed.json has no line for it: what it would say is unknown",
    )


def test_padchests_lists_are_read_in_our_names(tmp_path: pathlib.Path) -> None:
    read = _read(tmp_path, public_sets.padchest)
    present = [
        {name for name, is_ in zip(CHESTXRAY14_FINDINGS, row.targets, strict=True) if is_ == 1}
        for row in read.rows
    ]
    assert present == [
        set(),
        {"Effusion", "Cardiomegaly"},
        {"Effusion", "Pneumothorax"},
        {"Atelectasis"},
        {"Consolidation", "Infiltration", "Pneumonia"},
        {"Nodule", "Mass"},
        {"Edema", "Emphysema"},
        {"Fibrosis", "Pleural_Thickening", "Hernia"},
        set(),
        set(),
    ]
    # Unchanged, to be excluded, and without a list: what is not named is unknown.
    assert [-1 in row.targets for row in read.rows] == [False] * 3 + [True] + [False] * 4 + [
        True,
        True,
    ]
    assert [row.view for row in read.rows[:4]] == ["PA", "AP", "AP", "PA"]
    assert [(row.age, row.sex) for row in read.rows[:2]] == [(84, "F"), (83, "M")]
    assert read.counters["labels_not_wanted"] == 4  # two devices, two others by their names
    assert (read.counters["rows_left_out"], read.rows[3].patient) == (1, "83683")


def test_brax_is_read_without_its_laterals(tmp_path: pathlib.Path) -> None:
    read = _read(tmp_path, public_sets.brax)
    assert [row.targets for row in read.rows] == list(_TARGETS) * 2
    assert [row.sex for row in read.rows[:3]] == ["M", "F", ""]
    assert [row.age for row in read.rows[:4]] == [0, 5, 10, 85]
    assert [text for _, text in read.warnings] == [
        "column 'PatientAge' is '85 or more': taken as 85"
    ]
    assert read.counters["rows_left_out"] == 6


@pytest.fixture(scope="module")
def mimic(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """MIMIC-CXR's phantom and the data set that one command makes of it."""
    folder = tmp_path_factory.mktemp("mimic")
    assert task.main([*public_sets.mimic_cxr(folder), "--config.stored_size=32"]) == 0
    return folder


def _records(output: pathlib.Path) -> dict[str, schema.Record]:
    shards = sorted(output.glob("*.tfrecord"))
    data = [one for path in shards for one in tfrecord.read(storage.read_bytes(str(path)))]
    return {record.id: record for record in map(schema.decode, data)}


def test_mimic_cxr_is_made_of_three_packed_files(mimic: pathlib.Path) -> None:
    made = manifest.read(str(mimic / "out"))
    assert made.findings == list(_SEVEN) and made.split_method == assignment.COLUMN
    assert {name: split.examples for name, split in made.splits.items()} == {
        "train": 6,
        "validation": 3,
        "test": 3,
    }
    assert made.counters["rows_in_index"] == made.counters["rows_left_out"] == 12
    assert made.counters["rows_without_partner"] == made.counters["images_with_warnings"] == 1
    assert made.sources.keys() == {"labels", "labels_2", "labels_3"}
    assert made.splits["test"].known["Effusion"] == 2  # one film of three has no labels
    warning = (mimic / "out" / "warnings.csv").read_text().splitlines()[1]
    assert "mimic-cxr-2.0.0-chexpert.csv.gz has no line for it" in warning


def test_each_record_of_mimic_cxr_has_its_labels_and_its_picture(mimic: pathlib.Path) -> None:
    records = _records(mimic / "out")
    assert len(records) == 12
    for number in range(12):
        name = f"02aa804e-bde0afdd-112c0b34-7bc16630-{number:04x}0002"
        record = records[name]
        assert tuple(record.targets) == (_TARGETS[number % 6] if number < 11 else _UNKNOWN)
        assert (record.patient, record.view) == (str(10000032 + number), "PA")
        assert (record.width, record.height) == (40, 48)
        original = cv2.imread(str(next(mimic.rglob(f"{name}.jpg"))), cv2.IMREAD_GRAYSCALE)
        stored = cv2.imdecode(np.frombuffer(record.image, np.uint8), cv2.IMREAD_UNCHANGED)
        assert original is not None and stored is not None
        padded = np.pad(original, ((0, 0), (4, 4)))
        expected = cv2.resize(padded, (32, 32), interpolation=cv2.INTER_AREA)
        assert np.abs(stored.astype(int) - expected).max() <= 1


def test_a_file_that_is_not_given_is_asked_for(mimic: pathlib.Path) -> None:
    argv = public_sets.command("mimic_cxr", mimic)
    inputs, config, _ = flags.parse([one.rpartition(",")[0] or one for one in argv])
    with pytest.raises(DataError, match="'Atelectasis': give --labels also the file that has it"):
        index.read(inputs, config)


def test_padchests_sixteen_bits_are_read_on_their_full_scale(tmp_path: pathlib.Path) -> None:
    public_sets.padchest(tmp_path)
    path = next(tmp_path.rglob("*.png"))
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored is not None and stored.dtype == np.uint16
    original = image.read(path.read_bytes())
    np.testing.assert_array_equal(original.pixels, (stored.astype(int) + 128) // 257)
    assert not original.warnings
    assert cv2.imwrite(str(path), stored >> 4)
    (warning,) = image.read(path.read_bytes()).warnings
    assert warning.startswith("the PNG has 16 bits, of which the top 4 are never used")
