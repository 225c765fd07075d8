# SPDX-License-Identifier: MIT
"""Tests of the figures of one group of images, against the same counted image by image."""

import numpy as np
import pytest

from trainer.evaluation import clustered, intervals, subgroups
from trainer.evaluation.auc import auroc
from trainer.evaluation.subgroups import Figures


class Case:
    """Labels, scores with ties, patients of several images, and a group that cuts through them."""

    def __init__(self, n: int = 400, findings: int = 3, resamples: int = 40) -> None:
        generator = np.random.default_rng(3)
        self.labels = (generator.random((n, findings)) < 0.3).astype(np.float32)
        self.labels[generator.random((n, findings)) < 0.05] = np.nan
        shifted = generator.random((n, findings)) + 0.3 * np.nan_to_num(self.labels)
        self.scores = np.round(shifted / 1.3, 2)
        self.patients = generator.integers(0, n // 4, n)
        self.members = generator.random(n) < 0.4
        self.draws = intervals.resample(self.patients, self.labels, resamples=resamples, seed=0)
        self.thresholds: list[float | None] = [0.5, 0.25, None]

    def measure(self) -> Figures:
        return subgroups.measure(
            self.labels, self.scores, self.draws, self.thresholds, self.members
        )


def test_every_figure_is_that_of_counting_image_by_image() -> None:
    case = Case()
    found = case.measure()
    counts = case.draws.counts[case.draws.patient_of][case.members].astype(float)
    assert found.images == case.members.sum()
    assert found.patients == len(set(case.patients[case.members].tolist()))
    for at, threshold in enumerate(case.thresholds):
        label, score = case.labels[case.members, at], case.scores[case.members, at]
        assert found.positives[at] == (label == 1).sum()
        assert found.negatives[at] == (label == 0).sum()
        assert found.points["auc"][at] == auroc(label, score)
        times = counts.astype(int).T
        drawn = [auroc(np.repeat(label, row), np.repeat(score, row)) for row in times]
        np.testing.assert_allclose(found.draws["auc"][at], drawn, rtol=1e-12)
        if threshold is None:
            assert np.isnan(found.points["tpr"][at]) and np.isnan(found.draws["fpr"][at]).all()
            continue
        for name, value in (("tpr", 1), ("fpr", 0)):
            chosen, called = label == value, score >= threshold
            assert found.points[name][at] == pytest.approx(called[chosen].mean(), rel=1e-12)
            expected = (counts * (called & chosen)[:, None]).sum(0) / counts[chosen].sum(0)
            np.testing.assert_allclose(found.draws[name][at], expected, rtol=1e-12)


def test_areas_to_first_order_spread_as_exact_ones_and_as_the_closed_form() -> None:
    case = Case(n=2000, resamples=400)
    data = (case.labels, case.scores, case.draws, case.thresholds, case.members)
    exact, near = subgroups.measure(*data), subgroups.measure(*data, first_order=True)
    np.testing.assert_array_equal(near.points["auc"], exact.points["auc"])
    np.testing.assert_array_equal(near.draws["tpr"], exact.draws["tpr"])
    patient_of = case.draws.patient_of[case.members]
    for at in range(3):
        one, other = near.draws["auc"][at], exact.draws["auc"][at]
        assert np.corrcoef(one, other)[0, 1] > 0.99
        assert one.std() == pytest.approx(other.std(), rel=0.03)
        pulls = clustered.deviations(
            case.labels[case.members, at], case.scores[case.members, at], patient_of
        )
        assert one.std() == pytest.approx(np.sqrt((pulls**2).sum()), rel=0.15)


def test_a_finding_with_too_few_images_has_no_figures() -> None:
    case = Case()
    positives = np.flatnonzero((case.labels[:, 0] == 1) & case.members)
    case.labels[positives[subgroups.FEWEST - 1 :], 0] = 0
    found = case.measure()
    assert found.positives[0] == subgroups.FEWEST - 1
    assert found.enough.tolist() == [False, True, True]
    assert all(np.isnan(found.points[name][0]) for name in subgroups.MEASURES)
    case.labels[positives[subgroups.FEWEST - 1], 0] = 1
    assert case.measure().enough[0]


@pytest.mark.parametrize("patients", [1, 9, 10])
def test_ten_images_are_enough_only_of_ten_patients(patients: int) -> None:
    case = Case()
    case.members[:], case.labels[:, 0] = True, 0
    case.labels[:20, 0] = 1
    case.patients[:20] = 1000 + np.arange(20) % patients
    case.draws = intervals.resample(case.patients, case.labels, resamples=40, seed=0)
    found = case.measure()
    assert found.positives[0] == 20 and found.enough[0] == (patients == 10)


def test_a_rate_at_the_end_of_its_range_has_no_interval_and_no_difference_has_one() -> None:
    case = Case()
    case.scores[:, 0] = np.where(case.labels[:, 0] == 1, 0.9, case.scores[:, 0] / 2)
    found = case.measure()
    assert found.points["tpr"][0] == 1
    case.members = ~case.members
    case.scores[:, 0] = np.where(case.members, case.scores[:, 1], case.scores[:, 0])
    other = case.measure()
    assert found.interval("tpr", 0) == intervals.Interval(1, None, None)
    assert other.interval("tpr", 0).low is not None
    assert found.minus(other).interval("tpr", 0).low is None
    assert other.minus(found).interval("tpr", 0).low is None
    mean = found.mean("tpr", [0, 1])
    assert mean.low < mean.value < mean.high


def test_the_difference_of_a_group_from_itself_is_nothing() -> None:
    found = Case().measure()
    gap = found.minus(found).interval("auc", 0)
    assert (gap.value, gap.low, gap.high) == (0, 0, 0)


def test_a_difference_is_taken_in_the_same_resamples() -> None:
    case = Case()
    one = case.measure()
    case.members = ~case.members
    other = case.measure()
    gap = one.minus(other)
    np.testing.assert_array_equal(gap.draws["tpr"][0], one.draws["tpr"][0] - other.draws["tpr"][0])
    assert gap.interval("tpr", 0).value == one.points["tpr"][0] - other.points["tpr"][0]


def test_a_mean_needs_every_one_of_its_findings() -> None:
    found = Case().measure()
    mean = found.mean("tpr", [0, 1])
    assert mean.value == pytest.approx(found.points["tpr"][:2].mean())
    assert mean.low < mean.value < mean.high
    assert found.mean("tpr", [0, 2]).value is None
    assert found.mean("auc", []).value is None


def test_an_empty_group_has_no_figures() -> None:
    case = Case()
    case.members[:] = False
    found = case.measure()
    assert (found.images, found.patients) == (0, 0)
    assert not found.enough.any() and found.interval("auc", 0).value is None
