# SPDX-License-Identifier: MIT
"""Four kinds of intervals: each is what it says, and only those of patients cover clusters."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from trainer.evaluation import clustered as in_clusters
from trainer.evaluation import delong
from trainer.evaluation.discrimination import areas, measure, width_ratio
from trainer.evaluation.intervals import Interval, percentile
from trainer.evaluation.resamples import resample


def clustered(
    seed: int, patients: int = 120, *, most_images: int = 9
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One finding: images of a patient share the label and half of the variance of the score.

    Images of two patients differ in score by a normal difference, so the AUC of the population is
    Phi(0.9 / sqrt(2 * (0.5 + 0.5))).
    """
    generator = np.random.default_rng(seed)
    images = generator.integers(1, most_images + 1, patients)
    patient = np.repeat(np.arange(patients), images)
    truth = (generator.random(patients) < 0.4).astype(np.float64)[patient]
    shared = generator.normal(0, np.sqrt(0.5), patients)[patient]
    scores = 0.9 * truth + shared + generator.normal(0, np.sqrt(0.5), len(patient))
    return truth[:, None], scores[:, None], patient


TRUE_AUC = stats.norm.cdf(0.9 / np.sqrt(2))


def test_intervals_of_patients_cover_clusters_and_those_of_images_do_not() -> None:
    """400 data sets, one in four with images; benchmarks/coverage.py counts many more."""
    kinds = ("patients", "clustered", "images", "delong")
    covered: dict[str, list[bool]] = {kind: [] for kind in kinds}
    for seed in range(400):
        labels, scores, patients = clustered(seed)
        pair = labels[:, 0], scores[:, 0]
        found = {
            "patients": drawn(patients, labels, scores, seed),
            "clustered": in_clusters.interval(*pair, patients),
            "delong": delong.interval(*pair),
        }
        if seed % 4 == 0:
            found["images"] = drawn(np.arange(len(patients)), labels, scores, seed)
        for name, interval in found.items():
            covered[name].append(interval.low <= TRUE_AUC <= interval.high)
    shares = {name: np.mean(flags) for name, flags in covered.items()}
    assert 0.93 <= shares["patients"] <= 0.97 and 0.93 <= shares["clustered"] <= 0.97, shares
    assert shares["images"] < 0.85 and shares["delong"] < 0.85, shares


def drawn(units: np.ndarray, labels: np.ndarray, scores: np.ndarray, seed: int) -> Interval:
    pair = labels[:, 0], scores[:, 0]
    draws = resample(units, labels, resamples=200, seed=seed)
    return percentile(roc_auc_score(*pair), draws.aucs(*pair))


def test_spread_over_patients_equals_the_closed_form_for_clusters() -> None:
    labels, scores, patients = clustered(1, patients=600)
    pulls = delong.deviations(labels[:, 0], scores[:, 0])
    together = in_clusters.deviations(labels[:, 0], scores[:, 0], patients)
    expected = np.sqrt((together**2).sum())
    draws = resample(patients, labels, resamples=2000, seed=0).aucs(labels[:, 0], scores[:, 0])
    assert draws.std() == pytest.approx(expected, rel=0.06)
    alone = resample(np.arange(len(patients)), labels, resamples=2000, seed=0)
    spread = alone.aucs(labels[:, 0], scores[:, 0]).std()
    assert spread == pytest.approx(np.sqrt((pulls**2).sum()), rel=0.06)
    assert expected > 1.5 * spread


