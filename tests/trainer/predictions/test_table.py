# SPDX-License-Identifier: MIT
"""Predictions come back as they were written, and a bad file is refused in one clear sentence."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from preprocessing.contract.errors import DataError
from trainer.predictions.table import Predictions, fingerprint, read, write

GOOD = (
    "id,patient,split,label:Mass,label:Edema,score:Mass,score:Edema\n"
    "a.png,1,validation,0,1,0.25,0.5\n"
    "b.png,2,test,,0,0.125,1\n"
    "c.png,2,test,1,0,0,0.75\n"
)


def make(rows: int = 50, dtype: type = np.float32) -> Predictions:
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, (rows, 2)).astype(np.float32)
    labels[::7, 1] = np.nan
    return Predictions(
        ids=np.array([f"{row:08d}_000.png" for row in range(rows)]),
        patients=np.array([f"{row // 2:08d}" for row in range(rows)]),
        splits=np.array(["validation" if row < 20 else "test" for row in range(rows)]),
        labels=labels,
        scores=generator.random((rows, 2)).astype(dtype),
        findings=("Mass", "Pleural, Thickening"),
    )


@pytest.mark.parametrize("suffix", ["csv", "npz", "parquet"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_format_gives_back_what_was_written(tmp_path: Path, suffix: str, dtype: type) -> None:
    path, written = f"{tmp_path}/predictions.{suffix}", make(dtype=dtype)
    write(path, written)
    found = read(path)
    assert found.findings == written.findings and found.ignored_columns == ()
    for name in ("ids", "patients", "splits"):
        np.testing.assert_array_equal(getattr(found, name), getattr(written, name))
    np.testing.assert_array_equal(found.labels, written.labels)
    np.testing.assert_array_equal(found.scores.astype(dtype), written.scores)


@pytest.mark.parametrize("suffix", ["csv", "npz", "parquet"])
def test_the_same_predictions_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, second, again = (f"{tmp_path}/{name}.{suffix}" for name in ("one", "two", "three"))
    write(first, make())
    write(second, make())
    write(again, read(first))
    assert Path(first).read_bytes() == Path(second).read_bytes()
    if suffix == "csv":
        assert Path(first).read_bytes() == Path(again).read_bytes()
    assert fingerprint(first) == hashlib.sha256(Path(first).read_bytes()).hexdigest()


def test_select_keeps_one_split_in_order(tmp_path: Path) -> None:
    predictions = make()
    assert predictions.split_names == ("validation", "test")
    chosen = predictions.select("test")
    assert chosen.ids.tolist() == predictions.ids[20:].tolist()
    assert len(predictions.select("train").ids) == 0


def test_an_empty_label_is_unknown_and_other_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    lines = GOOD.splitlines()
    path.write_text("\n".join([lines[0] + ",view", *(line + ",PA" for line in lines[1:])]))
    found = read(str(path))
    assert np.isnan(found.labels[1, 0]) and found.ignored_columns == ("view",)
    assert found.scores[:, 0].tolist() == [0.25, 0.125, 0.0]


def test_the_file_is_its_owners_and_odd_ids_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    odd = dataclasses.replace(make(5), ids=np.array(["=1+1", "'=a", "-1", "@b", "+c"]))
    write(str(path), odd)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read(str(path)).ids.tolist() == odd.ids.tolist()


def test_labels_may_be_truths_as_pandas_writes_them_and_scores_may_not(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    text = "id,patient,split,label:Mass,score:Mass\na,1,test,True,0.5\nb,2,test,False,{}\n"
    path.write_text(text.format("0.25"))
    assert read(str(path)).labels.tolist() == [[1], [0]]
    path.write_text(text.format("True"))
    with pytest.raises(DataError, match="score:Mass: 'True' in row 2"):
        read(str(path))


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        dataclasses.replace(make(), labels=np.zeros((3, 2), np.float32))


BAD = {
    "no patient": (("patient,", "person,"), "column patient is missing"),
    "label without score": ((",score:Edema", ",skore:Edema"), "label:Edema has no column score:E"),
    "score without label": ((",label:Edema", ",truth:Edema"), "score:Edema has no column label:E"),
    "label 2": (("a.png,1,validation,0", "a.png,1,validation,2"), "label:Mass: 2 in row 1"),
    "label yes": (("validation,0,1", "validation,yes,1"), "label:Mass: 'yes' in row 1 .id 'a.png'"),
    "label nan": (("validation,0,1", "validation,nan,1"), "label:Mass: 'nan' in row 1"),
    "logit": (("0.125", "-1.5"), r"score:Mass: -1.5 in row 2 \(id 'b.png'\).*sigmoid"),
    "score above 1": (("0.125", "1.5"), "score:Mass: 1.5 in row 2"),
    "score NaN": (("0.125", "NaN"), "score:Mass: 'NaN' in row 2"),
    "score empty": (("0.125", ""), "score:Mass: an empty cell in row 2"),
    "duplicate id": (("c.png", "b.png"), r"image 'b.png' .*row 3.*1 repeated"),
    "unknown split": (("a.png,1,validation", "a.png,1,val"), "column split: 'val' in row 1"),
    "empty id": (("a.png,", ","), "column id is empty in row 1"),
    "leak": (("a.png,1,", "a.png,2,"), r"1 patient\(s\).*2 \(test and validation\)"),
    "leak by value": (("a.png,1,", "a.png,002.0,"), r"'002.0' or '2' \(test and validation\)"),
    "nobody": (
        ("a.png,1,", "a.png,NaN,"),
        r"patient: 'NaN' in row 1 \(id 'a.png'\) does not name a pat",
    ),
    "no rows": ((GOOD[GOOD.index("a.png") :], ""), "no rows"),
    "empty file": ((GOOD, ""), "the file is empty"),
    "cut off": ((",1,0,0,0.75\n", ",1,0"), r"row 3 \(id 'c.png'\) has 5 cells.* 7"),
    "column twice": (("patient,", "id,"), "column 'id' is in the header twice"),
    "no finding": ((GOOD, "id,patient,split\na,1,test\n"), "no finding is named"),
    "open quote": (("a.png", '"a.png'), "line 2: not CSV"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_csv_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    (old, new), message = BAD[case]
    assert old in GOOD
    path = tmp_path / "bad.csv"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(DataError, match=message) as caught:
        read(str(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_leak_names_three_patients(tmp_path: Path) -> None:
    rows = [
        f"{split}{number},{number},{split},1,0.5"
        for split in ("train", "test")
        for number in range(5)
    ]
    path = tmp_path / "leak.csv"
    path.write_text("\n".join(["id,patient,split,label:Mass,score:Mass", *rows]))
    with pytest.raises(DataError, match=r"5 patient\(s\).*0 \(.*, 1 \(.*, 2 \([^,]*\); put all"):
        read(str(path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.txt", b"id", "must end in .csv, .npz or .parquet"),
        ("p.csv", b"\xff\xfe\x00", "not a CSV file in UTF-8"),
        ("p.npz", b"not a zip", "not an npz file"),
        ("p.npz", b"PK\x03\x04 cut", "not an npz file"),
        ("p.parquet", b"nothing", "not a Parquet file"),
    ],
)
def test_another_format_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(str(tmp_path / name))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for call in (read, fingerprint):
        with pytest.raises(DataError, match="there is no such predictions file"):
            call(f"{tmp_path}/none.csv")


def test_npz_columns_of_other_shapes_are_refused(tmp_path: Path) -> None:
    path = f"{tmp_path}/p.npz"
    columns = {
        "id": np.array(["a", "b"]),
        "patient": np.array([1, 2]),
        "split": np.array(["test"] * 2),
    }
    np.savez(path, **columns, **{"label:Mass": np.ones(2), "score:Mass": np.ones(3)})
    with pytest.raises(DataError, match=r"column score:Mass has the shape \(3,\)"):
        read(path)
    np.savez(path, **columns, **{"label:Mass": np.ones(2), "score:Mass": np.array([0.5, np.nan])})
    with pytest.raises(DataError, match=r"score:Mass: nan in row 2 \(id 'b'\)"):
        read(path)


def test_a_missing_parquet_score_is_refused(tmp_path: Path) -> None:
    columns = {"id": ["a", "b"], "patient": ["1", "2"], "split": ["test", "test"]}
    table = pyarrow.table(columns | {"label:Mass": [1, None], "score:Mass": [0.5, None]})
    pyarrow.parquet.write_table(table, f"{tmp_path}/p.parquet")
    with pytest.raises(DataError, match="score:Mass: an empty cell in row 2"):
        read(f"{tmp_path}/p.parquet")


def test_nan_scores_are_not_written(tmp_path: Path) -> None:
    predictions = make()
    predictions.scores[4, 1] = np.nan
    with pytest.raises(DataError, match="score:Pleural, Thickening: nan in row 5"):
        write(f"{tmp_path}/p.csv", predictions)
    assert not list(tmp_path.iterdir())


ODD = ["00000013_005.png", "007", "NA", "nan", "1e5", "", "None", "-0", "1.0", "TRUE", "2020-01-01"]


@pytest.mark.parametrize("suffix", ["csv", "npz", "parquet"])
def test_a_name_never_becomes_a_number_and_is_never_missing(tmp_path: Path, suffix: str) -> None:
    path, ids = f"{tmp_path}/p.{suffix}", [name or 'a\n"b"' for name in ODD]
    patients = np.array(["007", "1e5", "P\xe4", "a,b", "c\nd", *map(str, range(6))])
    written = dataclasses.replace(make(11), ids=np.array(ids), patients=patients)
    write(path, written)
    found = read(path)
    assert found.ids.tolist() == ids and found.patients.tolist() == patients.tolist()


@pytest.mark.parametrize("suffix", ["csv", "npz", "parquet"])
def test_every_bit_of_a_score_comes_back(tmp_path: Path, suffix: str) -> None:
    path, rows = f"{tmp_path}/p.{suffix}", 20_000
    bits = np.random.default_rng(5).integers(0, 0x3FF0_0000_0000_0001, (rows, 2))
    scores = bits.view(np.float64)
    scores[:4, 0] = [5e-324, 1 - 2**-53, 0.1 + 0.2, 8.5e-2]
    written = dataclasses.replace(make(rows), scores=scores, splits=np.array(["test"] * rows))
    write(path, written)
    np.testing.assert_array_equal(read(path).scores.view(np.int64), bits)


def test_a_row_is_counted_and_not_a_line_where_cells_hold_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(GOOD.replace("a.png", '"a\n\nb"').replace("0.125", "x"))
    with pytest.raises(DataError, match=r"score:Mass: 'x' in row 2 \(id 'b.png'\)"):
        read(str(path))
    path.write_text(GOOD.replace("a.png", '"a\n\nb"') + "d,3,test,1\n")
    with pytest.raises(DataError, match=r"row 4 \(id 'd'\) has 4 cells where the header has 7"):
        read(str(path))


def test_whole_numbers_beside_a_missing_one_stay_whole_in_parquet(tmp_path: Path) -> None:
    """A rounded name would be another image's, and a missing one called nan."""
    columns = {"id": [2**53 + 1, 2**53, None], "patient": [1, 2, 3], "split": ["test"] * 3}
    columns |= {"label:Mass": [1, 0, None], "score:Mass": [0.1, 0.2, 0.3]}
    pyarrow.parquet.write_table(pyarrow.table(columns), f"{tmp_path}/p.parquet")
    with pytest.raises(DataError, match="column id is empty in row 3"):
        read(f"{tmp_path}/p.parquet")
