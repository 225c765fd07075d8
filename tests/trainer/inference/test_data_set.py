# SPDX-License-Identifier: MIT
"""A model of one data set is tested on another in one command, findings matched by their names."""

import dataclasses
import json
import pathlib
import shutil
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from preprocessing import task as preprocessing_task
from preprocessing.contract import manifest
from preprocessing.contract.errors import DataError
from preprocessing.contract.pictures import image
from trainer.inference import data_set, film_labels, given, task
from trainer.serving import facts

# As in train.csv of CheXpert-v1.0-small.
_CHEXPERT = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,"
    "Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,"
    "Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
_PATIENTS = 30
_ALL = ("--data_split=train", "--data_split=validation", "--data_split=test")


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_films_of_a_data_set_are_the_stored_pictures(encoding: str, request: Any) -> None:
    data = request.getfixturevalue({"png": "data_set", "raw": "raw_data_set"}[encoding])
    splits = ("validation", "test")
    found = given.find([data.folder], splits=splits)
    names = data_set.metadata(data.folder, splits)[1].ids.tolist()
    films = {one.id: image.decode(one.fetch()) for one in given.films(found.places)}
    assert list(films) == names and len(names) == 20
    for name, pixels in films.items():
        np.testing.assert_array_equal(pixels, data.pixels[name])


@pytest.fixture(scope="module")
def chexpert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A data set made of a CheXpert in miniature, whose film names all repeat."""
    folder = tmp_path_factory.mktemp("chexpert")
    draw, lines = np.random.default_rng(3), [_CHEXPERT]
    for patient in range(_PATIENTS):
        view = 1 + (patient == 7)  # one name is unique, and all the same not the film's id
        name = f"CheXpert-v1.0-small/train/patient{patient:05d}/study1/view{view}_frontal.jpg"
        (folder / name).parent.mkdir(parents=True)
        assert cv2.imwrite(str(folder / name), draw.integers(0, 256, (44, 50)).astype(np.uint8))
        edema = ("1.0", "0.0", "-1.0", "")[patient % 4]
        lines.append(f"{name},Female,{20 + patient},Frontal,AP,,,,,,{edema},,,,1.0,,,,")
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    argv = [
        *("cxr14-preprocess", "--source=csv", f"--images={folder / 'CheXpert-v1.0-small'}"),
        *(f"--labels={folder / 'train.csv'}", f"--output={folder / 'shards'}"),
        *("--config=preset:chexpert", "--config.stored_size=40"),
    ]
    assert preprocessing_task.main(argv) == 0
    return str(folder / "shards")


def test_one_command_tests_a_model_on_another_data_set(
    finished_run: Any, chexpert: str, tmp_path: pathlib.Path, capsys: Any
) -> None:
    argv = [
        *("cxr14-predict", f"--model={finished_run.output}", chexpert, f"--labels={chexpert}"),
        *(f"--output={tmp_path / 'films.csv'}", *_ALL),
    ]
    assert task.main(argv) == 0
    report = json.loads((tmp_path / "films_report" / "report" / "report.json").read_text())
    assert [*report["splits"]["test"]["findings"]] == ["Edema"]
    context = report["context"]["external_test"]
    assert context["findings of the model without labels"] == "Mass, Nodule"
    assert "Pneumothorax" in context["columns of the labels that were not used"]
    shared = "none by the names of films; patients could not be compared"
    assert context["overlap with what the model was made with"].startswith(shared)
    assert context["data set of the test"] == manifest.read(chexpert).identity
    assert f"made with, as far as names tell: {shared}" in report["notes"][0]["text"]
    assert context["films of another data set"] == "yes" and report["external"]["available"]
    assert "phantom" not in {note["topic"] for note in report["notes"]}
    assert context["films without labels"] == context["labels without a scored film"] == "0"
    said = capsys.readouterr().out
    assert "findings of the model without labels: Mass, Nodule" in said
    assert "columns of the labels that were not used: Atelectasis, Cardiomegaly" in said
    _, known = data_set.metadata(chexpert, ["train", "validation", "test"])
    made = pd.read_csv(tmp_path / "films_report" / "predictions.csv", dtype={"patient": str})
    joined = made.set_index("id").loc[known.ids]
    np.testing.assert_array_equal(joined["patient"], known.patients)
    np.testing.assert_array_equal(
        joined["label:Edema"].to_numpy(np.float32), known.labels[:, known.findings.index("Edema")]
    )
    assert report["subgroups"]["available"]
    assert task.main([*argv, "--require=splits.test.findings.*.auc>1"]) == 3
    assert "splits.test.findings.Edema.auc is " in capsys.readouterr().err


def test_the_report_of_a_phantom_says_so(
    finished_run: Any, data_set: Any, tmp_path: pathlib.Path
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data_set.folder, copy)
    made = dataclasses.replace(manifest.read(data_set.folder), phantom="drawn by a test")
    manifest.write(str(copy), made)
    argv = [f"--model={finished_run.output}", str(copy), f"--labels={copy}"]
    assert task.main(["cxr14-predict", *argv, f"--output={tmp_path / 'films.csv'}"]) == 0
    report = json.loads((tmp_path / "films_report" / "report" / "report.json").read_text())
    (said,) = [note["text"] for note in report["notes"] if note["topic"] == "phantom"]
    assert "a phantom's, drawn by a test" in said
    text = (tmp_path / "films_report" / "report" / "report.md").read_text()
    assert "| films or patients that it was made with | none |" in text


def test_a_data_set_that_does_not_fit_the_model_is_refused(
    finished_run: Any, data_set: Any, chexpert: str, tmp_path: pathlib.Path, capsys: Any
) -> None:
    model = dataclasses.replace(facts.read(finished_run.output), findings=("Hernia",))
    with pytest.raises(DataError, match="shares no finding with the model: it has Enlarged"):
        film_labels.read(chexpert, model)
    text = (pathlib.Path(data_set.folder) / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(text.replace('"stored_size": 40', '"stored_size": 256'))
    argv = ["cxr14-predict", f"--model={finished_run.output}", str(tmp_path), "--output=x.csv"]
    assert task.main(argv) == 65
    assert "preprocess that data again with --config.stored_size=40" in capsys.readouterr().err
