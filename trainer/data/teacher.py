# SPDX-License-Identifier: MIT
"""Brings a teacher's scores to the training examples, from predictions files on the train split.

A student learns from them beside the labels, see `trainer.training.losses`. Images are found by
their ids. Of several files, each image has the mean of those that hold it.

A teacher that was trained on images of the student's validation or test patients tells the student
what it will be asked: its figures are then too high, and no file need show it. What is shown, that
a file counts such images among its train split, is warned of. Use a teacher that was trained on the
same train split or on other data sets, or fold by fold (each file scoring what its model never
saw).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from absl import logging

from preprocessing.contract.errors import ConfigError, DataError
from preprocessing.contract.files import storage
from trainer.data import dataset
from trainer.predictions import listed, table
from trainer.predictions.table import Predictions
from trainer.run import Run
from trainer.runfolder import notes

NOTE = "teacher.json"
_SHOWN = 3
# Share of labels that differ from which on a file may well be of other images.
_ODD = 0.05


class Teacher:
    """Looks the scores of images up, by their ids, inside a graph.

    Args:
        ids: of images, str [n].
        scores: float [n, findings].
    """

    def __init__(self, ids: npt.NDArray[np.str_], scores: npt.NDArray[np.floating]) -> None:
        none = np.full([1, scores.shape[1]], -1)
        with tf.device("/CPU:0"):  # where examples are made
            self._scores = tf.constant(np.concatenate([scores, none]), tf.float32)
            # One without a name lives as long as what looks something up in it.
            self._rows = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(ids.tolist(), tf.range(len(ids))),
                default_value=len(ids),
                experimental_is_anonymous=True,
            )

    def __call__(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns scores, float32 [..., findings], of ids, string [...]; -1 where there is none."""
        return tf.gather(self._scores, self._rows.lookup(ids))


def load(run: Run) -> Teacher | None:
    """Reads the teacher of a run; the first start says what of it fits the train split.

    What the files hold decides the weights, so that the first start notes their SHA-256.

    Returns:
        The teacher; None for a run without one.

    Raises:
        ConfigError: the files are others than those of the first start, or of other processes.
        DataError: a file cannot be used, lacks a finding, or none has an image of the train split.
    """
    text = run.config.train.teacher
    if not text:
        return None
    paths = listed.paths(text, "train.teacher")
    sha256 = [table.fingerprint(path) for path in paths]
    run.runtime.agreement.check_equal("files of train.teacher", " ".join(sha256))
    files = [_read(path, run.manifest.findings) for path in paths]
    if run.runtime.is_chief:
        if notes.is_begun(run.output):
            _check_note(run.output, paths, sha256)
        else:
            _compare(run, paths, files)
            notes.write_note(run.output, NOTE, {"files": listed.names(paths), "sha256": sha256})
    return Teacher(*_mean(files))


def _read(path: str, findings: Sequence[str]) -> Predictions:
    """Returns what a file holds of the findings of the data set, in their order."""
    one = table.read(path)
    if missing := [name for name in findings if name not in one.findings]:
        raise DataError(
            f"train.teacher: {path} has no scores of {', '.join(missing)}: give the predictions of "
            f"a teacher that knows all {len(findings)} findings of the data set"
        )
    of = [one.findings.index(name) for name in findings]
    return dataclasses.replace(
        one, findings=tuple(findings), labels=one.labels[:, of], scores=one.scores[:, of], raw=None
    )


def _mean(files: Sequence[Predictions]) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.float64]]:
    """Returns all ids and the mean scores of each, [n] and [n, findings]."""
    ids = np.unique(np.concatenate([one.ids for one in files]))
    total, times = np.zeros([len(ids), len(files[0].findings)]), np.zeros([len(ids), 1])
    for one in files:
        rows = np.searchsorted(ids, one.ids)
        total[rows] += one.scores
        times[rows] += 1
    return ids, total / times


def _check_note(output: str, paths: Sequence[str], sha256: Sequence[str]) -> None:
    before = notes.read_note(output, NOTE).get("sha256")
    if not isinstance(before, list) or len(before) != len(sha256):
        raise ConfigError(
            f"{storage.join(output, NOTE)}, which says what the run learned from, is missing or "
            "damaged: bring it back from a copy, or train in a new --output"
        )
    for path, old, new in zip(paths, map(str, before), sha256, strict=True):
        if old != new:
            raise ConfigError(
                f"train.teacher: {path} is not the file that the run in {output} began with "
                f"(SHA-256 {old[:12]}..., now {new[:12]}...): bring that file back, or train in a "
                "new --output"
            )


def _compare(run: Run, paths: Sequence[str], files: Sequence[Predictions]) -> None:
    """Says which training images have no score, and what of the files is of other images."""
    truth = dataset.read_truth(run.data, run.manifest, "train")
    place = {name: row for row, name in enumerate(truth.ids.tolist())}
    taught: set[str] = set()
    for path, one in zip(paths, files, strict=True):
        rows = np.array([place.get(name, -1) for name in one.ids.tolist()])
        taught.update(one.ids[rows >= 0].tolist())
        if others := int((rows < 0).sum()):
            logging.info(
                f"train.teacher: {others:,} of {len(rows):,} images of {path} are not in the train "
                "split, and are not used"
            )
            _warn_of_leak(run, path, set(one.ids[(rows < 0) & (one.splits == "train")].tolist()))
        _warn_of_labels(path, one.labels[rows >= 0], truth.targets[rows[rows >= 0]])
    if not taught:
        raise DataError(
            f"train.teacher: {', '.join(paths)} has no image of the train split of {run.data}: "
            f"write such a file with cxr14-train --mode=evaluate --split=train --data={run.data} "
            "--output=FOLDER, of the teacher's run"
        )
    if missing := sorted(place.keys() - taught):
        shown = ", ".join(missing[:_SHOWN]) + ", ..." * (len(missing) > _SHOWN)
        logging.warning(
            f"train.teacher has no score of {len(missing):,} of {len(place):,} training images, "
            f"of which the labels alone are learned: {shown}"
        )


def _warn_of_leak(run: Run, path: str, trained_on: set[str]) -> None:
    for split in ("validation", "test") if trained_on else ():
        ids = dataset.read_truth(run.data, run.manifest, split).ids.tolist()
        if leaked := [name for name in ids if name in trained_on]:
            logging.warning(
                f"train.teacher: {path} has {len(leaked):,} images of this data set's {split} "
                f"split, as {leaked[0]}, in its own train split: if the teacher was trained on "
                f"them, the student's figures on {split} will be too high"
            )


def _warn_of_labels(
    path: str, labels: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]
) -> None:
    known = ~np.isnan(labels) & (targets >= 0)
    differ = int((labels != targets)[known].sum())
    if differ > _ODD * known.sum():
        logging.warning(
            f"train.teacher: {differ:,} of {int(known.sum()):,} labels in {path} are others than "
            "in the data set: look whether its images are the same ones"
        )
