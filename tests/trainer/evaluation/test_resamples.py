# SPDX-License-Identifier: MIT
"""Areas in resamples equal a slow reference that copies the images of the drawn patients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from trainer.evaluation import resamples
from trainer.evaluation.resamples import Resamples, resample, strata


def make(
    patients: int = 30, images: int = 6, decimals: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clustered data: images of a patient share labels and part of their score; many ties."""
    generator = np.random.default_rng(5)
    patient = np.repeat(np.arange(patients), images)[generator.permutation(patients * images)]
    truth = (generator.random((patients, 3)) < [0.5, 0.3, 0.1]).astype(np.float64)
    labels = truth[patient]
    shift = generator.normal(0, 1, (patients, 3))[patient]
    scores = np.round(labels + shift + generator.normal(0, 0.3, labels.shape), decimals)
    labels[generator.random(labels.shape) < 0.1] = np.nan
    return labels, scores, patient


def copied(draws: Resamples, number: int) -> np.ndarray:
    """The images of one resample, each as often as its patient was drawn."""
    return np.repeat(np.arange(len(draws.patient_of)), draws.counts[draws.patient_of, number])


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_areas_equal_scikit_learn_on_copies_of_the_drawn_patients(decimals: int) -> None:
    labels, scores, patients = make(decimals=decimals)
    draws = resample(patients, labels, resamples=60, seed=4)
    for column in range(3):
        aucs = draws.aucs(labels[:, column], scores[:, column])
        precisions = draws.areas(labels[:, column], scores[:, column])[1]
        for number in range(60):
            images = copied(draws, number)
            images = images[~np.isnan(labels[images, column])]
            pair = labels[images, column], scores[images, column]
            assert abs(aucs[number] - roc_auc_score(*pair)) < 1e-12
            assert abs(precisions[number] - average_precision_score(*pair)) < 1e-12


