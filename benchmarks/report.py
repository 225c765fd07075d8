# SPDX-License-Identifier: MIT
"""CPU seconds of the intervals of a report, against a loop around scikit-learn.

The data are the predictions of a real model on the complete official test list where they are at
hand (CXR14_SHARED), or else simulated ones of the same size: 25,596 images of 2,797 patients, 14
findings.
"""

import os
import pathlib
import resource
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.ratio import Ratio
from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from trainer.evaluation.resamples import Resamples, resample
from trainer.predictions.table import Predictions
from trainer.report.source import Source
from trainer.report.splits import numbers_of

_IMAGES, _PATIENTS, _RESAMPLES = 25_596, 2_797, 1000
# The loop takes as long for each resample, so that a few tell what a thousand would take.
_LOOPED = 10
_LIMIT_SECONDS = 12.0

Loop = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float]


def measure() -> Iterator[Ratio]:
    """Times 1,000 resamples of patients and of images, and all numbers of a split."""
    rows, origin = _predictions()
    labels, scores = rows.labels, rows.scores
    work = f"{_RESAMPLES:,} resamples of {{}}, {len(labels):,} x {labels.shape[1]} {origin}: {{}}"
    for units, owners in (("patients", rows.patients), ("images", np.arange(len(labels)))):
        start = time.process_time()
        draws = resample(owners, labels, resamples=_RESAMPLES, seed=0)
        for pair in zip(labels.T, scores.T, strict=True):
            draws.areas(*pair)
        # These seconds give both areas at once, and stand against a loop for each.
        ours = time.process_time() - start
        for name, function in (
            ("AUC", roc_auc_score),
            ("average precision", average_precision_score),
        ):
            theirs = _loop(function, labels, scores, draws) * _RESAMPLES / _LOOPED
            loop = f"{function.__name__} loop, {_LOOPED} resamples x {_RESAMPLES // _LOOPED}"
            aim = ">= 25" if (units, name) == ("patients", "AUC") else "-"
            yield Ratio(work.format(units, name), ours, loop, theirs, aim, unit="s")
    start = time.process_time()
    numbers_of(Source(rows, resamples=_RESAMPLES), "test")
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    megabytes = peak / (2**20 if sys.platform == "darwin" else 2**10)
    name = f"all discrimination figures of this split (process peak {megabytes:,.0f} MiB)"
    yield Ratio(name, seconds, "limit", _LIMIT_SECONDS, ">= 1", unit="s")


def _loop(
    function: Loop,
    labels: npt.NDArray[np.float32],
    scores: npt.NDArray[np.floating],
    draws: Resamples,
) -> float:
    """CPU seconds of what a script does: copy the images drawn and call scikit-learn on them."""
    every = np.arange(len(labels))
    start = time.process_time()
    for number in range(_LOOPED):
        images = np.repeat(every, draws.counts[draws.patient_of, number])
        for column in range(labels.shape[1]):
            function(labels[images, column], scores[images, column])
    return time.process_time() - start


def _predictions() -> tuple[Predictions, str]:
    """The test split of a real model, or a simulated one of its size; and which it is."""
    root = pathlib.Path(__file__).parents[1]
    shared = pathlib.Path(os.environ.get("CXR14_SHARED", root.parent / "shared"))
    file = shared / "data" / "predictions" / "resnet50_seed0.npz"
    if file.is_file():
        with np.load(file) as stored:
            logits, labels = stored["test_logits"].astype(np.float64), stored["test_labels"]
            return _of(labels, logits, stored["test_patient"]), "(ResNet-50)"
    generator = np.random.default_rng(0)
    # Many patients have one image and a few a hundred, as in the official test list.
    share = generator.pareto(1.2, _PATIENTS) + 0.2
    patients = np.sort(generator.choice(_PATIENTS, _IMAGES, p=share / share.sum()))
    prevalence = np.geomspace(0.004, 0.24, 14)
    ill = generator.random((_PATIENTS, 14)) < prevalence
    labels = (ill[patients] & (generator.random((_IMAGES, 14)) < 0.8)).astype(np.float32)
    logits = (
        labels
        + generator.normal(size=(_PATIENTS, 14))[patients]
        + generator.normal(size=labels.shape)
    )
    return _of(labels, logits, patients), "(simulated)"


def _of(
    labels: npt.NDArray[np.generic],
    logits: npt.NDArray[np.float64],
    patients: npt.NDArray[np.generic],
) -> Predictions:
    count = len(labels)
    return Predictions(
        ids=np.array([f"{row:08d}" for row in range(count)]),
        patients=patients.astype(np.str_),
        splits=np.repeat(np.array(["test"]), count),
        labels=labels.astype(np.float32),
        scores=1 / (1 + np.exp(-logits)),
        findings=tuple(CHESTXRAY14_FINDINGS),
    )
