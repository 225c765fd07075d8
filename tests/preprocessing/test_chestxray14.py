# SPDX-License-Identifier: MIT
"""The job on 98 original radiographs with the complete label files, against pandas' own count."""

import pathlib

import cv2
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from preprocessing import task
from preprocessing.contract import manifest, schema
from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS

_SIZE = 128


def _argv(nih: pathlib.Path, output: pathlib.Path, *more: str) -> list[str]:
    return [
        "cxr14-preprocess",
        "--source=nih",
        f"--images={nih / 'images'}",
        f"--labels={nih / 'Data_Entry_2017_v2020.csv'}",
        f"--train_val_list={nih / 'train_val_list.txt'}",
        f"--test_list={nih / 'test_list.txt'}",
        f"--boxes={nih / 'BBox_List_2017.csv'}",
        f"--output={output}",
        f"--config.stored_size={_SIZE}",
        "--direct_running_mode=in_memory",
        *more,
    ]


@pytest.fixture(scope="module")
def output(nih: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The data set made of the images that are there."""
    folder = tmp_path_factory.mktemp("chestxray14")
    assert task.main(_argv(nih, folder, "--allow_missing")) == 0
    return folder


@pytest.fixture(scope="module")
def table(nih: pathlib.Path) -> pd.DataFrame:
    """The label file as pandas reads it, for the images that are there."""
    table = pd.read_csv(nih / "Data_Entry_2017_v2020.csv")
    # The header's brackets hold commas, so the columns have shifted names only behind these three.
    table = table[["Image Index", "Finding Labels", "Patient ID"]]
    table = table[table["Image Index"].isin({path.name for path in (nih / "images").iterdir()})]
    return table


def _records(output: pathlib.Path) -> dict[str, dict[str, tf.Tensor]]:
    files = [str(path) for path in output.glob("*.tfrecord")]
    parsed = [schema.parse(record, findings=14) for record in tf.data.TFRecordDataset(files)]
    return {record["id"].numpy().decode(): record for record in parsed}


def _ids(output: pathlib.Path, split: manifest.Split) -> set[str]:
    files = [str(output / shard.name) for shard in split.shards]
    parsed = [schema.parse(record, findings=14) for record in tf.data.TFRecordDataset(files)]
    return {record["id"].numpy().decode() for record in parsed}


def test_all_98_are_written_and_the_absent_ones_counted(output: pathlib.Path) -> None:
    made = manifest.read(str(output))
    expected = {
        "rows_in_index": 112_120,
        "images_found": 98,
        "images_missing": 112_022,
        "boxes": made.counters["boxes"],
        "boxes_without_image": 984 - made.counters["boxes"],
        "records_written": 98,
    }
    assert {name: count for name, count in made.counters.items() if count} == expected
    assert made.official_split
    assert not (output / "rejected.csv").exists()


def test_counts_per_finding_and_split_are_those_of_pandas(
    nih: pathlib.Path, output: pathlib.Path, table: pd.DataFrame
) -> None:
    made = manifest.read(str(output))
    tests = set((nih / "test_list.txt").read_text().split())
    for name, split in made.splits.items():
        part = table[table["Image Index"].isin(_ids(output, split))]
        assert set(part["Image Index"].isin(tests)) == {name == "test"}
        named = part["Finding Labels"].str.split("|")
        expected = {
            finding: int(named.apply(lambda names, f=finding: f in names).sum())
            for finding in CHESTXRAY14_FINDINGS
        }
        assert split.positives == expected
        assert split.examples == len(part) > 0
        assert split.patients == part["Patient ID"].nunique()
    assert made.splits["test"].examples == 26


def test_every_record_has_the_labels_and_patient_of_its_line(
    output: pathlib.Path, table: pd.DataFrame
) -> None:
    records = _records(output)
    assert set(records) == set(table["Image Index"])
    for name, text, patient in table.itertuples(index=False):
        present = [
            finding
            for finding, target in zip(CHESTXRAY14_FINDINGS, records[name]["targets"], strict=True)
            if target == 1
        ]
        assert set(present) == set(text.split("|")) - {"No Finding"}
        assert records[name]["patient"] == str(patient)


def test_the_rgba_originals_are_their_first_channel(
    nih: pathlib.Path, output: pathlib.Path
) -> None:
    records, rgba = _records(output), 0
    for path in sorted((nih / "images").iterdir()):
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if pixels.ndim == 3:
            rgba += 1
            assert pixels.shape == (1024, 1024, 4)
            pixels = pixels[..., 0]
        # The mean over 8 x 8 pixels; OpenCV may round a half to either side.
        means = pixels.reshape(_SIZE, 8, _SIZE, 8).mean(axis=(1, 3))
        stored = tf.io.decode_png(records[path.name]["image"].numpy())[..., 0].numpy()
        assert np.abs(stored - means).max() <= 0.5
    assert rgba == 6


def test_boxes_of_the_present_images_are_those_of_the_box_file(
    nih: pathlib.Path, output: pathlib.Path
) -> None:
    boxes = pd.read_csv(nih / "BBox_List_2017.csv", header=0, usecols=range(6))
    boxes.columns = ["name", "finding", "x", "y", "w", "h"]
    records = _records(output)
    boxes = boxes[boxes["name"].isin(records)]
    assert len(boxes) == manifest.read(str(output)).counters["boxes"] > 0
    for name, group in boxes.groupby("name"):
        findings = group["finding"].replace("Infiltrate", "Infiltration")
        expected = [CHESTXRAY14_FINDINGS.index(finding) for finding in findings]
        assert records[name]["box_findings"].numpy().tolist() == expected
        shares = group[["x", "y", "w", "h"]].to_numpy().ravel() / 1024
        np.testing.assert_allclose(records[name]["boxes"], shares, rtol=1e-6)


def test_without_allow_missing_the_job_is_refused(
    nih: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert task.main(_argv(nih, tmp_path / "out")) == 65
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cxr14-preprocess: 112022 of 112120 images of ")
    assert "--allow_missing" in line
    assert not (tmp_path / "out").exists()
