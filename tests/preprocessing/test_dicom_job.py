# SPDX-License-Identifier: MIT
"""A folder of films becomes a data set in which no patient can be recognized."""

import pathlib

import cv2
import numpy as np
import pytest

from preprocessing import task
from preprocessing.contract import image, manifest, schema, storage, tfrecord

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
    assert "no_patient" in (tmp_path / "out" / "rejected.csv").read_text()
    assert all(len(record.patient) == 16 for record in records.values())
    assert len({record.patient for record in records.values()}) < len(records)
