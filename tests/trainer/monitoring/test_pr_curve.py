# SPDX-License-Identifier: MIT
"""Tests of the points of PR curves, against scikit-learn and TensorBoard's own protocol."""

import math

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import average_precision_score, precision_recall_curve
from tensorboard.compat.proto.summary_pb2 import Summary

from trainer.monitoring.pr_curve import POINTS, counts, pr_curve


def points(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns what TensorBoard reads: tp, fp, tn, fn, precision, recall; float32 [6, points]."""
    proto = pr_curve("validation_pr/Mass", labels, scores)
    assert proto is not None
    (value,) = Summary.FromString(proto).value
    assert value.metadata.plugin_data.plugin_name == "pr_curves"
    return np.asarray(tf.make_ndarray(value.tensor))


def test_every_point_lies_on_the_exact_curve_also_of_a_rare_finding() -> None:
    generator = np.random.default_rng(3)
    labels = (generator.random(4000) < 0.01).astype(float)
    scores = (0.01 * generator.random(4000) + 0.005 * labels).astype(np.float32)
    found = points(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    away = np.hypot(found[5][:, None] - recall, found[4][:, None] - precision).min(axis=1)
    assert away.max() < 1e-6
    # With fewer positives than points nothing is left out: the area is the exact one.
    steps = -np.diff([*found[5].astype(float), 0.0])
    area = float((steps * found[4]).sum())
    assert area == pytest.approx(average_precision_score(labels, scores), abs=1e-5)


def test_points_are_evenly_spaced_in_recall_where_positives_are_many() -> None:
    generator = np.random.default_rng(4)
    positive, negative = np.sort(generator.random(1000)), np.sort(generator.random(50))
    true, false = counts(positive, negative)
    assert true[0] == 1000
    assert true[-1] == 1
    assert np.abs(true / 1000 - np.linspace(1, 0, POINTS)).max() <= 0.002
    thresholds = [positive[1000 - count] for count in true]
    assert false.tolist() == [int((negative >= threshold).sum()) for threshold in thresholds]


def test_tied_scores_are_called_together() -> None:
    found = points(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.5, 0.1]))
    assert np.unique(found[:4], axis=1).T.tolist() == [[2, 1, 1, 0]]


def test_unknown_labels_are_left_out() -> None:
    known = points(np.array([1.0, 0.0]), np.array([0.4, 0.6]))
    with_unknown = points(np.array([1.0, math.nan, 0.0]), np.array([0.4, 0.5, 0.6]))
    assert np.array_equal(known, with_unknown)


@pytest.mark.parametrize("labels", [[1.0, 1.0], [0.0, 0.0], [math.nan, 1.0], [math.nan] * 2])
def test_a_finding_without_positives_or_negatives_has_no_curve(labels: list[float]) -> None:
    assert pr_curve("validation_pr/Mass", np.array(labels), np.array([0.2, 0.6])) is None
