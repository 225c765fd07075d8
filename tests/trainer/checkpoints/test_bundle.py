# SPDX-License-Identifier: MIT
"""Tests of a checkpoint's files: arrays come back as they were, and damage is told."""

import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, DataError, UsageError
from trainer.checkpoints import bundle

ARRAYS = {
    "network/a/kernel": np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
    "network/a/bias": np.zeros([0], np.float32),
    "optimizer/iterations": np.asarray(12345678901, np.int64),
    "progress/best_auc": np.asarray(0.1 + 0.2),
    "identity": np.asarray(b"of settings \xff"),
}


def variables() -> dict[str, keras.Variable]:
    return {
        "network/a/kernel": keras.Variable(np.zeros([3, 4], np.float32)),
        "network/a/bias": keras.Variable(np.zeros([2], np.float32)),
    }


def test_arrays_come_back_bit_for_bit(tmp_path: pathlib.Path) -> None:
    bundle.write(str(tmp_path / "new"), 7, ARRAYS, 1)
    found = bundle.read(bundle.path_of(str(tmp_path / "new"), 7))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype.kind == array.dtype.kind
        assert found[name].shape == array.shape


def test_variables_that_changed_before_they_were_written_are_damage(tmp_path: pathlib.Path) -> None:
    for at, (name, damaged) in enumerate(
        [("", False), ("progress/best_auc", False), ("optimizer/iterations", True)]
    ):
        arrays = dict(ARRAYS)
        bundle.seal(arrays)
        if name:
            arrays[name] = arrays[name] + 1
        bundle.write(str(tmp_path), at, arrays, 9)
        damage = bundle.damage_of(bundle.path_of(str(tmp_path), at))
        assert damage == ("it is not what was trained" if damaged else "")


@pytest.mark.parametrize("name", ["a[1]", "a]b", "a\\b", "[!x]* é?{c,d}=#%20"])
def test_a_path_may_have_any_characters(tmp_path: pathlib.Path, name: str) -> None:
    folder = str(tmp_path / name)
    for step in (7, 8):
        bundle.write(folder, step, ARRAYS, 1)
    (path,) = bundle.newest_first(folder)
    assert bundle.damage_of(path) == ""
    assert bundle.read(path).keys() == ARRAYS.keys()
    data = tmp_path / name / "ckpt-8.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    assert bundle.damage_of(path)
    assert not tf.io.gfile.glob("ram://cxr14-checkpoint/*/*")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path: pathlib.Path) -> None:
    bundle.write(str(tmp_path), 7, ARRAYS, 1)
    (tmp_path / "ckpt-7.index").chmod(0)
    with pytest.raises(UsageError, match=r"ckpt-7\.index cannot be read: Permission denied"):
        bundle.damage_of(bundle.path_of(str(tmp_path), 7))


def test_two_files_hold_a_step_and_no_list_is_kept(tmp_path: pathlib.Path) -> None:
    bundle.write(str(tmp_path), 7, ARRAYS, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ckpt-7.data-00000-of-00001",
        "ckpt-7.index",
    ]


def test_steps_are_ordered_as_numbers_and_other_files_are_none(tmp_path: pathlib.Path) -> None:
    folder = str(tmp_path)
    for step in (9, 10, 2, 100):
        bundle.write(folder, step, ARRAYS, 9)
    bundle.write(f"{folder}/best", 300, ARRAYS, 9)
    for name in ("checkpoint", "ckpt-400.index.tempstate1", "ckpt-x.index", "ckpt-500.data-0"):
        (tmp_path / name).touch()
    found = bundle.newest_first(folder)
    assert found == [bundle.path_of(folder, step) for step in (100, 10, 9, 2)]
    assert [bundle.step_of(path) for path in found] == [100, 10, 9, 2]


def test_a_folder_that_is_not_there_holds_none(tmp_path: pathlib.Path) -> None:
    assert bundle.newest_first(str(tmp_path / "none")) == []


def test_the_newest_are_kept(tmp_path: pathlib.Path) -> None:
    for step in (1, 2, 3, 10):
        bundle.write(str(tmp_path), step, ARRAYS, 2)
    assert [bundle.step_of(path) for path in bundle.newest_first(str(tmp_path))] == [10, 3]
    assert len(list(tmp_path.iterdir())) == 4