def test_sums_equal_sums_over_copies() -> None:
    labels, scores, patients = make()
    draws = resample(patients, labels, resamples=40, seed=1)
    values = np.column_stack([scores[:, 0], np.nan_to_num(labels[:, 1]), np.ones(len(labels))])
    found = draws.sums(values)
    assert found.shape == (40, 3)
    for number in range(40):
        expected = values[copied(draws, number)].sum(axis=0)
        np.testing.assert_allclose(found[number], expected, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(draws.sums(values[:, 1] > 0), found[:, 1])
    assert draws.sums(np.empty((len(labels), 0))).shape == (40, 0)


def test_selected_images_keep_their_draws() -> None:
    labels, scores, patients = make()
    draws = resample(patients, labels, resamples=30, seed=2)
    mask = scores[:, 1] > 0
    part = draws.select(mask)
    assert part.number == draws.number == 30
    for number in (0, 29):
        images = copied(draws, number)
        expected = roc_auc_score(
            *(
                array[images[mask[images] & ~np.isnan(labels[images, 0])], 0]
                for array in (labels, scores)
            )
        )
        assert abs(part.aucs(labels[mask, 0], scores[mask, 0])[number] - expected) < 1e-12
    np.testing.assert_array_equal(draws.select(np.flatnonzero(mask)).patient_of, part.patient_of)


def test_every_resample_draws_as_many_patients_of_each_stratum() -> None:
    labels, _, patients = make(patients=60)
    draws = resample(patients, labels, resamples=50, seed=0)
    assert draws.counts.dtype == np.uint16 and draws.counts.shape == (60, 50)
    stratum = strata(patients, labels)
    assert len(np.unique(stratum)) == 4
    for number in np.unique(stratum):
        members = stratum == number
        assert (draws.counts[members].sum(axis=0) == members.sum()).all()
        assert draws.counts[members].std() > 0


def test_each_patient_of_a_stratum_is_drawn_equally_often() -> None:
    labels = np.array([[1.0]] * 4 + [[0.0]] * 6)
    counts = resample(np.arange(10), labels, resamples=20_000, seed=0).counts
    np.testing.assert_allclose(counts.mean(axis=1), 1.0, atol=0.03)
    # Multinomial draws: variance 1 - 1/m in a stratum of m patients.
    np.testing.assert_allclose(counts[:4].var(axis=1), 3 / 4, atol=0.03)
    np.testing.assert_allclose(counts[4:].var(axis=1), 5 / 6, atol=0.03)


def test_stratum_is_the_rarest_finding_and_nobody_is_alone() -> None:
    labels = np.array(
        [
            [1, 1, 0],
            [1, 0, 0],
            [1, 0, np.nan],
            [0, 1, 0],
            [0, 0, 1],
            [0, 0, 0],
            [0, 0, 0],
        ],
        dtype=np.float64,
    )
    # Patients 0 and 3 share the second finding, rarer than the first; patient 4 is alone.
    np.testing.assert_array_equal(strata(np.arange(7), labels), [1, 0, 0, 1, 3, 3, 3])
    # Counted by patient, not by image: the first finding is of one patient now, and passed over.
    same = np.array([0, 0, 0, 1, 2, 3, 4])
    np.testing.assert_array_equal(strata(same, labels), [1, 1, 3, 3, 3])
    # The one who is left alone with the common finding joins those without any.
    left = np.array([[1, 1], [0, 1], [1, 0], [0, 1], [1, 1]], dtype=np.float64)[[0, 1, 2, 4]]
    np.testing.assert_array_equal(strata(np.arange(4), left), [0, 2, 0, 0])


def test_seed_decides() -> None:
    labels, _, patients = make()
    first, again, other = (
        resample(patients, labels, resamples=20, seed=seed).counts for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_fewer_resamples_are_the_first_of_more() -> None:
    labels, _, patients = make()
    some = resample(patients, labels, resamples=5, seed=1).counts
    np.testing.assert_array_equal(
        resample(patients, labels, resamples=9, seed=1).counts[:, :5], some
    )


def test_size_of_the_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, scores, patients = make()
    draws = resample(patients, labels, resamples=50, seed=1)
    pair = labels[:, 0], scores[:, 0]
    whole, sums = draws.areas(*pair), draws.sums(scores)
    monkeypatch.setattr(resamples, "_CHUNK", len(patients) * 7)
    again = Resamples(draws.counts, draws.patient_of)
    np.testing.assert_array_equal(again.areas(*pair), whole)
    np.testing.assert_allclose(draws.sums(scores), sums, rtol=0, atol=1e-10)


def test_names_of_patients_may_be_text_and_stand_in_any_order() -> None:
    labels, scores, patients = make()
    named = np.array([f"{number:08d}" for number in patients])
    pair = labels[:, 0], scores[:, 0]
    np.testing.assert_array_equal(
        resample(named, labels, resamples=10, seed=3).aucs(*pair),
        resample(patients, labels, resamples=10, seed=3).aucs(*pair),
    )


def test_positives_of_one_patient_give_no_area() -> None:
    labels, scores, patients = make()
    labels[:, 0] = patients == 3
    draws = resample(patients, labels, resamples=20, seed=0)
    for negatives_of_one in (False, True):
        column = 1 - labels[:, 0] if negatives_of_one else labels[:, 0]
        assert all(np.isnan(area).all() for area in draws.areas(column, scores[:, 0]))


def test_no_positive_no_negative_and_no_known_label_give_no_area() -> None:
    labels, scores, patients = make()
    draws = resample(patients, labels, resamples=20, seed=0)
    for value in (0.0, 1.0, np.nan):
        areas = draws.areas(np.full(len(patients), value), scores[:, 0])
        assert all(np.isnan(area).all() for area in areas)


def test_one_image_and_no_image() -> None:
    for count in (0, 1):
        labels = np.ones((count, 2))
        draws = resample(np.arange(count), labels, resamples=4, seed=0)
        assert draws.counts.shape == (count, 4) and (draws.counts == 1).all()
        assert np.isnan(draws.aucs(labels[:, 0], labels[:, 0])).all()
        np.testing.assert_array_equal(draws.sums(labels), np.full((4, 2), count))


def test_constant_scores_give_one_half_and_the_prevalence() -> None:
    labels, _, patients = make()
    labels = np.nan_to_num(labels)
    draws = resample(patients, labels, resamples=20, seed=0)
    aucs, precisions = draws.areas(labels[:, 0], np.full(len(labels), 0.3))
    np.testing.assert_array_equal(aucs, 0.5)
    prevalences = draws.sums(labels[:, 0]) / draws.sums(np.ones(len(labels)))
    np.testing.assert_allclose(precisions, prevalences, rtol=0, atol=1e-12)


def test_a_resample_without_a_positive_has_no_area() -> None:
    # Four positive patients, known for one finding, in the stratum of another: some draws miss all.
    labels = np.zeros((40, 2))
    labels[:2, 0] = labels[:40, 1] = 1
    labels[2:, 0] = 0
    counts = np.zeros((40, 3), dtype=np.uint16)
    counts[2:, 0] = counts[:, 1] = counts[:2, 2] = 1
    found = Resamples(counts, np.arange(40)).areas(labels[:, 0], np.arange(40.0))
    for area in found:
        np.testing.assert_array_equal(np.isnan(area), [True, False, True])


def test_no_resamples_are_refused() -> None:
    labels, _, patients = make()
    with pytest.raises(ValueError, match="at least 1"):
        resample(patients, labels, resamples=0, seed=0)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(2, 25))
def test_draws_turn_with_the_labels_and_ignore_monotone_maps(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.choice([0.0, 1.0, np.nan], (count, 1), p=[0.5, 0.4, 0.1])
    scores = generator.integers(0, 5, count) / 4
    draws = resample(generator.integers(0, count, count), labels, resamples=8, seed=seed)
    aucs = draws.aucs(labels[:, 0], scores)
    np.testing.assert_array_equal(draws.aucs(labels[:, 0], np.exp(3 * scores)), aucs)
    np.testing.assert_allclose(draws.aucs(1 - labels[:, 0], scores), 1 - aucs, atol=1e-15)
    assert np.nanmin(aucs, initial=0.5) >= 0 and np.nanmax(aucs, initial=0.5) <= 1


def test_spellings_of_a_patient_are_drawn_together() -> None:
    labels = np.array([[1], [0], [1], [0], [1], [0]], dtype=float)
    mixed = np.array(["7", "007", "8", "8.0", "9 ", "9"])
    plain = np.array(["7", "7", "8", "8", "9", "9"])
    one, other = (resample(names, labels, resamples=20, seed=1) for names in (mixed, plain))
    assert one.counts.shape == (3, 20)
    order = [int(one.patient_of[row]) for row in (0, 2, 4)]
    assert sorted(order) == [0, 1, 2]
    assert one.patient_of[0] == one.patient_of[1] and one.patient_of[2] == one.patient_of[3]
    assert other.patient_of.tolist() == [0, 0, 1, 1, 2, 2]


def test_several_patients_are_told_from_one() -> None:
    labels = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [np.nan, 0.0], [1.0, 0.0]])
    draws = Resamples(np.ones((4, 1), np.uint16), np.array([3, 3, 3, 1, 2, 0]))
    assert draws.several(labels == 1).tolist() == [True, False]
    assert draws.several(labels == 0).tolist() == [True, True]
    assert draws.several(labels[:, 0] == 0) and not draws.several(labels[:, 0] > 1)


def test_areas_are_made_once_and_only_for_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, scores, patients = make()
    draws = resample(patients, labels, resamples=5, seed=0)
    column, n = (labels[:, 0], scores[:, 0]), len(patients)
    first, made = draws.areas(*column), []
    monkeypatch.setattr(Resamples, "_areas", lambda *given: made.append(given) or np.zeros((2, 5)))
    again = draws.select(np.ones(n, dtype=bool)).areas(labels[:, 0].copy(), scores[:, 0])
    assert not made
    np.testing.assert_array_equal(again, first)
    with pytest.raises(ValueError, match="read-only"):
        again[0][0] = 1
    assert np.array_equal(draws.aucs(*column), first[0]) and not made
    draws.areas(column[0], column[1][::-1])
    draws.select(np.arange(n - 1)).areas(column[0][:-1], column[1][:-1])
    draws.select(np.arange(n)[::-1]).areas(*column)
    assert len(made) == 3
