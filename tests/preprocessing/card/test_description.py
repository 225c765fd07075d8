# SPDX-License-Identifier: MIT
"""The card's numbers are those of the label file; its files are there, and are the same twice."""

import json
import os
import pathlib
import shutil

import cv2
import numpy as np
import pytest

from preprocessing import card, task
from preprocessing.card.document import percent
from preprocessing.contract.errors import DataError, UsageError
from preprocessing.contract.tables import Table

SPLITS = ["train", "validation", "test"]


@pytest.fixture(scope="module")
def described(finished, tmp_path_factory: pytest.TempPathFactory) -> card.Card:
    return card.describe(str(finished.folder), str(tmp_path_factory.mktemp("out")))


def _table(described: card.Card, title: str, start: str) -> Table:
    (section,) = [one for one in described.sections if one.title == title]
    (table,) = [one for one in section.tables if one.caption.startswith(start)]
    return table


def _cells(shown, table: Table) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in shown(table)}


def _labelled(finished):  # type: ignore[no-untyped-def]
    """The label file with one column a finding, 1 where an image shows it."""
    table = finished.labels()
    named = table["Finding Labels"].str.split("|")
    for name in finished.manifest.findings:
        table[name] = named.map(lambda found, name=name: int(name in found))
    return table


def test_prevalences_and_patients_are_those_of_the_label_file(finished, described, shown) -> None:
    table = _labelled(finished)
    shares = _cells(shown, _table(described, "Findings", "Prevalence"))
    counts = _cells(shown, _table(described, "Findings", "Images with each finding"))
    assert len(shares) == len(counts) == 14
    for name in finished.manifest.findings:
        words = name.replace("_", " ")
        for at, split in enumerate(SPLITS):
            own = table[table["split"] == split]
            positive = own[own[name] == 1]
            assert shares[words][at] == percent(len(positive), len(own))
            assert counts[words][at] == f"{len(positive)} / {positive['Patient ID'].nunique()}"


def test_splits_are_those_of_the_label_file(finished, described, shown) -> None:
    table = _labelled(finished)
    facts = _cells(shown, _table(described, "Splits", "No patient"))
    for at, split in enumerate(SPLITS):
        own = table[table["split"] == split]
        series = own["Patient ID"].value_counts()
        labels = own[finished.manifest.findings].sum(axis=1)
        expected = {
            "images": f"{len(own):,}",
            "patients": f"{len(series):,}",
            "images a patient, mean": f"{series.mean():.2f}",
            "images a patient, median": f"{series.median():g}",
            "images a patient, most": f"{series.max():,}",
            "findings an image, mean": f"{labels.mean():.2f}",
            "images without finding": percent(
                (own["Finding Labels"] == "No Finding").sum(), len(own)
            ),
            "median age, years": f"{own['Patient Age'].median():g}",
        }
        assert {name: cells[at] for name, cells in facts.items()} == expected


@pytest.mark.parametrize(
    ("start", "column"), [("View", "View Position"), ("Sex", "Patient Gender")]
)
def test_views_and_sexes_are_those_of_the_label_file(
    finished, described, start: str, column: str, shown
) -> None:
    table = finished.labels()
    cells = _cells(shown, _table(described, "Patients and pictures", start))
    assert set(cells) == set(table[column])
    for value, told in cells.items():
        for at, split in enumerate(SPLITS):
            own = table[table["split"] == split]
            assert told[at] == percent((own[column] == value).sum(), len(own))


def test_findings_together_are_those_of_the_label_file(finished, described, shown) -> None:
    table = _labelled(finished)[finished.manifest.findings].to_numpy()
    both = table.T @ table
    rows = shown(_table(described, "Findings together", "Of 100"))
    for at, row in enumerate(rows):
        for other, cell in enumerate(row[1:]):
            share = (
                f"{both[at, at]:,}"
                if at == other
                else f"{100 * both[at, other] / both[at, at]:.0f}"
            )
            assert cell == share


