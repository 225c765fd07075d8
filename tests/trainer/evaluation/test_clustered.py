# SPDX-License-Identifier: MIT
"""Obuchowski's variance and test equal the paper's sums, and what its author's program gives."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trainer.evaluation import clustered, delong
from trainer.evaluation.auc import auroc
from trainer.evaluation.intervals import Interval

# Cells in regions of slides: whether each is a mitosis, and how many of five pathologists called it
# one on scans and through the microscope, cells of a region side by side. From Tabata et al.,
# Diagnostic Pathology 2019; 14:65, as the R package mitoticFigureCounts has them (CC0).
CELLS = """
155-010-001-000 010-153-114-124-000-001 012-030-154-010-114-001 010-155-155-002 010-020-144
012-113 155-112-001 010-001 135-011-110 145-110-010-032-113-010-001 145-155-102 123-010 010-145
000 122-010-155-145-151-144-133-123-000-000-001-001-000 123-124-102-101-000-001 103
155-155-155-010-103-102-102-101 155-145-155 010-133-010-101-000-101-102-101
155-155-154-000-101-001 112-011-155-000-103 111-103-000 010-000 145-021-010-003-000
010-010-000-000 010-123 115-001 000-001-000 125-135-011-010-020-010-002-001-000-000 155-145-001
000 010-010-010-000 000-001-000 000 010-110-110-113-123-000 010-135-155 123-145-101-000-000
"""
# What `doAUCcluster` of that package returns for them on R 4.2.2, an edition of the program of the
# paper's author: each area with its variance, and the variance and p of their difference.
AREAS = (0.792709376042709, 0.935352018685352)
VARIANCES = (0.00222390777206913, 0.000404051080460345)
DIFFERENCE = (0.00227948412002481, 0.00281122622119678)


def cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, both scores [2, 155], and the number of each cell's region."""
    regions = [region.split("-") for region in CELLS.split()]
    truth, *scores = np.array([[float(c) for c in cell] for each in regions for cell in each]).T
    return truth, np.array(scores), np.repeat(np.arange(38), [len(each) for each in regions])


def test_real_data_give_what_the_program_of_the_paper_gives() -> None:
    truth, scores, region = cells()
    pulls = np.array([clustered.deviations(truth, each, region) for each in scores])
    assert [auroc(truth, each) for each in scores] == pytest.approx(AREAS, rel=1e-12)
    assert (pulls**2).sum(axis=1) == pytest.approx(VARIANCES, rel=1e-11)
    found = delong.paired_test(AREAS[1] - AREAS[0], pulls[1] - pulls[0])
    assert found.standard_error is not None
    assert (found.standard_error**2, found.p_value) == pytest.approx(DIFFERENCE, rel=1e-9)


