# SPDX-License-Identifier: MIT
"""Everything that is text is read before any picture, and mistakes in it are found there."""

import dataclasses
import json
import pathlib

import pytest

from preprocessing import index
from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation.config import Config, Table
from preprocessing.contract.invocation.flags import Inputs
from preprocessing.splits import assignment


def test_the_index_holds_rows_lists_and_what_it_was_made_from(tree) -> None:
    read = index.read(tree.inputs(), Config())
    assert [row.id for row in read.rows] == tree.names
    assert {name: len(names) for name, names in read.lists.items()} == {
        "train_val": 28,
        "test": 12,
    }
    assert read.how == assignment.CARVED
    assert read.identity["sources"]["labels"] == storage.sha256_of(str(tree.labels))
    assert read.identity["parameters"]["source"] == "nih"


@pytest.fixture
def films(tmp_path: pathlib.Path) -> Inputs:
    """A hospital's label file and a key."""
    (tmp_path / "labels.csv").write_text("image,patient,Edema\na.dcm,DOE^JANE,1\nb.dcm,ROE,0\n")
    (tmp_path / "key").write_text("correct horse battery\n")
    return Inputs(
        source="dicom",
        images=str(tmp_path),
        labels=str(tmp_path / "labels.csv"),
        output=str(tmp_path / "out"),
        pseudonym_key_file=str(tmp_path / "key"),
    )


_FILMS = Config(findings=["Edema"], table=Table(patient_column="patient"))


def test_pseudonyms_depend_on_the_key_and_tell_nothing(
    films: Inputs, tmp_path: pathlib.Path
) -> None:
    read = index.read(films, _FILMS)
    pseudonym = read.pseudonym("DOE^JANE")
    assert len(pseudonym) == 16
    assert [row.patient for row in read.rows] == [pseudonym, read.pseudonym("ROE")]
    assert "DOE" not in pseudonym
    assert read.pseudonym("DOE^JANE") == pseudonym != read.pseudonym("ROE")
    (tmp_path / "key").write_text("another key\n")
    again = index.read(films, _FILMS)
    assert again.pseudonym("DOE^JANE") != pseudonym
    changed = index.differences(read.identity, again.identity)
    assert [line.partition(":")[0] for line in changed] == ["sources.pseudonym_key"]
    assert "correct horse" not in repr(read)


def test_dicom_asks_for_a_key_and_others_refuse_one(films: Inputs, tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match="--source=dicom needs --pseudonym_key_file"):
        index.read(dataclasses.replace(films, pseudonym_key_file=""), _FILMS)
    with pytest.raises(UsageError, match="/no/such does not exist; `head -c 32"):
        index.read(dataclasses.replace(films, pseudonym_key_file="/no/such"), _FILMS)
    with pytest.raises(UsageError, match="cannot be read"):
        index.read(dataclasses.replace(films, pseudonym_key_file=str(tmp_path)), _FILMS)
    with pytest.raises(UsageError, match="is for --source=dicom"):
        index.read(dataclasses.replace(films, source="csv"), _FILMS)
    (tmp_path / "key").write_text("short")
    with pytest.raises(UsageError, match="holds 5 bytes: use 8 or more"):
        index.read(films, _FILMS)


def test_csv_asks_for_the_patients(films: Inputs) -> None:
    inputs = dataclasses.replace(films, source="csv", pseudonym_key_file="")
    with pytest.raises(UsageError, match="needs to know the patients"):
        index.read(inputs, Config(findings=["Edema"]))
    assert [row.patient for row in index.read(inputs, _FILMS).rows] == ["DOE^JANE", "ROE"]


def test_a_setting_that_is_gone_or_new_is_a_difference() -> None:
    old, new = {"parameters": {"a": 1, "b": {"c": 2}}}, {"parameters": {"b": {"c": 2, "d": []}}}
    assert index.differences(old, new) == [
        "parameters.a: 1, now nothing",
        "parameters.b.d: nothing, now []",
    ]
    assert index.differences(new, new) == []


def test_spellings_of_a_patient_get_one_pseudonym_and_nobody_gets_none(films: Inputs) -> None:
    read = index.read(films, _FILMS)
    same = {read.pseudonym(name) for name in ("13", "0013", "13.0", " 13\xa0", "13\0")}
    assert len(same) == 1 and read.pseudonym("14") not in same
    assert {read.pseudonym(name) for name in ("", " ", "nan", "None")} == {""}


@pytest.mark.parametrize(
    ("images", "labels"), [("p", "x/l.csv"), ("p/images_001", "x/l.csv"), ("y", "p/l.csv")]
)
def test_a_phantom_is_known_by_its_notes_beside_images_or_labels(
    tmp_path: pathlib.Path, images: str, labels: str
) -> None:
    for name in ("p/images_001", "x", "y"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / labels).write_text("image,patient,Edema\na.png,1,1\n")
    inputs = Inputs(
        source="csv", images=str(tmp_path / images), labels=str(tmp_path / labels), output="out"
    )
    config = Config(findings=["Edema"], table=Table(patient_column="patient"))
    for content in (None, "[]", '{"parameters": 1}', "{"):
        if content is not None:
            (tmp_path / "p" / "phantom.json").write_text(content)
        assert index.read(inputs, config).phantom == ""
    made = {"parameters": {"images": 9, "seed": 3}, "sha256": None, "counts": None}
    (tmp_path / "p" / "phantom.json").write_text(json.dumps(made))
    said = "drawn by cxr14-preprocess phantom (images 9, seed 3)"
    assert index.read(inputs, config).phantom == said


def test_a_setting_newer_than_a_data_set_counts_once_it_is_used(films: Inputs) -> None:
    def parameters(**table: str) -> dict[str, object]:
        config = dataclasses.replace(_FILMS, table=dataclasses.replace(_FILMS.table, **table))
        return index.read(films, config).identity["parameters"]["table"]

    assert not parameters().keys() & {"rows", "keys", "names", "image_suffix", "split_pattern"}
    assert parameters(rows="any") == parameters() | {"rows": "any"}
    assert "rows_combined" not in index.read(films, _FILMS).counters