def test_boxes_are_those_of_the_box_file(finished, described, shown) -> None:
    lines = (finished.source / "BBox_List_2017.csv").read_text().splitlines()[1:]
    names = [line.split(",")[1].replace("Infiltrate", "Infiltration") for line in lines]
    cells = _cells(shown, _table(described, "Boxes", "Boxes"))
    assert {name: row[0] for name, row in cells.items()} == {
        name: str(names.count(name)) for name in names
    }


def test_ratios_beyond_one_and_a_half_are_marked(described, shown) -> None:
    for row in shown(_table(described, "How test differs from train", "Test")):
        assert "_" not in row[0]
        if row[3] != "not defined":
            ratio = float(row[3].removeprefix("* "))
            if not 0.66 < ratio < 0.67 and not 1.49 < ratio < 1.51:
                assert row[3].startswith("*") == (ratio < 2 / 3 or ratio > 1.5)


def test_the_files_are_written_and_are_the_same_twice(finished, described, tmp_path) -> None:
    names = ["dataset_card.md", "dataset_card.html", "contact_sheet.png"]
    assert [pathlib.Path(path).name for path in described.paths] == names
    again = card.describe(str(finished.folder), str(tmp_path / "new" / "folder"))
    for one, other in zip(described.paths, again.paths, strict=True):
        assert pathlib.Path(one).read_bytes() == pathlib.Path(other).read_bytes()
    sheet = cv2.imread(described.paths[2])
    assert sheet.shape[0] > 15 * 224 and sheet.shape[1] > 4 * 224
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == sorted(names)


def test_the_card_may_lie_in_the_data_set_itself(finished, tmp_path, capsys) -> None:
    shutil.copytree(finished.folder, tmp_path / "data")
    folder = str(tmp_path / "data")
    assert task.main(["cxr14-preprocess", "describe", folder]) == 0
    printed = capsys.readouterr().out
    assert "Data set card: 120 drawn pictures of a phantom, 14 findings" in printed
    assert f"written: {folder}/contact_sheet.png" in printed
    assert task.main(["cxr14-preprocess", "verify", folder]) == 0


def test_no_data_set_and_a_damaged_one_are_refused(finished, tmp_path) -> None:
    with pytest.raises(DataError, match="holds no manifest.json"):
        card.describe(str(tmp_path))
    shutil.copytree(finished.folder, tmp_path / "data")
    shard = sorted((tmp_path / "data").glob("train-*"))[0]
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DataError, match=f"is damaged .{shard.name} .*: cxr14-preprocess verify"):
        card.describe(str(tmp_path / "data"), str(tmp_path / "out"))
    assert not list((tmp_path / "out").iterdir())


def test_a_folder_that_cannot_be_written_is_refused(finished, tmp_path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(UsageError, match="the card cannot be written into .*--output=DIR"):
        card.describe(str(finished.folder), str(tmp_path / "file"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(finished, tmp_path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        card.describe(str(finished.folder), str(tmp_path))


def test_a_part_of_the_official_data_is_not_called_comparable(finished, tmp_path) -> None:
    shutil.copytree(finished.folder, tmp_path / "data")
    path = tmp_path / "data" / "manifest.json"
    values = json.loads(path.read_text()) | {"official_split": True}
    values["counters"]["images_missing"] = 5
    path.write_text(json.dumps(values))
    text = card.describe(str(tmp_path / "data"), str(tmp_path / "out")).text()
    assert "5 of the listed images are not here: figures on this part must not be" in text
    assert "may be compared" not in text


@pytest.mark.slow
def test_the_real_radiographs_are_described(nih: pathlib.Path, tmp_path) -> None:
    arguments = [
        f"--images={nih / 'images'}",
        f"--labels={nih / 'Data_Entry_2017_v2020.csv'}",
        f"--train_val_list={nih / 'train_val_list.txt'}",
        f"--test_list={nih / 'test_list.txt'}",
        f"--boxes={nih / 'BBox_List_2017.csv'}",
        f"--output={tmp_path / 'data'}",
        "--allow_missing",
    ]
    assert task.main(["cxr14-preprocess", *arguments]) == 0
    made = card.describe(str(tmp_path / "data"))
    (examples,) = [one.examples for one in made.sections if one.examples]
    assert len({example.finding for example in examples}) == 15
    assert all(np.ptp(example.pixels) > 100 for example in examples)
