# SPDX-License-Identifier: MIT
"""Tests of the teacher: each example gets the score of its own image, whatever is in the files."""

import dataclasses
import json
import logging
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, DataError
from preprocessing.contract.process.stopping import StopRequests
from trainer.config import DataConfig
from trainer.data import dataset, teacher
from trainer.predictions import table
from trainer.predictions.table import Predictions
from trainer.run import Run

FINDINGS = ("Edema", "Mass", "Nodule")  # in another order than the data set's


def predictions(data_set: Any, split: str = "train", *, seed: int = 0) -> Predictions:
    """Returns what a teacher says of a split, in an order of its own."""
    truth = dataset.read_truth(data_set.folder, data_set.manifest, split)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(truth.ids))
    columns = [list(data_set.manifest.findings).index(name) for name in FINDINGS]
    labels = np.where(truth.targets >= 0, truth.targets, np.nan).astype(np.float32)
    return Predictions(
        ids=truth.ids[order],
        patients=truth.patients[order],
        splits=np.full(len(order), split),
        labels=labels[order][:, columns],
        scores=generator.random((len(order), 3)).astype(np.float32),
        findings=FINDINGS,
    )


def rows(whole: Predictions, chosen: Any) -> Predictions:
    columns = ("ids", "patients", "splits", "labels", "scores")
    return dataclasses.replace(whole, **{name: getattr(whole, name)[chosen] for name in columns})


def score_of(found: Predictions, name: str, data_set: Any) -> np.ndarray:
    columns = [FINDINGS.index(finding) for finding in data_set.manifest.findings]
    return np.asarray(found.scores[found.ids.tolist().index(name)][columns], np.float64)


Make = Callable[..., Run]


@pytest.fixture
def make(data_set: Any, one_device: Any, small_settings: Any, tmp_path: pathlib.Path) -> Make:
    """Makes a run whose teacher's files hold these predictions."""

    def make(*found: Predictions) -> Run:
        config = small_settings()
        paths = [f"{tmp_path}/{at}.{KINDS[at]}" for at in range(len(found))]
        for path, one in zip(paths, found, strict=True):
            table.write(path, one)
        config.train.teacher = ",".join(paths)
        return Run(
            data=data_set.folder,
            output=f"{tmp_path}/run",
            config=config,
            manifest=data_set.manifest,
            runtime=one_device,
            stops=StopRequests(),
        )

    return make


KINDS = ("csv", "npz", "parquet")
SETTINGS = DataConfig(global_batch_size=4, shuffle_buffer=6, open_shards=2)


def batches(data_set: Any, taught: Any, start: int = 0) -> Any:
    return iter(
        dataset.train_batches(
            tf.distribute.OneDeviceStrategy("/CPU:0"),
            folder=data_set.folder,
            manifest=data_set.manifest,
            config=SETTINGS,
            seed=0,
            start_step=start,
            teacher=taught,
        )
    )


def test_every_example_gets_the_score_of_its_image_and_the_order_stays(
    make: Make, data_set: Any
) -> None:
    part = rows(predictions(data_set), np.arange(20))
    named = {pixels.tobytes(): name for name, pixels in data_set.pixels.items()}
    stream, plain = batches(data_set, teacher.load(make(part))), batches(data_set, None)
    without = 0
    for _ in range(9):
        batch, expected = next(stream), next(plain)
        assert "teacher" not in expected
        for name in expected:
            np.testing.assert_array_equal(batch[name], expected[name])
        assert batch["teacher"].dtype == tf.float32
        for pixels, scores in zip(batch["pixels"].numpy(), batch["teacher"].numpy(), strict=True):
            name = named[pixels.tobytes()]
            without += name not in part.ids
            wanted = score_of(part, name, data_set) if name in part.ids else np.full(3, -1)
            np.testing.assert_allclose(scores, wanted, rtol=1e-7)
    assert 0 < without < 36


def test_a_restart_goes_on_with_the_same_scores(make: Make, data_set: Any) -> None:
    taught = teacher.load(make(predictions(data_set)))
    whole = batches(data_set, taught)
    expected = [next(whole) for _ in range(9)][5:]
    restarted = batches(data_set, taught, start=5)
    for old in expected:
        new = next(restarted)
        for name in ("teacher", "targets", "pixels"):
            np.testing.assert_array_equal(old[name], new[name])


