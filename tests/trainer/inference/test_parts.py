# SPDX-License-Identifier: MIT
"""What is finished is kept through a kill, and nothing of another command is taken for it."""

import pathlib
from typing import Any

import pandas as pd
import pytest

from preprocessing.contract.errors import DataError, UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.process.stopping import StopRequests
from trainer.inference import given
from trainer.inference.parts import Parts
from trainer.inference.rows import Row


def _row(name: str, patient: str = "p") -> Row:
    return {"id": name, "patient": patient, "split": "test", "score:Mass": 0.25}


def _stops() -> StopRequests:
    return StopRequests(lambda sentence: None)


class _Killed(BaseException):
    pass


def test_a_killed_run_goes_on(tmp_path: pathlib.Path) -> None:
    output = str(tmp_path / "out.csv")
    parts = Parts(output, {"films": 3})
    with pytest.raises(_Killed), parts.opened(_stops(), overwrite=False):
        parts.add([_row("a", "\0x"), _row("b", "\0y")], [("bad", "/bad", "damaged", "=1+1")])
        raise _Killed
    assert not (tmp_path / "out.csv").exists()
    salt = parts.salt
    (tmp_path / "out.csv.parts" / "part-000001.json.partial-0").write_text("{")
    again = Parts(output, {"films": 3})
    with again.opened(_stops(), overwrite=False):
        assert again.done == {"a", "b", "bad"} and again.salt == salt and not again.complete
        again.add([_row("c", "\0x")], [])
        again.finish({"scored": 3})
    assert pd.read_csv(output).patient.tolist() == [
        *("patient-00001", "patient-00002", "patient-00001"),
    ]
    assert "'=1+1" in (tmp_path / "out.unusable.csv").read_text()
    assert not (tmp_path / "out.csv.parts").exists()
    over = Parts(output, {"films": 3})
    with over.opened(_stops(), overwrite=False):
        assert over.complete and over.note["scored"] == 3


def test_a_corrupt_part_is_scored_again_as_the_message_says(tmp_path: pathlib.Path) -> None:
    output = str(tmp_path / "out.csv")
    parts = Parts(output, {})
    with pytest.raises(_Killed), parts.opened(_stops(), overwrite=False):
        parts.add([_row("a")], [])
        parts.add([_row("b")], [])
        raise _Killed
    part = tmp_path / "out.csv.parts" / "part-000000.json"
    part.write_text("{")
    with pytest.raises(DataError, match="move it away"), parts.opened(_stops(), overwrite=False):
        pass
    part.unlink()
    again = Parts(output, {})
    with again.opened(_stops(), overwrite=True):
        assert again.done == {"b"}
        again.add([_row("a")], [])
        again.finish({})
    assert sorted(pd.read_csv(output).id) == ["a", "b"]


def test_a_bucket_holds_films_and_output(bucket: str, on_gcs: Any) -> None:
    for name in ("a/1.png", "a/2.dcm", "a/x.txt", "b/1.png"):
        storage.write_bytes(f"{bucket}/films/{name}", name.encode())
    found = given.find([f"{bucket}/films", f"{bucket}/films/a/*.png", f"{bucket}/films/b/1.png"])
    read = {one.id: one.fetch() for one in given.films(found.places)}
    assert read == {"a/1.png": b"a/1.png", "2.dcm": b"a/2.dcm", "b/1.png": b"b/1.png"}
    assert (found.twice, found.passed_over) == (2, 1)
    output = f"{bucket}/out/made.csv"
    parts = Parts(output, {})
    with pytest.raises(_Killed), parts.opened(_stops(), overwrite=False):
        parts.add([_row("a")], [])
        raise _Killed
    again = Parts(output, {})
    with again.opened(_stops(), overwrite=False):
        assert again.done == {"a"}
        again.finish({})
    names = [storage.basename(path) for path in storage.list_files(f"{bucket}/out")]
    assert names == ["made.csv", "made.run.json"]


def test_killed_between_output_and_note_the_output_is_made_again(tmp_path: pathlib.Path) -> None:
    output = tmp_path / "out.csv"
    parts = Parts(str(output), {})
    with pytest.raises(_Killed), parts.opened(_stops(), overwrite=False):
        parts.add([_row("a")], [])
        output.write_text("half")
        raise _Killed
    again = Parts(str(output), {})
    with again.opened(_stops(), overwrite=False):
        again.finish({})
    assert pd.read_csv(output).id.tolist() == ["a"]


def test_what_another_command_has_written_stays(tmp_path: pathlib.Path) -> None:
    output = tmp_path / "out.csv"
    output.write_text("mine")
    parts = Parts(str(output), {})
    with pytest.raises(UsageError, match="--overwrite"), parts.opened(_stops(), overwrite=False):
        pass
    assert output.read_text() == "mine"
    with pytest.raises(_Killed), parts.opened(_stops(), overwrite=True):
        parts.add([_row("a")], [])
        raise _Killed
    assert output.read_text() == "mine"
    other = Parts(str(output), {"other": 1})
    with pytest.raises(UsageError, match="not finished"), other.opened(_stops(), overwrite=False):
        pass
    with other.opened(_stops(), overwrite=True):
        assert not other.done
        other.add([], [("a", "/a", "damaged", "cut")])
        other.finish({})
    # Nothing of this command: what the other had written must not look like it.
    assert not output.exists() and "damaged" in (tmp_path / "out.unusable.csv").read_text()


def _finished(output: str, *made: Row, overwrite: bool = False) -> None:
    parts = Parts(output, {"output": output, "films": [row["id"] for row in made]})
    with parts.opened(_stops(), overwrite=overwrite):
        parts.add(made, [("bad", "/bad", "damaged", "")])
        parts.finish({"file": storage.basename(output)})


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_output_leaves_the_notes_of_another_alone(
    overwrite: bool, tmp_path: pathlib.Path
) -> None:
    _finished(str(tmp_path / "out.csv"), _row("a"))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == ["out.csv", "out.run.json", "out.unusable.csv"]
    with pytest.raises(UsageError, match="out.run.json is of out.csv: give --output a name"):
        _finished(str(tmp_path / "out.parquet"), _row("a"), overwrite=overwrite)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
