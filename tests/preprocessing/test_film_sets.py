# SPDX-License-Identifier: MIT
"""VinDr-CXR, RSNA's challenge and Kaggle's sample are read from exactly the files that they are.

Where headers and tags are from:
- VinDr-CXR: physionet.org/content/vindr-cxr, and users' scripts that name the columns. Its files
  keep no tag of part, view or modality.
- RSNA: kaggle.com/c/rsna-pneumonia-detection-challenge; tags as notebooks print them; mappings as
  github.com/microsoft/InnerEye-DeepLearning reads them.
- Kaggle's sample: kaggle.com/datasets/nih-chest-xrays/sample.
"""

import json
import pathlib
import re
import uuid

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate

from preprocessing import index, locate
from preprocessing.contract import radiographs
from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation import flags
from preprocessing.contract.radiographs import Recipe
from preprocessing.splits import assignment
from tests.preprocessing import public_sets

_VINDR = (
    *("Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture"),
    *("Consolidation", "Edema", "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity"),
    *("Lung cavity", "Lung cyst", "Mediastinal shift", "Nodule/Mass", "Pleural effusion"),
    *("Pleural thickening", "Pneumothorax", "Pulmonary fibrosis", "Rib fracture", "Other lesion"),
    *("COPD", "Lung tumor", "Pneumonia", "Tuberculosis"),
)
_SAMPLE = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImageWidth,OriginalImageHeight,OriginalImagePixelSpacing_x,OriginalImagePixelSpacing_y"
)
_CAPTURE, _DX = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.1.1"
_JPEG, _EXPLICIT = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1"


def _film(path: pathlib.Path, syntax: str, sop_class: str, **tags: object) -> None:
    pixels = np.random.default_rng(len(path.name)).integers(0, 255, (48, 40)).astype(np.uint8)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = syntax, sop_class
    meta.MediaStorageSOPInstanceUID = "1.2.3.4567890"
    film = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    common = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": 48}
    with pydicom.config.disable_value_validation():  # RSNA's ages are no valid ones
        for keyword, value in (common | {"Columns": 40, "PixelRepresentation": 0} | tags).items():
            setattr(film, keyword, value)
    if syntax == _JPEG:
        film.BitsAllocated, film.BitsStored, film.HighBit = 8, 8, 7
        film.PixelData = encapsulate([cv2.imencode(".jpg", pixels)[1].tobytes()])
    else:
        film.BitsAllocated, film.BitsStored, film.HighBit = 16, 12, 11
        film.PixelData = (pixels.astype(np.uint16) * 16).tobytes()
    film["PixelData"].VR = "OB" if syntax == _JPEG else "OW"
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, film, enforce_file_format=True)


def _read(*argv: str) -> tuple[index.Index, dict[str, radiographs.Picture]]:
    """Reads the text of a data set and, where it is of DICOM files, each film."""
    inputs, config, left = flags.parse(argv)
    config.validate()
    assert not left
    read = index.read(inputs, config)
    found = locate.look(read, inputs)
    recipe = Recipe(32, "png", words=config.words)
    if inputs.source == "nih":
        assert found.files.keys() == {row.id for row in read.rows}
        return read, {}
    paths = {name: pathlib.Path(path) for name, path in found.files.items()}
    assert {row.id for row in read.rows} <= {path.stem for path in paths.values()}
    return read, {
        path.stem: radiographs.from_dicom(path.read_bytes(), name, recipe)
        for name, path in paths.items()
    }


def _vindr(folder: pathlib.Path, split: str, other: str, says: dict[str, list[set[str]]]) -> None:
    """Writes the films of a split, and of each what its readers say."""
    readers = split == "train"
    lines = [",".join(["image_id", *["rad_id"] * readers, *_VINDR, other, "No finding"])]
    for name, rows in says.items():
        tags = {"PatientSex": "M", "PatientAge": "061Y", "RescaleIntercept": 0, "RescaleSlope": 1}
        _film(folder / split / f"{name}.dicom", _EXPLICIT, _DX, **tags)
        for at, present in enumerate(rows):
            marks = [str(int(finding in present)) for finding in _VINDR]
            lines.append(
                ",".join([name, *[f"R{at}"] * readers, *marks, "1", str(int(not present))])
            )
    path = folder / "annotations" / f"image_labels_{split}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def test_vindr_cxr_is_what_two_of_three_radiologists_say(tmp_path: pathlib.Path) -> None:
    effusion, both = {"Pleural effusion"}, {"Pleural effusion", "Nodule/Mass"}
    train = {"50a418190bc3fb1ef1633bf9678929b3": [effusion, both, set()]}
    train["21a10246a5ec7af151081d0cd6d65dc9"] = [set(), set(), {"Edema"}]
    _vindr(tmp_path, "train", "Other diseases", train)
    _vindr(tmp_path, "test", "Other disease", {"9a5094b2563a1ef3ff50dc5c7ff71345": [both]})

    def present(split: str, *more: str) -> list[set[str]]:
        argv = public_sets.command("vindr_cxr", tmp_path)
        read, films = _read(*(re.sub(r"\btrain\b|(?<=_)train", split, one) for one in argv), *more)
        assert {film.view for film in films.values()} == {"PA"}
        assert {(film.sex, film.age) for film in films.values()} == {("M", 61)}
        assert len({row.patient for row in read.rows}) == len(read.rows) == len(films)
        findings = read.identity["parameters"]["findings"]
        return [
            {name for name, target in zip(findings, row.targets, strict=True) if target == 1}
            for row in read.rows
        ]

    assert present("train") == [{"Effusion"}, set()]
    assert present("train", "--config.table.rows=any") == [{"Effusion", "Nodule/Mass"}, {"Edema"}]
    assert present("test") == [{"Effusion", "Nodule/Mass"}]


