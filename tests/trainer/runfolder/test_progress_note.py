# SPDX-License-Identifier: MIT
"""What anybody is told of a run by its folder, whatever lies there."""

import json
import pathlib
from typing import Any

import pytest

from trainer.monitoring.eta import Plan
from trainer.monitoring.outlook import Outlook
from trainer.runfolder import progress_note

THEN = 1_800_000_000.0


def written(folder: pathlib.Path, **changes: Any) -> str:
    outlook = Outlook(Plan(steps=100, per_epoch=10), str(folder), "all")
    outlook.begin(30, 0.71234)
    (folder / "progress.json").write_text(json.dumps(outlook.note(THEN) | changes))
    return str(folder)


@pytest.mark.parametrize(
    ("changes", "later", "said"),
    [
        ({}, 20, "running in training, step 30 of 100, epoch 4 of 10, best validation mean AUC "
         "0.7123; written 20 s ago"),
        ({}, 2400, "0.7123; written 40 min ago: it may be gone, or hang"),
        ({"state": "done", "stage": ""}, 9000, "0.7123; written 2 h 30 min ago"),
        ({"images_per_second": 142.71, "seconds_left": 4000, "expected_end": "T"}, -5,
         "142.7 images/s, 1 h 6 min left, until T; written 0 s ago"),
    ],
)  # fmt: skip
def test_what_was_written_is_said_with_its_age(
    tmp_path: pathlib.Path, changes: dict[str, Any], later: float, said: str
) -> None:
    line = progress_note.described(written(tmp_path, **changes), THEN + later)
    assert line.endswith(said)
    assert "\n" not in line


def test_what_is_absent_or_not_understood_is_said(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "progress.json"
    assert progress_note.described(str(tmp_path), THEN) == f"not known, as there is no {path} (yet)"
    written(tmp_path, written=7)
    for text in (path.read_text(), '{"state": "running"}', '{"written": "soon"}'):
        path.write_text(text)
        said = progress_note.described(str(tmp_path), THEN)
        assert said == f"not known, as {path} is not what this version writes"
    nowhere = progress_note.described("gs:///nowhere", THEN)
    assert nowhere.startswith("not known, as gs:///nowhere/progress.json ")