def test_later_ones_that_were_passed_over_take_no_room_from_what_is_written(
    tmp_path: pathlib.Path,
) -> None:
    folder = str(tmp_path)
    bundle.write(folder, 9, ARRAYS, 1)
    for step in (5, 6):
        bundle.write(folder, step, ARRAYS, 1)
        assert bundle.path_of(folder, step) in bundle.newest_first(folder)
    bundle.write(folder, 10, ARRAYS, 1)
    assert bundle.newest_first(folder) == [bundle.path_of(folder, 10)]


def test_a_step_can_be_written_over(tmp_path: pathlib.Path) -> None:
    bundle.write(str(tmp_path), 7, ARRAYS, 1)
    bundle.write(str(tmp_path), 7, {"other": np.ones([3])}, 1)
    assert list(bundle.read(bundle.path_of(str(tmp_path), 7))) == ["other"]


@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001"])
def test_damage_anywhere_is_told_unless_it_changes_nothing(
    tmp_path: pathlib.Path, suffix: str
) -> None:
    """A few bytes of an index are read by nobody; every other flipped bit and every cut is told."""
    bundle.write(str(tmp_path), 7, ARRAYS, 1)
    path, prefix = tmp_path / f"ckpt-7.{suffix}", bundle.path_of(str(tmp_path), 7)
    whole = path.read_bytes()
    assert bundle.damage_of(prefix) == ""
    told = 0
    for at in range(0, len(whole), 5):
        data = bytearray(whole)
        data[at] ^= 16
        path.write_bytes(data)
        damage = bundle.damage_of(prefix)
        assert "\n" not in damage
        if damage:
            told += 1
        else:
            found = bundle.read(prefix)
            assert found.keys() == ARRAYS.keys()
            for name, array in ARRAYS.items():
                np.testing.assert_array_equal(found[name], array)
        path.write_bytes(whole[:at])
        assert bundle.damage_of(prefix), at
    assert told > 0.5 * len(range(0, len(whole), 5))
    path.write_bytes(whole)
    assert bundle.damage_of(prefix) == ""


def test_variables_take_their_values(tmp_path: pathlib.Path) -> None:
    found = {name: np.full(one.shape, 3.5, np.float32) for name, one in variables().items()}
    filled = variables()
    bundle.fill("ckpt-7", filled, {**found, "progress/step": np.asarray(3)})
    assert all((variable.numpy() == 3.5).all() for variable in filled.values())


@pytest.mark.parametrize("kind", ["missing", "shape", "extra"])
def test_arrays_of_other_variables_are_refused_and_change_none(kind: str) -> None:
    found = {name: np.ones(one.shape, np.float32) for name, one in variables().items()}
    if kind == "missing":
        del found["network/a/bias"]
    elif kind == "shape":
        found["network/a/bias"] = np.ones([3], np.float32)
    else:
        found["network/b/kernel"] = np.ones([1], np.float32)
    kept = variables()
    name = "there is no network/b/kernel here" if kind == "extra" else "its network/a/bias"
    with pytest.raises(ConfigError, match=f"checkpoint ckpt-7 is of another model .{name}"):
        bundle.fill("ckpt-7", kept, found)
    assert all((variable.numpy() == 0).all() for variable in kept.values())


def test_a_failed_write_is_an_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ckpt-7.index").mkdir()
    (tmp_path / "ckpt-7.index" / "full").touch()
    with pytest.raises(UsageError, match=r"ckpt-7\.index.* cannot be used \(Is a directory\)"):
        bundle.write(str(tmp_path), 7, ARRAYS, 1)


def test_a_fault_that_has_passed_is_no_damage(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.write(str(tmp_path), 7, ARRAYS, 1)
    genuine, faults = tf.train.load_checkpoint, [tf.errors.UnavailableError(None, None, "busy")]

    def load(path: str) -> object:
        if faults:
            raise faults.pop()
        return genuine(path)

    monkeypatch.setattr(tf.train, "load_checkpoint", load)
    assert bundle.damage_of(bundle.path_of(str(tmp_path), 7)) == ""
    assert not faults


def test_a_store_that_cannot_be_read_is_not_taken_for_damage(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.write(str(tmp_path), 7, ARRAYS, 1)
    (tmp_path / "ckpt-7.index").write_bytes(b"")
    path = bundle.path_of(str(tmp_path), 7)
    assert bundle.damage_of(path)

    def fail(path: str) -> str:
        raise DataError(f"{path}: the bucket does not answer")

    monkeypatch.setattr(bundle.storage, "sha256_of", fail)
    with pytest.raises(DataError, match="does not answer"):
        bundle.damage_of(path)
