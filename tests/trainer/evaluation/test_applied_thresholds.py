# SPDX-License-Identifier: MIT
"""Thresholds come from validation alone; their measures on test come with honest intervals."""

import numpy as np
import pytest

from trainer.evaluation.applied_thresholds import PREVALENCES, Applied, apply, at_half, means
from trainer.evaluation.operating_points import MEASURES, RULES, choose
from trainer.evaluation.resamples import Resamples, resample

Pair = tuple[np.ndarray, np.ndarray]


def images(seed: int, count: int = 300, share: float = 0.3) -> Pair:
    generator = np.random.default_rng(seed)
    labels = (generator.random(count) < share).astype(np.float64)
    scores = 1 / (1 + np.exp(-1.5 * labels - generator.normal(-1, 1, count)))
    return labels, scores.round(2)


def drawn(pair: Pair, patients: np.ndarray | None = None, resamples: int = 60) -> Resamples:
    if patients is None:
        patients = np.arange(len(pair[0])) // 3
    return resample(patients, pair[0][:, None], resamples=resamples, seed=1)


@pytest.fixture
def applied() -> Applied:
    test = images(2)
    return apply(images(1), test, drawn(test))


def test_changing_test_labels_changes_no_threshold_and_nothing_of_validation(
    applied: Applied,
) -> None:
    labels, scores = images(2)
    for changed in (1 - labels, np.random.default_rng(0).permutation(labels), 0 * labels):
        other = apply(images(1), (changed, scores), drawn((changed, scores)))
        for rule, entry in applied.entry["rules"].items():
            for key in ("threshold", "reason", "calls_every_image", "validation"):
                assert other.entry["rules"][rule][key] == entry[key]
        assert other.entry["rules"]["youden"]["test"] != applied.entry["rules"]["youden"]["test"]
    changed_validation = apply((1 - images(1)[0], images(1)[1]), images(2), drawn(images(2)))
    assert changed_validation.entry["rules"] != applied.entry["rules"]


def test_thresholds_are_those_of_the_rules(applied: Applied) -> None:
    for rule in RULES:
        assert applied.entry["rules"][rule]["threshold"] == choose(*images(1), rule)
    validation = applied.entry["rules"]["sensitivity_90"]["validation"]
    assert validation["sensitivity"] >= 0.9
    assert applied.entry["rules"]["specificity_90"]["validation"]["specificity"] >= 0.9


def test_every_resample_is_measured_as_if_its_images_lay_there(applied: Applied) -> None:
    labels, scores = images(2)
    draws = drawn((labels, scores))
    for row in (0, 17, 59):
        times = draws.counts[draws.patient_of, row]
        truth, score = np.repeat(labels, times), np.repeat(scores, times)
        for number, rule in enumerate(RULES):
            called = score >= applied.entry["rules"][rule]["threshold"]
            sensitivity = called[truth == 1].mean()
            specificity = (~called[truth == 0]).mean()
            expected = [
                sensitivity,
                specificity,
                truth[called].mean(),
                1 - truth[~called].mean(),
                2 * truth[called].sum() / (truth.sum() + called.sum()),
                sensitivity / (1 - specificity),
                (1 - sensitivity) / specificity,
                1000 * called.mean(),
            ]
            np.testing.assert_allclose(applied.drawn[row, number], expected, rtol=1e-12)


def test_intervals_hold_their_values_and_stay_in_range(applied: Applied) -> None:
    for entry in applied.entry["rules"].values():
        for name, area in entry["test"].items():
            assert area["low"] <= area["value"] <= area["high"]
            assert area["low"] >= 0
            if name not in ("lr_positive", "lr_negative", "alerts_per_1000"):
                assert area["high"] <= 1
        for area in entry["at_prevalence"].values():
            assert len(area["value"]) == len(PREVALENCES)
            assert all(
                low <= value <= high
                for low, value, high in zip(area["low"], area["value"], area["high"], strict=True)
            )
        ppv = entry["at_prevalence"]["ppv"]["value"]
        assert ppv == sorted(ppv)


def test_interval_of_all_resamples_is_their_middle(applied: Applied) -> None:
    area = applied.entry["rules"]["youden"]["test"]["ppv"]
    low, high = np.quantile(applied.drawn[:, 0, MEASURES.index("ppv")], [0.025, 0.975])
    assert (area["low"], area["high"]) == pytest.approx((low, high), rel=1e-12)


def test_unknown_labels_take_no_part(applied: Applied) -> None:
    labels, scores = images(2)
    more = np.append(labels, [np.nan] * 3), np.append(scores, [0.0, 0.5, 1.0])
    draws = drawn((labels, scores))
    wider = Resamples(draws.counts, np.append(draws.patient_of, [0, 1, 2]))
    assert apply(images(1), more, wider).entry == applied.entry


