# SPDX-License-Identifier: MIT
"""A report knows which files it was made from, by name and hash."""

import dataclasses
import json
import pathlib
from importlib import resources

import jsonschema
import pytest

from preprocessing.contract.errors import DataError, UsageError
from preprocessing.contract.files import storage
from trainer.predictions import metadata, table
from trainer.report import frame
from trainer.report.inputs import Inputs
from trainer.report.report import from_files

METADATA = "id,patient,sex\n00000000_000.png,00000000,F\n"


def test_hashes_name_every_file_that_counts(predictions_file: str, tmp_path: pathlib.Path) -> None:
    alone = Inputs(predictions_file)
    assert list(alone.hashes()) == ["predictions"]
    (tmp_path / metadata.NAME).write_text(METADATA)
    beside = alone.hashes()
    assert beside["metadata"] == {
        "file": metadata.NAME,
        "sha256": storage.sha256_of(str(tmp_path / metadata.NAME)),
    }
    named = tmp_path / "named.csv"
    named.write_text(METADATA.replace(",F", ",M"))
    both = Inputs(predictions_file, metadata=str(named), compare=(predictions_file,)).hashes()
    assert list(both) == ["predictions", "metadata", "compare"]
    assert both["metadata"]["file"] == "named.csv"
    assert both["compare"]["sha256"] == both["predictions"]["sha256"]


def test_a_report_on_a_mean_says_of_which_files_and_takes_nothing_of_one_model(
    predictions_file: str, tmp_path: pathlib.Path
) -> None:
    both = []
    for run, power in (("1", 1), ("2", 2)):
        folder = tmp_path / "runs" / run
        folder.mkdir(parents=True)
        rows = table.read(predictions_file)
        both.append(f"{folder}/p.csv")
        table.write(both[-1], dataclasses.replace(rows, scores=rows.scores**power))
        for name in (metadata.NAME, "gallery.npz", "localisation.npz"):
            (folder / name).write_text(METADATA)
    mean = ",".join(both)
    inputs = Inputs(mean, compare=(mean,))
    report = from_files(inputs, output=str(tmp_path / "out"), context={}, resamples=2)
    files = report["request"]["files"]
    assert list(files) == ["predictions", "compare", "metadata"]
    assert files["predictions"] == files["compare"]
    each = [
        {"file": f"{run}/p.csv", "sha256": storage.sha256_of(both[at])}
        for at, run in enumerate("12")
    ]
    assert files["predictions"]["mean_of"] == report["predictions"]["mean_of"] == each
    assert files["predictions"]["file"] == "mean of 2 files"
    [said] = [line for line in frame.cautions(report) if "mean of those of 2 files" in line]
    assert f"1/p.csv (SHA-256 {each[0]['sha256'][:12]}...)" in said
    assert said in (tmp_path / "out/report/report.html").read_text()
    assert report["comparison"]["other"] == "mean of 2 files"
    assert all(not report[name]["available"] for name in ("gallery", "localisation"))
    schema = json.loads(
        resources.files("trainer.report").joinpath("templates/report.schema.json").read_text()
    )
    jsonschema.Draft202012Validator(schema).validate(report)
    # Another content of one file is another report.
    table.write(both[1], rows)
    again = from_files(inputs, output=str(tmp_path / "out"), context={}, resamples=2)
    assert again["predictions"]["sha256"] != report["predictions"]["sha256"]


def test_models_of_equal_names_are_told_apart_and_the_same_one_is_refused(
    predictions_file: str, tmp_path: pathlib.Path
) -> None:
    rows = table.read(predictions_file)
    paths = []
    for power in (2, 3, 4, 2):
        paths.append(f"{tmp_path}/{len(paths)}/p.csv")
        pathlib.Path(paths[-1]).parent.mkdir()
        table.write(paths[-1], dataclasses.replace(rows, scores=rows.scores**power))
    several = Inputs(predictions_file, compare=(paths[0], paths[1]))
    files = several.hashes()
    assert files["compare"] == {"file": "0/p.csv", "sha256": storage.sha256_of(paths[0])}
    assert [one["file"] for one in files["compare_further"]] == ["1/p.csv"]
    assert list(several.source(context={}, resamples=2, seed=0).compared) == ["0/p.csv", "1/p.csv"]
    means = Inputs(predictions_file, compare=(f"{paths[0]},{paths[1]}", f"{paths[0]},{paths[2]}"))
    assert list(means.source(context={}, resamples=2, seed=0).compared) == [
        *("mean of 0/p.csv, 1/p.csv", "mean of 0/p.csv, 2/p.csv")
    ]
    with pytest.raises(UsageError, match=f"--compare={paths[3]} and --compare={paths[0]} are the"):
        Inputs(predictions_file, compare=(paths[0], paths[1], paths[3])).hashes()
    with pytest.raises(UsageError, match="are the same predictions"):
        Inputs(predictions_file, compare=(",".join(paths[:2]), f"{paths[1]},{paths[3]}")).hashes()


@pytest.mark.parametrize("name", ["metadata", "compare", "radiologists"])
def test_a_file_that_is_not_there_is_named_with_its_flag(
    predictions_file: str, tmp_path: pathlib.Path, name: str
) -> None:
    path = f"{tmp_path}/none.csv"
    inputs = Inputs(predictions_file, **{name: (path,) if name == "compare" else path})
    with pytest.raises(DataError, match=f"none.csv: there is no such file for --{name}"):
        inputs.hashes()


def test_metadata_beside_the_predictions_are_read_unless_others_are_named(
    predictions_file: str, tmp_path: pathlib.Path
) -> None:
    inputs = Inputs(predictions_file)
    assert inputs.source(context={}, resamples=2, seed=0).metadata is None
    (tmp_path / metadata.NAME).write_text(METADATA)
    found = inputs.source(context={}, resamples=2, seed=0).metadata
    assert found is not None and found.sex.tolist() == ["F"]
    named = tmp_path / "named.csv"
    named.write_text(METADATA.replace(",F", ",M"))
    found = Inputs(predictions_file, str(named)).source(context={}, resamples=2, seed=0).metadata
    assert found is not None and found.sex.tolist() == ["M"]


def test_a_report_is_made_again_when_a_file_beside_changes(
    predictions_file: str, tmp_path: pathlib.Path
) -> None:
    def made() -> dict[str, str]:
        report = from_files(Inputs(predictions_file), output=str(tmp_path), context={}, resamples=2)
        files: dict[str, str] = report["request"]["files"]
        return files

    assert list(made()) == ["predictions"]
    (tmp_path / metadata.NAME).write_text(METADATA)
    first = made()
    assert "metadata" in first and made() == first
    (tmp_path / metadata.NAME).write_text(METADATA.replace(",F", ",M"))
    assert made() != first
