# SPDX-License-Identifier: MIT
"""The golden pair proves a copy of the model, and what is not that model is named."""

import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from preprocessing.contract.pictures import image
from trainer.serving import golden

pytestmark = pytest.mark.slow


@pytest.fixture
def copied(finished_run: Any, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(
        shutil.copytree(f"{finished_run.output}/saved_model", tmp_path / "elsewhere")
    )


def test_a_copy_is_replayed_by_a_process_of_its_own(copied: Any, fresh_python: Any) -> None:
    done = fresh_python("-m", "trainer.task", "--mode=verify_export", f"--output={copied}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("golden pair: largest difference ")
    assert done.stdout.count("\n") == 1


def test_the_folder_of_a_run_will_do_and_the_picture_is_a_film(finished_run: Any) -> None:
    assert str(finished_run.output) in golden.verify(finished_run.output)
    extra = pathlib.Path(finished_run.output) / "saved_model/assets.extra"
    pixels = image.decode((extra / "golden.png").read_bytes())
    assert pixels.shape == (80, 80)
    image.check_original(pixels)
    assert np.ptp(pixels) > 100
    note = json.loads((extra / "golden.json").read_text())
    assert {*note} == {"tensorflow", "findings", "scores", "probabilities", "flags"}
    assert np.array(note["flags"]).shape == (3, 4)


@pytest.mark.parametrize("name", ["scores", "probabilities"])
def test_a_model_that_answers_otherwise_is_refused(copied: pathlib.Path, name: str) -> None:
    path = copied / "assets.extra/golden.json"
    note = json.loads(path.read_text())
    note[name][1] += 3 * golden.BOUND
    path.write_text(json.dumps(note))
    with pytest.raises(
        DataError, match="does not answer as it did .* scores differ by up to (3|2.9|3.1)e-05"
    ):
        golden.verify(str(copied))
    note[name][1] = float("nan")
    path.write_text(json.dumps(note))
    with pytest.raises(DataError, match="differ by up to nan"):
        golden.verify(str(copied))


def test_flags_are_compared_but_at_a_threshold(copied: pathlib.Path) -> None:
    path, limits = (copied / "assets.extra" / name for name in ("golden.json", "thresholds.json"))
    note, thresholds = json.loads(path.read_text()), json.loads(limits.read_text())
    note["flags"][2][0] = 1 - note["flags"][2][0]
    path.write_text(json.dumps(note))
    with pytest.raises(DataError, match="picture flags differ, and scores differ by up to"):
        golden.verify(str(copied))
    thresholds["Edema"]["youden"] = note["scores"][2]
    limits.write_text(json.dumps(thresholds))
    assert golden.verify(str(copied))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("golden.png", None, "golden.png is missing: copy the SavedModel again"),
        ("golden.json", None, "golden.json is missing: copy the SavedModel again"),
        ("golden.png", b"\x89PNG", "is corrupt"),
        ("golden.json", b"[]", "is corrupt"),
        ("golden.json", b'{"tensorflow": "2", "scores": [0.5]}', "is of another model"),
    ],
)
def test_a_pair_that_is_not_whole_is_named(
    copied: pathlib.Path, name: str, content: bytes | None, words: str
) -> None:
    path = copied / "assets.extra" / name
    path.unlink()
    if content:
        path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        golden.verify(str(copied))


def test_weights_that_are_cut_short_are_named(copied: pathlib.Path) -> None:
    path = copied / "variables/variables.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match="cannot be loaded .* copy it again or export again"):
        golden.verify(str(copied))