def test_without_a_validation_positive_nothing_is_chosen() -> None:
    validation, test = (np.zeros(5), np.linspace(0, 1, 5)), images(2)
    found = apply(validation, test, drawn(test))
    for entry in found.entry["rules"].values():
        assert entry["threshold"] is None and entry["validation"] is None
        assert "to have the finding" in entry["reason"]
        assert all(area["value"] is None for area in entry["test"].values())
        assert all(area["low"] is None for area in entry["test"].values())
        assert entry["at_prevalence"]["ppv"]["value"] == [None] * len(PREVALENCES)


def test_without_a_test_positive_only_what_needs_none_is_defined() -> None:
    labels, scores = images(2)
    test = np.zeros_like(labels), scores
    entry = apply(images(1), test, drawn(test)).entry["rules"]["youden"]["test"]
    defined = {name for name in MEASURES if entry[name]["value"] is not None}
    assert defined == {"specificity", "alerts_per_1000"}


def test_one_patient_gives_values_without_an_interval() -> None:
    test = images(2, count=20)
    entry = apply(images(1), test, drawn(test, np.zeros(20))).entry["rules"]["youden"]["test"]
    assert all(area["value"] is not None for area in entry.values())
    assert all(area["low"] is None and area["high"] is None for area in entry.values())


def test_positives_of_one_patient_give_no_interval_of_sensitivity() -> None:
    labels, scores = images(2, count=30)
    labels[:] = [1] * 3 + [0] * 27
    entry = apply(images(1), (labels, scores), drawn((labels, scores))).entry["rules"]["max_f1"]
    ended = {name for name in MEASURES if entry["test"][name]["low"] is not None}
    assert ended == {"specificity", "alerts_per_1000"}


def test_one_image_is_enough_for_a_row() -> None:
    test = np.array([1.0]), np.array([0.99])
    entry = apply(images(1), test, drawn(test)).entry
    assert entry["test"] == {"n": 1, "positives": 1}
    assert entry["rules"]["youden"]["test"]["sensitivity"]["value"] == 1.0


def test_infinite_likelihood_ratio_is_not_defined_and_an_infinite_end_leaves_no_interval() -> None:
    validation = np.array([0.0, 1.0]), np.array([0.2, 0.5])
    labels = np.array([0.0] * 10 + [1.0] * 10)
    clean = labels, np.where(labels == 1, 0.9, 0.1)
    area = apply(validation, clean, drawn(clean)).entry["rules"]["youden"]["test"]["lr_positive"]
    assert (area["value"], area["low"], area["high"]) == (None, None, None)
    scores = np.where(labels == 1, 0.9, 0.1)
    scores[0] = 0.9  # One false alarm, which every third resample lacks.
    rare = labels, scores
    draws = drawn(rare, np.arange(20), resamples=400)
    found = apply(validation, rare, draws)
    area = found.entry["rules"]["youden"]["test"]["lr_positive"]
    assert np.isinf(found.drawn[:, 0, MEASURES.index("lr_positive")]).any()
    assert area["value"] == pytest.approx(10) and area["low"] is None and area["high"] is None


def test_constant_scores_are_said_to_call_every_image() -> None:
    constant = np.array([0.0, 1.0, 0.0]), np.full(3, 0.5)
    test = images(2)
    rules = apply(constant, test, drawn(test)).entry["rules"]
    assert rules["max_f1"]["calls_every_image"] and rules["sensitivity_90"]["calls_every_image"]
    assert rules["youden"]["threshold"] is None and not rules["youden"]["calls_every_image"]


def test_means_leave_out_what_is_not_defined(applied: Applied) -> None:
    test = images(3)
    draws = drawn(test)
    second = apply(images(4), test, draws)
    nothing = apply((np.zeros(5), np.linspace(0, 1, 5)), test, draws)
    found = means([applied, second, nothing])["youden"]
    assert found["findings"]["f1"] == 2
    values = [one.entry["rules"]["youden"]["test"]["f1"]["value"] for one in (applied, second)]
    assert found["test"]["f1"]["value"] == pytest.approx(sum(values) / 2)
    column = MEASURES.index("f1")
    both = (applied.drawn[:, 0, column] + second.drawn[:, 0, column]) / 2
    assert found["test"]["f1"]["low"] == pytest.approx(np.quantile(both, 0.025))
    before = [one.entry["rules"]["youden"]["validation"]["f1"] for one in (applied, second)]
    assert found["validation"]["f1"] == pytest.approx(sum(before) / 2)
    alone = means([nothing])["max_f1"]
    assert alone["test"]["f1"]["value"] is None and alone["validation"]["f1"] is None


def test_the_threshold_of_one_half_is_counted() -> None:
    labels = np.array([[1.0, 1], [1, 0], [0, np.nan]])
    scores = np.array([[0.5, 0.4], [0.1, 0.3], [0.9, 0.9]])
    found = at_half(labels, scores, ["Mass", "Edema"])
    assert found == {"mean_sensitivity": 0.25, "never_called": ["Edema"]}
    assert at_half(labels[:0], scores[:0], ["Mass", "Edema"])["mean_sensitivity"] is None
