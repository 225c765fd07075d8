# SPDX-License-Identifier: MIT
"""A folder of films becomes a data set in which no patient can be recognized."""

import os
import pathlib

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from preprocessing import task
from preprocessing.contract import manifest, schema
from preprocessing.contract.files import storage, tfrecord
from preprocessing.contract.pictures import image

_SETTINGS = """
findings: [Edema, Mass]
stored_size: 256
encoding: raw
max_rejected_fraction: 0.7
validation_fraction: 0.3
test_fraction: 0.3
table: {image_column: film, patient_column: who}
"""


@pytest.fixture
def films(nih: pathlib.Path) -> pathlib.Path:
    """The folder of sample DICOM files."""
    folder = nih.parent / "dicom"
    if not folder.is_dir():
        pytest.skip("no sample DICOM files beside ChestX-ray14's")
    return folder


def _argv(films: pathlib.Path, folder: pathlib.Path, *more: str) -> list[str]:
    names = sorted(path.stem for path in films.glob("*.dcm"))
    lines = [f"{name},SECRET^NAME{n},{n % 2},-1" for n, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["film,who,Edema,Mass", *lines]) + "\n")
    (folder / "settings.yaml").write_text(_SETTINGS)
    (folder / "key").write_text("a key of our own")
    return [
        *("cxr14-preprocess", "--source=dicom", f"--images={films}"),
        *(f"--labels={folder / 'labels.csv'}", f"--config={folder / 'settings.yaml'}"),
        *(f"--pseudonym_key_file={folder / 'key'}", f"--output={folder / 'out'}"),
        *more,
    ]


def _records(output: pathlib.Path) -> dict[str, schema.Record]:
    found = {}
    for path in sorted(output.glob("*.tfrecord")):
        for serialized in tfrecord.read(storage.read_bytes(str(path))):
            record = schema.decode(serialized)
            found[record.id] = record
    return found


def test_chest_films_are_stored_and_the_rest_is_told(
    films: pathlib.Path, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert task.main(_argv(films, tmp_path)) == 0
    printed = capfd.readouterr()
    output = tmp_path / "out"
    made = manifest.read(str(output))
    assert made.counters["records_written"] == made.counters["images_rejected"] == 6
    assert made.counters["rejected_not_chest"] == 4
    assert made.split_method == "random by patient"
    records = _records(output)
    own = cv2.imread(str(films / "00000061_002.png"), cv2.IMREAD_GRAYSCALE)
    stored = image.decode_stored(records["test3"].image, 256, "raw")
    np.testing.assert_array_equal(stored, image.resize(own, 256))
    assert (records["test3"].width, records["test3"].height) == own.shape[::-1]
    assert records["test3"].view == "AP"
    assert records["test3"].targets[1] == -1
    shared = [
        line
        for line in (output / "warnings.csv").read_text().splitlines()
        if " is that of 2 " in line
    ]
    assert [line.partition(",")[0] for line in shared] == ["test1", "test5"]
    whole = b"".join(path.read_bytes() for path in output.iterdir())
    assert b"SECRET" not in whole
    assert "SECRET" not in printed.out + printed.err


def test_the_patients_of_the_tags_are_pseudonyms_too(
    films: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    argv = _argv(films, tmp_path)
    settings = (tmp_path / "settings.yaml").read_text().replace(", patient_column: who", "")
    (tmp_path / "settings.yaml").write_text(settings)
    assert task.main(argv) == 0
    records = _records(tmp_path / "out")
    # One film names no patient, and two are of one.
    assert "CR-MONO1-10-chest" not in records
    origin = films / "CR-MONO1-10-chest.dcm"
    rejected = (tmp_path / "out" / "rejected.csv").read_text().splitlines()
    assert [line for line in rejected if ",no_patient," in line][0].endswith(f",{origin}")
    assert all(len(record.patient) == 16 for record in records.values())
    assert len({record.patient for record in records.values()}) < len(records)


def _film(path: pathlib.Path, body_part: str) -> None:
    film, film.file_meta = Dataset(), FileMetaDataset()
    film.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    film.SOPClassUID, film.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3"
    film.Modality, film.BodyPartExamined, film.ViewPosition = "CR", body_part, "PA"
    film.PatientID, film.PatientOrientation = path.stem, ["L", "F"]
    film.Rows = film.Columns = 32
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.BitsAllocated = film.BitsStored = 8
    film.HighBit, film.PixelRepresentation = 7, 0
    film.PixelData = np.random.default_rng(len(path.stem)).bytes(32 * 32)
    film.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        (range(9), "none of the 9 images that were found can be used (9 not_chest; first"),
        (range(2, 9, 3), "split test is empty: "),
    ],
    ids=["all", "a split"],
)
def test_when_nothing_is_left_the_refused_films_are_listed_first(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], refused: range, sentence: str
) -> None:
    folder = tmp_path / os.fsdecode(b"radiograf\xedas")
    folder.mkdir()
    for n in range(9):
        _film(folder / f"{n}.dcm", "SKULL" if n in refused else "CHEST")
    argv = _argv(folder, tmp_path, "--config.split=column", "--config.table.split_column=split")
    lines = [f"{n},p{n},{('train', 'validation', 'test')[n % 3]},1,0" for n in range(9)]
    text = "\n".join(["film,who,split,Edema,Mass", *lines])
    (tmp_path / "labels.csv").write_text(text)
    assert task.main(argv) == 65
    *_, said = capsys.readouterr().err.splitlines()
    assert sentence in said
    assert "rejected.csv" in said
    table = (tmp_path / "out" / "rejected.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in table[1:]] == ["not_chest"] * len(refused)
    assert table[1].endswith(f"radiograf\\xedas/{refused[0]}.dcm")