def variance(s10: float, s01: float, s11: float, m: int, n: int) -> float:
    """The variance from the sums of the paper, of m positives and n negatives."""
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def slow(
    labels: np.ndarray, scores: list[np.ndarray], patients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Areas and their covariances from the table of all pairs, as the paper defines them."""
    known = ~np.isnan(labels)
    positive, patients = labels[known] == 1, patients[known]
    areas, sums = [], []
    for one in (each[known] for each in scores):
        gaps = one[positive][:, None] - one[~positive]
        table = (gaps > 0) + 0.5 * (gaps == 0)
        area = table.mean()
        hits, alarms = table.mean(axis=1) - area, table.mean(axis=0) - area
        areas.append(area)
        sums.append(
            [
                [hits[patients[positive] == name].sum(), alarms[patients[~positive] == name].sum()]
                for name in np.unique(patients)
            ]
        )
    m, n = positive.sum(), (~positive).sum()
    i10, i01, i = (len(np.unique(patients[of])) for of in (positive, ~positive, slice(None)))
    covariance = np.array(
        [
            [
                variance(
                    i10 / ((i10 - 1) * m) * (one[:, 0] @ other[:, 0]),
                    i01 / ((i01 - 1) * n) * (one[:, 1] @ other[:, 1]),
                    i / (i - 1) * (one[:, 0] @ other[:, 1] + other[:, 0] @ one[:, 1]) / 2,
                    m,
                    n,
                )
                for other in np.array(sums)
            ]
            for one in np.array(sums)
        ]
    )
    return np.array(areas), covariance


def test_the_sums_give_the_published_errors() -> None:
    """Two readers of 65 arteries of 36 patients: the paper's Table 3, and page 574 on it.

    The sums are printed in full in the help of the author's program, funcs_clusteredROC.R.
    """
    first = variance(0.0013151307, 0.0022375873, 0.0051785478, 29, 36)
    second = variance(0.0009284122, 0.0022598583, -0.0005015760, 29, 36)
    both = variance(0.0008484357, 0.0019241250, (0.0028648340 - 0.0015136931) / 2, 29, 36)
    errors = [math.sqrt(each) for each in (first, second, first + second - 2 * both)]
    assert [round(error, 4) for error in errors] == [0.0108, 0.0097, 0.0066]


def made(
    seed: int = 8, patients: int = 70
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Patients of 1 to 7 images, some with images of both kinds; ties, and unknown labels."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), generator.integers(1, 8, patients))
    often = generator.random(patients)[patient]
    labels = (generator.random(len(patient)) < 0.6 * often).astype(np.float64)
    shared = generator.normal(0, 1, (2, patients))[:, patient]
    first, second = np.round(labels + shared + generator.normal(0, 0.7, shared.shape), 1)
    labels[::17] = np.nan
    order = generator.permutation(len(patient))
    return labels[order], first[order], second[order], patient[order]


@pytest.mark.parametrize("seed", range(6))
def test_variance_and_covariance_equal_the_defining_sums(seed: int) -> None:
    labels, first, second, patients = made(seed, patients=12 + 20 * seed)
    areas, expected = slow(labels, [first, second], patients)
    pulls = np.array([clustered.deviations(labels, scores, patients) for scores in (first, second)])
    np.testing.assert_allclose(pulls @ pulls.T, expected, rtol=1e-12)
    assert areas == pytest.approx([auroc(labels, first), auroc(labels, second)], abs=1e-12)
    found = delong.paired_test(areas[1] - areas[0], pulls[1] - pulls[0])
    error = math.sqrt(expected[0, 0] + expected[1, 1] - 2 * expected[0, 1])
    assert found.standard_error == pytest.approx(error, rel=1e-10)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(found.difference) / error))


def test_patients_of_one_image_each_give_what_delong_gives() -> None:
    labels, first, second, _ = made()
    alone = np.random.default_rng(0).permutation(len(labels))
    ours, theirs = (
        [deviate(labels, scores, *of) for scores in (first, second)]
        for deviate, of in ((clustered.deviations, (alone,)), (delong.deviations, ()))
    )
    for left, right in ((0, 0), (0, 1), (1, 1)):
        expected = (theirs[left] * theirs[right]).sum()
        assert (ours[left] * ours[right]).sum() == pytest.approx(expected, rel=1e-12)
    found, expected = clustered.interval(labels, first, alone), delong.interval(labels, first)
    assert found.value == expected.value
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_same_image_again_says_nothing_new() -> None:
    """Each image five times is a patient of five images: DeLong's variance shrinks, this does not.

    That each kind has as many patients as DeLong had images makes both equal exactly.
    """
    labels, first, _, _ = made()
    images = np.repeat(np.arange(len(labels)), 5)
    found = clustered.interval(labels[images], first[images], images)
    expected, shrunk = (
        delong.interval(labels[rows], first[rows]) for rows in (slice(None), images)
    )
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert shrunk.high - shrunk.low < 0.5 * (found.high - found.low)


def test_interval_is_symmetric_on_the_logit_scale() -> None:
    labels, first, _, patients = made()
    area, covariance = slow(labels, [first], patients)
    expected = delong.on_logit_scale(area[0], covariance[0, 0])
    found = clustered.interval(labels, first, patients)
    assert found.value == auroc(labels, first)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_mean_and_micro_are_those_of_shared_patients() -> None:
    """The mean of two findings on the same labels is known from the paper's covariance."""
    labels, first, second, patients = made()
    both, scores = np.column_stack([labels, labels]), np.column_stack([first, second])
    areas, covariance = slow(labels, [first, second], patients)
    found = clustered.summary(both, scores, patients)
    micro, pooled = slow(both.ravel(), [scores.ravel()], np.repeat(patients, 2))
    for interval, value, variance in (
        (found.findings[0], areas[0], covariance[0, 0]),
        (found.findings[1], areas[1], covariance[1, 1]),
        (found.mean, areas.mean(), covariance.mean()),
        (found.micro, micro[0], pooled[0, 0]),
    ):
        expected = delong.on_logit_scale(value, variance)
        assert (interval.value, interval.low, interval.high) == pytest.approx(
            (expected.value, expected.low, expected.high), abs=1e-12
        )


def test_spread_of_the_mean_of_different_findings_is_that_of_simulated_data() -> None:
    """Findings that share the scores' luck: the closed error of the mean is the spread seen."""
    means, errors = [], []
    for seed in range(400):
        generator = np.random.default_rng(seed)
        patients = np.repeat(np.arange(60), generator.integers(1, 7, 60))
        labels = (generator.random((len(patients), 2)) < [0.4, 0.2]).astype(np.float64)
        luck = generator.normal(0, 1, 60)[patients][:, None]
        scores = labels + luck + generator.normal(0, 0.5, labels.shape)
        pulls = [clustered.deviations(labels[:, at], scores[:, at], patients) for at in (0, 1)]
        means.append(np.mean([auroc(labels[:, at], scores[:, at]) for at in (0, 1)]))
        errors.append(np.sqrt((np.mean(pulls, axis=0) ** 2).sum()))
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.1)


