# SPDX-License-Identifier: MIT
"""Folds hold every record once and every patient in one fold, and are there whole or not at all."""

import collections
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from cxr14_small_backbone import used

from preprocessing.contract import schema
from preprocessing.contract.errors import ConfigError, DataError, UsageError
from preprocessing.contract.files import storage, tfrecord
from trainer import task
from trainer.data import dataset, integrity
from trainer.experiments import folds
from trainer.predictions import table
from trainer.runfolder import notes

COUNT = 3


@pytest.fixture
def folder(data_set: Any, tmp_path: pathlib.Path) -> str:
    return folds.make(data_set.folder, data_set.manifest, str(tmp_path / "out"), COUNT)


def test_every_record_is_in_one_fold_and_every_patient_too(data_set: Any, folder: str) -> None:
    whole = folds.manifest_of(folder, 0)
    found = collections.Counter[bytes]()
    fold_of: dict[str, set[str]] = {}
    for shard in whole.shards:
        for serialized in tfrecord.read(storage.read_bytes(storage.join(folder, shard.name))):
            found[serialized] += 1
            name = shard.name.rpartition("-")[0]
            fold_of.setdefault(schema.decode(serialized).patient, set()).add(name)
    before = collections.Counter[bytes]()
    for shard in data_set.manifest.shards:
        before.update(tfrecord.read(storage.read_bytes(f"{data_set.folder}/{shard.name}")))
    assert found == before
    assert all(len(names) == 1 for names in fold_of.values())
    # The test split stays what it was.
    assert {name for name, of in fold_of.items() if of == {"test"}} == {
        "test-0",
        "test-1",
        "test-2",
    }


def test_the_manifest_of_each_fold_is_true(data_set: Any, folder: str) -> None:
    left: list[str] = []
    for fold in range(COUNT):
        manifest = folds.manifest_of(folder, fold)
        integrity.check_shards(folder, manifest)
        integrity.check_contents(folder, manifest, process=0, processes=1)
        truths = {name: dataset.read_truth(folder, manifest, name) for name in manifest.splits}
        assert not set(truths["train"].patients) & set(truths["validation"].patients)
        for name, split in manifest.splits.items():
            truth = truths[name]
            assert split.patients == len(set(truth.patients))
            for at, finding in enumerate(manifest.findings):
                column = truth.targets[:, at]
                known = int((column != -1).sum())
                assert (split.positives[finding], split.known[finding]) == (
                    int((column == 1).sum()),
                    known,
                )
                assert split.prevalence[finding] == split.positives[finding] / known
        left += truths["validation"].ids.tolist()
    sizes = {name: split.examples for name, split in data_set.manifest.splits.items()}
    assert len(left) == len(set(left)) == sizes["train"] + sizes["validation"]
    assert len({folds.manifest_of(folder, fold).identity for fold in range(COUNT)}) == COUNT


def test_folds_are_made_once_and_are_not_mixed_with_others(data_set: Any, folder: str) -> None:
    output = folder.rpartition("/")[0]
    before = {path: os.stat(path).st_mtime_ns for path in storage.list_files(folder)}
    folds.make(data_set.folder, data_set.manifest, output, COUNT)
    assert {path: os.stat(path).st_mtime_ns for path in storage.list_files(folder)} == before
    with pytest.raises(ConfigError, match="of another number or data set"):
        folds.make(data_set.folder, data_set.manifest, output, COUNT + 1)


def test_what_a_killed_division_left_does_not_count(
    data_set: Any, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = folder.rpartition("/")[0]
    whole = {path: storage.read_bytes(path) for path in storage.list_files(folder)}
    os.unlink(f"{folder}/{folds.NAME}")
    pathlib.Path(folder, "fold-9-00000.tfrecord").write_bytes(b"left")
    with pytest.raises(UsageError, match="--folds makes it"):
        folds.manifest_of(folder, 0)
    folds.make(data_set.folder, data_set.manifest, output, COUNT)
    assert {path: storage.read_bytes(path) for path in storage.list_files(folder)} == whole


def test_folds_that_cannot_be_are_one_sentence(
    data_set: Any, folder: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"--fold=3 is not there: .* has the folds 0 to 2"):
        folds.manifest_of(folder, 3)
    with pytest.raises(DataError, match="has no patient: give fewer --folds"):
        folds.make(data_set.folder, data_set.manifest, str(tmp_path / "many"), 40)
    assert not folds.is_made(str(tmp_path / "many/folds"))
    assert task.main(["cxr14-train", f"--data={folder}", f"--output={tmp_path}/run"]) == 64
    assert "name the one that validates, as --fold=0" in capsys.readouterr().err


def test_a_damaged_manifest_of_folds_is_named(folder: str) -> None:
    path = pathlib.Path(folder, folds.NAME)
    whole = json.loads(path.read_text())
    texts = ["{", "\xff"]
    for count in ("3", 4, None):
        texts.append(json.dumps(whole | {"parameters": {"folds": {"count": count}}}))
    texts.append(json.dumps(whole | {"parameters": {}}))
    for text in texts:
        path.write_text(text, "latin-1")
        with pytest.raises(DataError, match=r"folds\.json is damaged .*: bring it back .* --folds"):
            folds.manifest_of(folder, 0)


@pytest.mark.slow
def test_a_run_on_a_fold_validates_on_it_alone(
    data_set: Any, folder: str, tmp_path: pathlib.Path, command_line: Callable[..., list[str]]
) -> None:
    with used():
        argv = [*command_line(folder, f"{tmp_path}/run"), "--fold=1", "--mode=train"]
        assert task.main(argv) == 0
        assert task.main([*argv[:-1], "--mode=evaluate"]) == 0
    made = table.read(f"{tmp_path}/run/{notes.PREDICTIONS}").select("validation")
    truth = dataset.read_truth(folder, folds.manifest_of(folder, 1), "validation")
    assert made.ids.tolist() == truth.ids.tolist()
    # Another fold is another run.
    assert task.main([*argv[:-2], "--fold=2", "--mode=train"]) == 78
    assert json.loads((tmp_path / "run" / notes.TRAINING).read_text())["steps"] > 0
