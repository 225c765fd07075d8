# SPDX-License-Identifier: MIT
"""Patient-level intervals equal a slow reference, and are absent where they would mislead."""

import numpy as np
import pytest

from trainer.evaluation import intervals
from trainer.evaluation.auc import auroc, aurocs
from trainer.evaluation.intervals import Interval, bootstrap, draw_counts, resampled_aucs


def make(
    patients: int = 30, images: int = 6, decimals: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clustered data: images of a patient share labels and part of their score; many ties."""
    generator = np.random.default_rng(5)
    patient = np.repeat(np.arange(patients), images)[generator.permutation(patients * images)]
    truth = generator.integers(0, 2, (patients, 3)).astype(np.float64)
    labels = truth[patient]
    shift = generator.normal(0, 1, (patients, 3))[patient]
    scores = np.round(labels + shift + generator.normal(0, 0.3, labels.shape), decimals)
    labels[generator.random(labels.shape) < 0.1] = np.nan
    labels[patient != 0, 2] = 0
    return labels, scores, patient


def slow(
    labels: np.ndarray, scores: np.ndarray, patients: np.ndarray, *, resamples: int, seed: int
) -> np.ndarray:
    """Copies the images of the drawn patients and ranks them anew."""
    generator = np.random.Generator(np.random.PCG64(seed))
    unique = np.unique(patients)
    rows = []
    for _ in range(resamples):
        drawn = unique[generator.integers(0, len(unique), size=len(unique))]
        images = np.concatenate([np.flatnonzero(patients == patient) for patient in drawn])
        rows.append(aurocs(labels[images], scores[images]))
    return np.array(rows)


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_resampled_aucs_equal_the_slow_reference(decimals: int) -> None:
    data = make(decimals=decimals)
    fast = resampled_aucs(*data, resamples=60, seed=4)
    reference = slow(*data, resamples=60, seed=4)
    assert np.isnan(reference[:, 2]).any() and not np.isnan(reference).all()
    np.testing.assert_array_equal(fast, reference)


def test_intervals_are_percentiles_of_the_usable_resamples() -> None:
    labels, scores, patients = make()
    found = bootstrap(labels, scores, patients, resamples=200, seed=9)
    draws = slow(labels, scores, patients, resamples=200, seed=9)
    for column, interval in enumerate(found.findings):
        usable = draws[~np.isnan(draws[:, column]), column]
        assert interval.value == auroc(labels[:, column], scores[:, column])
        assert interval.dropped_resamples == 200 - len(usable)
        ends = np.quantile(usable, [0.025, 0.975])
        np.testing.assert_allclose([interval.low, interval.high], ends, rtol=0, atol=1e-12)
    whole = draws[~np.isnan(draws).any(axis=1)].mean(axis=1)
    assert found.findings[2].dropped_resamples == found.mean.dropped_resamples > 0
    np.testing.assert_allclose(
        [found.mean.low, found.mean.high], np.quantile(whole, [0.025, 0.975]), atol=1e-12
    )
    assert found.mean.value == pytest.approx(aurocs(labels, scores).mean(), abs=1e-15)


def test_size_of_the_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make()
    whole = resampled_aucs(*data, resamples=50, seed=1)
    monkeypatch.setattr(intervals, "_CHUNK_BYTES", 4 * len(data[2]) * 7)
    np.testing.assert_array_equal(resampled_aucs(*data, resamples=50, seed=1), whole)


def test_seed_decides() -> None:
    data = make()
    first = bootstrap(*data, resamples=50, seed=1)
    assert first == bootstrap(*data, resamples=50, seed=1)
    assert first != bootstrap(*data, resamples=50, seed=2)


def test_every_draw_has_as_many_patients() -> None:
    counts = draw_counts(np.random.default_rng(0), 17, 40)
    assert counts.shape == (17, 40) and (counts.sum(axis=0) == 17).all()


def test_patients_give_wider_intervals_than_images_where_images_resemble_each_other() -> None:
    labels, scores, patients = make(decimals=9)
    labels, scores = labels[:, :1], scores[:, :1]
    by_patient = bootstrap(labels, scores, patients, resamples=300, seed=0).mean
    by_image = bootstrap(labels, scores, np.arange(len(patients)), resamples=300, seed=0).mean
    widths = [interval.high - interval.low for interval in (by_patient, by_image)]  # type: ignore[operator]
    assert widths[0] > 1.5 * widths[1]


def test_one_patient_has_a_value_but_no_interval() -> None:
    labels, scores, patients = make()
    found = bootstrap(labels, scores, np.zeros_like(patients), resamples=20, seed=0)
    for interval in (*found.findings, found.mean):
        assert interval.value is not None and interval.low is None and interval.high is None


def test_finding_known_of_one_patient_only_has_no_interval() -> None:
    labels, scores, patients = make()
    labels[patients != 0, 0] = np.nan
    labels[np.flatnonzero(patients == 0)[:3], 0] = 0
    labels[np.flatnonzero(patients == 0)[3:], 0] = 1
    found = bootstrap(labels, scores, patients, resamples=200, seed=0)
    assert found.findings[0].value is not None and found.findings[0].low is None
    assert found.findings[1].low is not None and found.mean.low is None


def test_finding_without_positives_is_left_out_of_the_mean() -> None:
    labels, scores, patients = make()
    labels[:, 0] = 0
    found = bootstrap(labels, scores, patients, resamples=30, seed=0)
    assert found.findings[0] == Interval(None, None, None, 30)
    assert found.mean.value == pytest.approx(np.nanmean(aurocs(labels, scores)), abs=1e-15)
    labels[:, :] = 1
    nothing = bootstrap(labels, scores, patients, resamples=30, seed=0)
    assert nothing.mean == Interval(None, None, None, 30)


def test_no_interval_from_a_minority_of_the_resamples() -> None:
    # Two patients, one with the positives: half of all draws hold only one of them.
    labels = np.array([[1.0], [0.0], [0.0]])
    patients = np.array([1, 2, 3])
    found = bootstrap(labels, labels, patients, resamples=200, seed=0)
    assert 0 < found.findings[0].dropped_resamples < 100 and found.findings[0].low == 1.0
    pair = bootstrap(labels[:2], labels[:2], patients[:2], resamples=200, seed=1)
    assert pair.findings[0].dropped_resamples == pair.mean.dropped_resamples
    assert (pair.findings[0].low is None) == (pair.findings[0].dropped_resamples > 100)


def test_no_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        resampled_aucs(*make(), resamples=0, seed=0)
