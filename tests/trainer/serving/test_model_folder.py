# SPDX-License-Identifier: MIT
"""The SavedModel lies in AIP_MODEL_DIR too, whole, and a start that was killed is completed."""

import pathlib
from typing import Any

import pytest

from preprocessing.contract.files import storage
from trainer.serving import model_folder

FILES = {
    "saved_model.pb": b"graph",
    "fingerprint.pb": b"print",
    "variables/variables.index": b"index",
    "assets.extra/export.json": b"{1}",
}


@pytest.fixture
def exported(tmp_path: pathlib.Path) -> str:
    for name, data in FILES.items():
        storage.write_bytes(f"{tmp_path}/run/saved_model/{name}", data)
    return f"{tmp_path}/run/saved_model"


def _found(folder: str) -> dict[str, bytes]:
    paths = storage.list_files(folder)
    return {path[len(folder) + 1 :]: storage.read_bytes(path) for path in paths}


def test_all_of_it_is_copied_once(exported: str, tmp_path: pathlib.Path) -> None:
    environ = {"AIP_MODEL_DIR": f"{tmp_path}/model/"}
    assert model_folder.fill(exported, environ) == f"{tmp_path}/model"
    assert _found(f"{tmp_path}/model") == FILES
    before = (tmp_path / "model" / "saved_model.pb").stat().st_mtime_ns
    assert model_folder.fill(exported, environ) == f"{tmp_path}/model"
    assert (tmp_path / "model" / "saved_model.pb").stat().st_mtime_ns == before


def test_a_copy_that_was_killed_is_completed(
    exported: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"AIP_MODEL_DIR": f"{tmp_path}/model"}
    model_folder.fill(exported, environ)
    for name in FILES:
        storage.write_bytes(f"{exported}/{name}", FILES[name] + b"2")
    genuine, left = storage.write_bytes, [1, 1]

    def write(path: str, data: bytes) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        genuine(path, data)

    monkeypatch.setattr(storage, "write_bytes", write)
    with pytest.raises(KeyboardInterrupt):
        model_folder.fill(exported, environ)
    # Neither the old graph with new variables, nor a note that says it is whole.
    assert not set(_found(f"{tmp_path}/model")) & {"saved_model.pb", "assets.extra/export.json"}
    monkeypatch.undo()
    model_folder.fill(exported, environ)
    assert _found(f"{tmp_path}/model") == {name: data + b"2" for name, data in FILES.items()}


@pytest.mark.parametrize("same", ["", "/"])
def test_its_own_folder_is_left_alone(exported: str, same: str) -> None:
    assert model_folder.fill(exported, {}) == ""
    assert model_folder.fill(exported, {"AIP_MODEL_DIR": f"{exported}{same}"}) == ""
    assert _found(exported) == FILES


def test_a_bucket_is_filled(exported: str, on_gcs: Any, bucket: str) -> None:
    model_folder.fill(exported, {"AIP_MODEL_DIR": f"{bucket}/model/"})
    assert on_gcs.objects(f"{bucket}/model") == FILES