def three_findings() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two findings, one with unknown labels, and one without any positive."""
    labels, scores, patients = clustered(4)
    generator = np.random.default_rng(0)
    second = (generator.random(len(labels)) < 0.2).astype(np.float64)
    noisy = np.round(second + generator.normal(0, 1, len(labels)), 1)
    second[::5] = np.nan
    none = np.zeros(len(labels))
    return (
        np.column_stack([labels, second, none]),
        np.column_stack([scores, noisy, noisy]),
        patients,
    )


def test_every_figure_equals_scikit_learn() -> None:
    labels, scores, patients = three_findings()
    draws = resample(patients, labels, resamples=20, seed=0)
    found = measure(labels, scores, patients, draws, seed=0)
    known = ~np.isnan(labels)
    for summary, reference in (
        (found.auc, roc_auc_score),
        (found.auc_clustered, roc_auc_score),
        (found.auc_image_level, roc_auc_score),
        (found.auc_delong, roc_auc_score),
        (found.average_precision, average_precision_score),
    ):
        values = [
            reference(labels[known[:, column], column], scores[known[:, column], column])
            for column in (0, 1)
        ]
        assert [one.value for one in summary.findings[:2]] == pytest.approx(values, abs=1e-12)
        assert summary.findings[2].value is None
        assert summary.mean.value == pytest.approx(np.mean(values), abs=1e-12)
        micro = reference(labels[known], scores[known])
        assert summary.micro.value == pytest.approx(micro, abs=1e-12)


def test_intervals_equal_a_slow_reference_with_the_same_draws() -> None:
    labels, scores, patients = three_findings()
    draws = resample(patients, labels, resamples=60, seed=5)
    found = measure(labels, scores, patients, draws, seed=0)
    known = ~np.isnan(labels)
    columns = {"auc": roc_auc_score, "average_precision": average_precision_score}
    for name, reference in columns.items():
        rows = []
        for number in range(60):
            images = np.repeat(np.arange(len(patients)), draws.counts[draws.patient_of, number])
            pairs = [
                (labels[images, at][known[images, at]], scores[images, at][known[images, at]])
                for at in (0, 1)
            ]
            pooled = labels[images][known[images]], scores[images][known[images]]
            rows.append([*(reference(*pair) for pair in pairs), reference(*pooled)])
        first, second, micro = np.array(rows).T
        summary = getattr(found, name)
        for interval, spread in (
            (summary.findings[0], first),
            (summary.findings[1], second),
            (summary.mean, (first + second) / 2),
            (summary.micro, micro),
        ):
            ends = np.quantile(spread, [0.025, 0.975])
            np.testing.assert_allclose([interval.low, interval.high], ends, rtol=0, atol=1e-12)


def test_image_level_draws_are_those_of_images() -> None:
    labels, scores, patients = three_findings()
    draws = resample(patients, labels, resamples=30, seed=5)
    found = measure(labels, scores, patients, draws, seed=9)
    images = resample(np.arange(len(patients)), labels, resamples=30, seed=9)
    expected = areas(labels, scores, images)
    assert found.auc_image_level == expected
    assert found.auc_image_level != found.auc


def test_one_patient_one_image_and_nothing_known_have_no_intervals() -> None:
    labels, scores, _ = three_findings()
    for rows, value in ((slice(0, 60), "kept"), (slice(0, 1), None), (slice(0, 60), np.nan)):
        part = labels[rows].copy()
        if isinstance(value, float):
            part[:] = value
        patients = np.zeros(len(part), dtype=int)
        draws = resample(patients, part, resamples=10, seed=0)
        found = measure(part, scores[rows], patients, draws, seed=0)
        for summary in (found.auc, found.auc_clustered):
            for interval in (*summary.findings, summary.mean, summary.micro):
                assert interval.low is None and interval.high is None
                assert (interval.value is not None) <= (value == "kept")
        if value == "kept":
            assert found.auc.findings[0].value is not None


def test_ratio_of_widths() -> None:
    wide, narrow = Interval(0.5, 0.2, 0.8), Interval(0.5, 0.4, 0.6)
    assert width_ratio(wide, narrow) == pytest.approx(3.0)
    assert width_ratio(wide, Interval(0.5, None, None)) is None
    assert width_ratio(Interval(None, None, None), narrow) is None
    assert width_ratio(wide, Interval(0.5, 0.5, 0.5)) is None
