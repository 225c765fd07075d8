# SPDX-License-Identifier: MIT
"""What an export says of itself, and what is said of a folder that is none."""

import json
import pathlib
import shutil
from typing import Any

import pytest

from preprocessing.contract.errors import DataError
from trainer.serving import facts


@pytest.mark.slow
def test_the_folder_of_a_run_and_of_its_export_say_the_same(finished_run: Any) -> None:
    found = facts.read(f"{finished_run.output}/saved_model/")
    assert found == facts.read(finished_run.output)
    assert found.findings == ("Mass", "Nodule", "Edema") == tuple(found.thresholds)
    assert (found.stored_size, found.image_size) == (40, 32)
    assert found.rules == ("youden", "max_f1", "sensitivity_90", "specificity_90")
    assert set(found.calibration) == set(found.findings) == set(found.prevalence)
    assert found.step > 0 and len(found.identity) == 64


@pytest.mark.slow
def test_thresholds_and_calibration_are_those_of_the_report(finished_run: Any) -> None:
    report = json.loads(pathlib.Path(f"{finished_run.output}/report/report.json").read_text())
    found = facts.read(finished_run.output)
    for name, entry in report["operating_points"]["findings"].items():
        chosen = {rule: given["threshold"] for rule, given in entry["rules"].items()}
        assert found.thresholds[name] == chosen
    assert found.calibration == report["calibration"]["recalibration"]["export"]


def test_a_folder_without_an_export_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match="holds no SavedModel of cxr14-train that is whole"):
        facts.read(str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("content", ["{", "[]", "\udc80"])
def test_a_corrupt_file_is_named(finished_run: Any, tmp_path: pathlib.Path, content: str) -> None:
    extra = tmp_path / "assets.extra"
    shutil.copytree(f"{finished_run.output}/saved_model/assets.extra", extra)
    (extra / "thresholds.json").write_text(content, errors="surrogateescape")
    with pytest.raises(DataError, match="thresholds.json is corrupt"):
        facts.read(str(tmp_path))


@pytest.mark.slow
def test_content_tells_exports_of_one_run_apart_but_not_copies(
    finished_run: Any, tmp_path: pathlib.Path
) -> None:
    first = facts.read(finished_run.output)
    shutil.copytree(first.folder, tmp_path, dirs_exist_ok=True)
    assert facts.read(str(tmp_path)).content == first.content
    for name in ("thresholds.json", "calibration.json", "golden.json"):
        path = tmp_path / "assets.extra" / name
        path.write_text(path.read_text() + " ")
        changed = facts.read(str(tmp_path))
        assert changed.identity == first.identity and changed.content != first.content


def _mass(value: Any) -> str:
    return json.dumps(dict.fromkeys(("Mass", "Nodule", "Edema"), value))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("export.json", '{"step": "x"}', "is corrupt"),
        ("thresholds.json", _mass(3), "is corrupt"),
        ("thresholds.json", '{"Mass": {"youden": 0.5}}', "files of several exports"),
        ("calibration.json", '{"Mass": {}}', "files of several exports"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    name: str, content: str, sentence: str, finished_run: Any, tmp_path: pathlib.Path
) -> None:
    extra = tmp_path / "assets.extra"
    shutil.copytree(f"{finished_run.output}/saved_model/assets.extra", extra)
    (extra / name).write_text(content)
    with pytest.raises(DataError, match=sentence):
        facts.read(str(tmp_path))
