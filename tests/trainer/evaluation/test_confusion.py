# SPDX-License-Identifier: MIT
"""Shares between findings are counted pair by pair, and histograms hold every image once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.evaluation import confusion
from trainer.evaluation.resamples import resample

LABELS = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=3, max_size=3), min_size=1, max_size=25
)


@settings(max_examples=80, deadline=None)
@given(rows=LABELS, seed=st.integers(0, 99))
def test_shares_are_those_of_counting_images(rows: list[list[float]], seed: int) -> None:
    labels = np.array(rows)
    scores = np.random.default_rng(seed).random(labels.shape)
    called = confusion.calls(scores, [0.5, None, 0.3])
    found = confusion.matrices(labels, called)
    for first in range(3):
        for second in range(3):
            truth, call = labels[:, first], called[:, first]
            other, other_call = labels[:, second], called[:, second]
            expected = {
                "called_if_missed": other_call[(truth == 1) & (call == 0)],
                "called_if_false_alarm": other_call[(truth == 0) & (call == 1)],
                "labelled_if_false_alarm": other[(truth == 0) & (call == 1)],
                "called_if_called": other_call[call == 1],
                "labelled_if_labelled": other[truth == 1],
            }
            for key, values in expected.items():
                known = values[~np.isnan(values)]
                share = found[key][first, second]
                if first == second or not len(known):
                    assert np.isnan(share)
                else:
                    assert share == pytest.approx(known.mean())


def test_excess_is_the_share_less_that_of_all_images_in_every_resample() -> None:
    generator = np.random.default_rng(3)
    values = (generator.random((240, 3)) < 0.4).astype(np.float64)
    values[generator.random((240, 3)) < 0.1] = np.nan
    condition = generator.random((240, 2)) < 0.3
    patients = np.arange(240) // 3
    draws = resample(patients, values, resamples=80, seed=0)
    found = confusion.excess(condition, values, draws)
    for row in range(2):
        assert found[row][row].value is None and found[row][row].low is None
        for column in set(range(3)) - {row}:
            slow = []
            for times in [np.ones(240, int), *draws.counts[draws.patient_of].T]:
                where = np.repeat(condition[:, row], times)
                held = np.repeat(values[:, column], times)
                known = ~np.isnan(held)
                slow.append(held[where & known].mean() - held[known].mean())
            assert found[row][column].value == pytest.approx(slow[0], abs=1e-12)
            ends = np.quantile(slow[1:], [0.025, 0.975])
            assert found[row][column].low == pytest.approx(ends[0], abs=1e-12)
            assert found[row][column].high == pytest.approx(ends[1], abs=1e-12)


def test_excess_in_one_patient_or_in_no_image_has_no_interval() -> None:
    values = np.array([[1.0, 0], [0, 1], [1, 1], [0, 0]])
    condition = np.array([[True, False]] * 2 + [[False, False]] * 2)
    draws = resample(np.array([0, 0, 1, 2]), values, resamples=30, seed=0)
    found = confusion.excess(condition, values, draws)
    assert found[0][1].value == pytest.approx(0.0) and found[0][1].low is None
    assert found[1][0].value is None and found[1][0].low is None


def test_errors_are_counted_among_known_labels() -> None:
    labels = np.array([[1.0, 1], [1, 0], [0, 0], [np.nan, 1]])
    called = confusion.calls(np.array([[0.9, 0], [0.1, 0], [0.9, 0], [0.9, 0]]), [0.5, None])
    first, second = confusion.counts(labels, called)
    assert first == {"n": 3, "positives": 2, "called": 2, "missed": 1, "false_alarms": 1}
    assert second["positives"] == 2 and second["missed"] is None and second["called"] is None


def test_histograms_hold_every_known_image_in_its_bin() -> None:
    scores = np.array([0.0, 1.0, 0.5, 0.499, 0.02, 0.98])
    labels = np.array([0.0, 1, 1, 0, np.nan, 1])
    found, edges = confusion.histogram(labels, scores), confusion.edges()
    assert sum(found["positive"]) == 3 and sum(found["negative"]) == 2
    assert len(edges) == confusion.BINS + 1 and edges == sorted(edges)
    for kind, label in (("positive", 1), ("negative", 0)):
        expected, _ = np.histogram(scores[labels == label], bins=edges)
        assert found[kind] == expected.tolist()


def test_histograms_of_many_scores_are_those_of_numpy() -> None:
    generator = np.random.default_rng(1)
    scores = generator.beta(0.5, 2, 4000)
    labels = (generator.random(4000) < scores).astype(np.float64)
    found = confusion.histogram(labels, scores)
    for kind, label in (("positive", 1), ("negative", 0)):
        expected, _ = np.histogram(scores[labels == label], bins=confusion.edges())
        assert found[kind] == expected.tolist()
