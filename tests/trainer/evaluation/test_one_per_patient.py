# SPDX-License-Identifier: MIT
"""One image stands for each patient, whatever its label, and every patient counts once."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from trainer.evaluation import one_per_patient
from trainer.evaluation.one_per_patient import CHOICES, choose, summary
from trainer.evaluation.resamples import resample


def clustered() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A few patients with many images that are easy, many patients with one that is hard."""
    generator = np.random.default_rng(2)
    patients = np.concatenate([np.repeat(np.arange(20), 30), np.arange(20, 220)])
    labels = (patients % 2).astype(np.float64)
    easy = patients < 20
    scores = np.where(easy, 3.0, 0.3) * labels + generator.normal(0, 1, len(patients))
    return labels[:, None], scores[:, None], patients


def test_every_choice_holds_each_patient_once() -> None:
    patients = np.array(["b", "a", "b", "c", "b", "a"])
    chosen = choose(patients, choices=50, seed=0)
    assert len(chosen) == 50
    for images in chosen:
        assert sorted(patients[images]) == ["a", "b", "c"]


def test_each_image_of_a_patient_has_the_same_chance() -> None:
    patients = np.array([0, 0, 0, 0, 1])
    times = np.bincount(np.concatenate(choose(patients, choices=8000, seed=1)), minlength=5)
    assert times[4] == 8000 and abs(times[:4] - 2000).max() < 200


def test_labels_and_scores_take_no_part_in_the_choice() -> None:
    labels, scores, patients = clustered()
    draws = resample(patients, labels, resamples=20, seed=0)
    found = summary(labels, scores, patients, draws, seed=7)
    areas = [
        roc_auc_score(labels[images, 0], scores[images, 0])
        for images in choose(patients, choices=CHOICES, seed=7)
    ]
    assert found.findings[0].value == pytest.approx(np.mean(areas), abs=1e-12)
    turned = summary(1 - labels, scores, patients, draws, seed=7)
    assert turned.findings[0].value == pytest.approx(1 - np.mean(areas), abs=1e-12)


def test_interval_is_that_of_the_mean_over_choices() -> None:
    labels, scores, patients = clustered()
    draws = resample(patients, labels, resamples=40, seed=0)
    found = summary(labels, scores, patients, draws, seed=7).findings[0]
    means = []
    for number in range(40):
        areas = []
        for images in choose(patients, choices=CHOICES, seed=7):
            copies = np.repeat(images, draws.counts[patients[images], number])
            areas.append(roc_auc_score(labels[copies, 0], scores[copies, 0]))
        means.append(np.mean(areas))
    ends = np.quantile(means, [0.025, 0.975])
    np.testing.assert_allclose([found.low, found.high], ends, rtol=0, atol=1e-12)


def test_patients_with_many_images_no_longer_decide() -> None:
    labels, scores, patients = clustered()
    draws = resample(patients, labels, resamples=20, seed=0)
    every = roc_auc_score(labels[:, 0], scores[:, 0])
    assert summary(labels, scores, patients, draws, seed=0).findings[0].value < every - 0.15


def test_patients_with_one_image_each_give_the_auc_of_all_images() -> None:
    labels, scores, _ = clustered()
    patients = np.arange(len(labels))
    draws = resample(patients, labels, resamples=20, seed=0)
    found = summary(labels, scores, patients, draws, seed=0)
    assert len(choose(patients, choices=CHOICES, seed=0)) == 1
    assert found.findings[0].value == pytest.approx(roc_auc_score(labels[:, 0], scores[:, 0]))
    assert found.mean == found.findings[0] and found.micro.value is None


def test_a_finding_is_undefined_where_most_choices_hold_no_positive() -> None:
    labels, scores, patients = clustered()
    labels[:] = 0
    # Two of the thirty images of two patients: almost no choice holds one of them.
    labels[[0, 30]] = 1
    draws = resample(patients, labels, resamples=20, seed=0)
    found = summary(labels, scores, patients, draws, seed=0)
    assert found.findings[0].value is None and found.mean.value is None


def test_choices_without_a_positive_are_left_out_while_they_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(one_per_patient, "CHOICES", 40)
    labels, scores, patients = clustered()
    labels[:] = 0
    labels[:20] = labels[30:50] = 1
    draws = resample(patients, labels, resamples=20, seed=0)
    areas = []
    for images in choose(patients, choices=40, seed=0):
        if labels[images].any():
            areas.append(roc_auc_score(labels[images, 0], scores[images, 0]))
    assert 20 < len(areas) < 40
    found = summary(labels, scores, patients, draws, seed=0).findings[0]
    assert found.value == pytest.approx(np.mean(areas), abs=1e-12)


def test_spellings_of_a_patient_are_one_patient() -> None:
    for chosen in choose(np.array(["7", "007", "7.0", "8"]), choices=5, seed=0):
        assert len(chosen) == 2 and 3 in chosen.tolist()
