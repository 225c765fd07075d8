# SPDX-License-Identifier: MIT
"""The folder of a run says whether the trainer would go on there, end at once, or refuse."""

import dataclasses
import pathlib
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from trainer import flags
from trainer.flags import ParsedFlags
from trainer.launch.doctor import run_folder
from trainer.runfolder import identity, notes

PER_EPOCH = 7  # 29 records in batches of 4


def asked(output: pathlib.Path, mode: str = "train", **settings: Any) -> ParsedFlags:
    given = {"data.global_batch_size": 4, "train.epochs": 2, "model.weights": "none"}
    given |= {name.replace("__", "."): value for name, value in settings.items()}
    arguments = [f"--config.{name}={value}" for name, value in given.items()]
    return flags.parse(["x", "--data=d", f"--output={output}", f"--mode={mode}", *arguments], {})


@pytest.fixture
def begun(tmp_path: pathlib.Path, data_set: Any) -> Any:
    """Makes a run of two epochs of a cosine that came to a step."""

    def make(step: int, **note: Any) -> pathlib.Path:
        notes.declare(str(tmp_path), asked(tmp_path).config, data_set.manifest)
        (tmp_path / "checkpoints" / "best").mkdir(parents=True)
        for folder in ("checkpoints", "checkpoints/best"):
            (tmp_path / folder / f"ckpt-{step}.index").touch()
        if note:
            made = identity.of(asked(tmp_path).config, data_set.manifest)
            notes.write_note(str(tmp_path), notes.TRAINING, {"identity": made, **note})
        return tmp_path

    return make


def test_an_empty_folder_has_no_run(tmp_path: pathlib.Path, data_set: Any) -> None:
    found = run_folder.finding(asked(tmp_path), data_set.manifest)
    assert found.ok and found.said == "is not there yet"


@pytest.mark.parametrize("mode", ["evaluate", "export"])
def test_a_stage_without_a_network_is_refused(
    tmp_path: pathlib.Path, data_set: Any, mode: str
) -> None:
    with pytest.raises(ConfigError, match=f"no best checkpoint, and mode is {mode}: train first"):
        run_folder.finding(asked(tmp_path, mode), data_set.manifest)


def test_a_run_goes_on_from_its_newest_checkpoint(begun: Any, data_set: Any) -> None:
    output = begun(5)
    (output / "checkpoints" / "ckpt-4.index").touch()
    assert "at step 5, and goes on" in run_folder.finding(asked(output), data_set.manifest).said
    assert run_folder.finding(asked(output, "evaluate"), data_set.manifest).ok


def test_other_settings_and_other_data_are_refused(begun: Any, data_set: Any) -> None:
    output = begun(5)
    with pytest.raises(ConfigError, match="another seed"):
        run_folder.finding(asked(output, seed=3), data_set.manifest)
    other = dataclasses.replace(data_set.manifest, sources={"labels": "other"})
    with pytest.raises(ConfigError, match="another data set"):
        run_folder.finding(asked(output), other)


def test_a_cosine_under_way_keeps_its_end(begun: Any, data_set: Any) -> None:
    output = begun(PER_EPOCH + 1)
    with pytest.raises(ConfigError, match="the cosine of this run is under way"):
        run_folder.finding(asked(output, train__epochs=3), data_set.manifest)
    with pytest.raises(ConfigError, match="has done 8 steps"):
        run_folder.finding(asked(output, train__epochs=1), data_set.manifest)


def test_at_the_end_of_an_epoch_only_the_checkpoint_knows(begun: Any, data_set: Any) -> None:
    """The last start may have given a run that was over more epochs, and saved nothing."""
    output = begun(PER_EPOCH)
    found = run_folder.finding(asked(output, train__epochs=3), data_set.manifest)
    assert found.ok is None and "under way" in found.said


def test_a_training_that_is_over_may_be_given_more(begun: Any, data_set: Any) -> None:
    over = {"steps": 2 * PER_EPOCH, "best_validation_mean_auc": 0.5, "best_step": 7}
    output = begun(2 * PER_EPOCH, **over)
    for epochs in (2, 3):
        assert run_folder.finding(asked(output, train__epochs=epochs), data_set.manifest).ok
    whole = run_folder.finding(asked(output), data_set.manifest)
    assert "the job would end at once" in whole.said
    with pytest.raises(ConfigError, match="has done 14 steps"):
        run_folder.finding(asked(output, train__epochs=1), data_set.manifest)


def test_the_newest_step_is_that_of_an_index_in_the_very_folder(tmp_path: pathlib.Path) -> None:
    assert run_folder.newest_step(str(tmp_path)) is None
    (tmp_path / "best").mkdir()
    for name in (
        "ckpt-9.index",
        "ckpt-12.index",
        "ckpt-13.data-00000-of-00001",
        "best/ckpt-40.index",
    ):
        (tmp_path / name).touch()
    assert run_folder.newest_step(str(tmp_path)) == 12