def test_rsnas_films_have_nihs_patients_and_its_test_split(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(5)
    # One whose hexadecimal digits make words, as a part of a name would be.
    names = ["0004cfab-14fd-4e49-80ba-63a80b6bddd6"]
    names += [str(uuid.UUID(bytes=draw.bytes(16), version=4)) for _ in range(5)]
    lines, mappings = ["patientId,x,y,width,height,Target"], []
    for at, name in enumerate(names):
        patient = 1 + at // 2
        boxes = ["264.0,152.0,213.0,379.0,1", "562.0,152.0,256.0,453.0,1"]
        lines += [f"{name},{box}" for box in (boxes if at % 2 else [",,,,0"])]
        film = {"subset_img_id": name, "img_id": f"{patient:08d}_{at:03d}.png"}
        mappings.append(film | {"SOPInstanceUID": f"1.{at}", "orig_labels": ["No Finding"]})
        tags = {"SOPClassUID": _CAPTURE, "Modality": "CR", "ConversionType": "WSD"}
        tags |= {"SeriesDescription": "view: AP", "PatientName": name, "PatientID": name}
        tags |= {"PatientSex": "F", "PatientAge": "51", "BodyPartExamined": "CHEST"}
        tags |= {"ViewPosition": "AP", "StudyDate": "19010101"}
        _film(tmp_path / "stage_2_train_images" / f"{name}.dcm", _JPEG, _CAPTURE, **tags)
    (tmp_path / "stage_2_train_labels.csv").write_text("\n".join(lines) + "\n")
    maps = tmp_path / "pneumonia-challenge-dataset-mappings_2018.json"
    maps.write_text(json.dumps(mappings))
    (tmp_path / "test_list.txt").write_text("00000003_004.png\n00000003_005.png\n")
    # What the settings' comment says is run as it stands.
    text = (public_sets.CONFIGS / "rsna_pneumonia.yaml").read_text()
    program = text.partition("<<'END'\n")[2].partition("#   END")[0]
    exec("".join(line.removeprefix("#   ") for line in program.splitlines(keepends=True)), {})
    read, films = _read(*public_sets.command("rsna_pneumonia", tmp_path))
    assert [row.targets for row in read.rows] == [(0,), (1,)] * 3
    assert [row.id for row in read.rows] == names and films.keys() == {*names}
    assert [read.column[name] for name in names] == [*["train"] * 4, *["test"] * 2]
    patients = [row.patient for row in read.rows]
    assert patients[::2] == patients[1::2] and len({*patients}) == 3
    assert read.counters["rows_combined"] == 3
    assert {(film.view, film.sex, film.age) for film in films.values()} == {("AP", "F", 51)}


def test_kaggles_sample_is_divided_by_patient(tmp_path: pathlib.Path) -> None:
    lines = [_SAMPLE]
    for at in range(20):
        name = f"{1 + at // 2:08d}_{at:03d}.png"
        label = ("No Finding", "Emphysema|Infiltration|Pleural_Thickening|Pneumothorax")[at % 2]
        lines.append(f"{name},{label},{at:03d},{1 + at // 2:08d},060Y,M,PA,2682,2749,0.143,0.143")
        for copy in ("sample/images", "sample/sample/images"):
            (tmp_path / copy).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(at).integers(0, 255, (20, 20)).astype(np.uint8)
            assert cv2.imwrite(str(tmp_path / copy / name), pixels)
    (tmp_path / "sample_labels.csv").write_text("\n".join(lines) + "\n")
    argv = public_sets.command("nih_sample", tmp_path)
    read, _ = _read(*argv)
    assert read.how == assignment.RANDOM and len(read.rows) == 20
    row = read.rows[1]
    assert (row.patient, row.age, row.sex, row.width) == ("00000001", 60, "M", 2682)
    assert sum(target == 1 for target in row.targets) == 4
    with pytest.raises(DataError, match=r"lies in two places, .*: keep one"):
        _read(*(one.removesuffix("/images") for one in argv))