def test_too_few_patients_have_no_variance() -> None:
    labels, scores, patients = (
        np.array([1.0, 1, 0, 0]),
        np.array([0.3, 0.2, 0.1, 0.25]),
        [0, 0, 1, 2],
    )
    for turned in (labels, 1 - labels):
        of = np.array(patients)
        assert np.isnan(clustered.deviations(turned, scores, of)).all()
        assert clustered.interval(turned, scores, of) == Interval(auroc(turned, scores), None, None)
    nothing = np.full((4, 1), np.nan)
    found = clustered.summary(nothing, scores[:, None], np.array(patients))
    assert {*found.findings, found.mean, found.micro} == {Interval(None, None, None)}
    empty = clustered.deviations(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.intp))
    assert len(empty) == 0


def test_one_finding_of_one_patient_takes_the_interval_from_the_mean() -> None:
    """As resampling patients does: a mean is as unsure as the worst known of its findings."""
    labels, first, second, patients = made()
    rare = np.where(patients == patients[0], 1.0, 0.0)
    found = clustered.summary(
        np.column_stack([labels, rare]), np.column_stack([first, second]), patients
    )
    assert found.findings[0].low is not None and found.findings[1].low is None
    assert found.mean.value is not None and found.mean.low is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8))
def test_a_difference_never_has_a_negative_variance(seed: int, patients: int) -> None:
    """Whatever the data, the variance by the paper's sums is not below 0, and ours equals it."""
    labels, first, second, of = made(seed, patients=patients)
    with np.errstate(all="ignore"):
        ours = clustered.deviations(labels, second, of) - clustered.deviations(labels, first, of)
    if np.isnan(ours).any():
        return
    _, covariance = slow(labels, [first, second], of)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert (ours**2).sum() == pytest.approx(variance, rel=1e-9, abs=1e-15)
