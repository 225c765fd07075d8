# SPDX-License-Identifier: MIT
"""What is finished is kept through a kill, and nothing of another command is taken for it."""

import pathlib

import pandas as pd
import pytest

from preprocessing.contract.errors import UsageError
from preprocessing.contract.process.stopping import StopRequests
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
    other = Parts(str(output), {"other": 1})
    with pytest.raises(UsageError, match="not finished"), other.opened(_stops(), overwrite=False):
        pass
    with other.opened(_stops(), overwrite=True):
        assert not other.done