def test_each_image_has_the_mean_of_the_files_that_hold_it(make: Make, data_set: Any) -> None:
    first, second = (predictions(data_set, seed=seed) for seed in (1, 2))
    both = (rows(first, first.ids != first.ids[0]), rows(second, np.arange(7)))
    taught = teacher.load(make(*both))
    assert taught is not None
    for name in first.ids.tolist():
        of = [score_of(one, name, data_set) for one in both if name in one.ids]
        wanted = np.mean(of, axis=0) if of else np.full(3, -1)
        np.testing.assert_allclose(taught(tf.constant([name]))[0], wanted, rtol=1e-6)


def test_images_without_a_score_are_counted_and_named(
    make: Make, data_set: Any, caplog: pytest.LogCaptureFixture
) -> None:
    whole = predictions(data_set)
    missing = sorted(whole.ids[:5].tolist())
    with caplog.at_level(logging.INFO):
        teacher.load(make(rows(whole, np.arange(5, 29))))
    shown = ", ".join(missing[:3])
    assert "has no score of 5 of 29 training images" in caplog.text
    assert f"the labels alone are learned: {shown}, ..." in caplog.text
    assert "are not used" not in caplog.text


def test_images_of_other_splits_are_left_out_and_said(
    make: Make, data_set: Any, caplog: pytest.LogCaptureFixture
) -> None:
    both = table.concatenated([predictions(data_set), predictions(data_set, "test")])
    with caplog.at_level(logging.INFO):
        teacher.load(make(both))
    assert "9 of 38 images of" in caplog.text and "are not used" in caplog.text
    assert "too high" not in caplog.text and "no score" not in caplog.text


def test_a_teacher_that_was_trained_on_the_students_test_is_warned_of(
    make: Make, data_set: Any, caplog: pytest.LogCaptureFixture
) -> None:
    test = predictions(data_set, "test")
    claimed = dataclasses.replace(test, splits=np.full(9, "train"))
    with caplog.at_level(logging.WARNING):
        teacher.load(make(table.concatenated([predictions(data_set), claimed])))
    assert "has 9 images of this data set's test split" in caplog.text
    assert "figures on test will be too high" in caplog.text
    assert "validation split" not in caplog.text


def test_other_labels_are_warned_of(
    make: Make, data_set: Any, caplog: pytest.LogCaptureFixture
) -> None:
    found = predictions(data_set)
    with caplog.at_level(logging.WARNING):
        teacher.load(make(found))
        assert "labels" not in caplog.text
        teacher.load(make(dataclasses.replace(found, labels=1 - found.labels)))
    known = int((~np.isnan(found.labels)).sum())
    assert f"{known} of {known} labels in" in caplog.text


def test_a_file_of_other_images_is_refused_with_the_way_to_make_one(
    make: Make, data_set: Any
) -> None:
    with pytest.raises(DataError, match=r"no image of the train split .*--split=train --data="):
        teacher.load(make(predictions(data_set, "test")))


def test_a_file_that_lacks_a_finding_is_refused(make: Make, data_set: Any) -> None:
    found = predictions(data_set)
    part = dataclasses.replace(
        found, labels=found.labels[:, 1:], scores=found.scores[:, 1:], findings=FINDINGS[1:]
    )
    with pytest.raises(DataError, match=r"1\.npz has no scores of Edema: give the predictions"):
        teacher.load(make(found, part))


def begin(run: Run) -> None:
    """Has the run a first checkpoint."""
    (pathlib.Path(run.output) / "checkpoints").mkdir(parents=True)
    (pathlib.Path(run.output) / "checkpoints" / "model-1.index").touch()


def test_a_run_goes_on_with_the_files_it_began_with_and_no_others(
    make: Make, data_set: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, other = predictions(data_set), predictions(data_set, seed=1)
    teacher.load(make(other))  # nothing was learned from it yet
    run = make(found)
    teacher.load(run)
    begin(run)

    def read_again(*_: Any) -> None:
        raise AssertionError("the train split was read by a start that goes on")

    monkeypatch.setattr(dataset, "read_truth", read_again)
    assert teacher.load(run) is not None
    run = make(other)
    with pytest.raises(ConfigError, match=r"0\.csv is not the file that the run .* bring that"):
        teacher.load(run)
    note = pathlib.Path(run.output) / teacher.NOTE
    for damaged in ("{}", json.dumps({"sha256": []}), "["):
        note.write_text(damaged)
        with pytest.raises(ConfigError, match=r"teacher\.json.* is missing or damaged"):
            teacher.load(run)


def test_a_run_without_a_teacher_has_none(make: Make, data_set: Any) -> None:
    run = make()
    assert teacher.load(run) is None
    assert not (pathlib.Path(run.output) / teacher.NOTE).exists()
