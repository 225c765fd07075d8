# SPDX-License-Identifier: MIT
"""The size of a later study follows from the spread, and studies of that size have its power."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from trainer.evaluation import later_study
from trainer.evaluation.comparison import Scored
from trainer.evaluation.resamples import resample


def made(patients: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    patient = np.repeat(np.arange(patients), generator.integers(1, 5, patients))
    labels = (generator.random((patients, 2)) < [0.5, 0.3]).astype(np.float64)[patient]
    shared = generator.normal(0, 0.7, (patients, 2))[patient]
    first, second = (labels + shared + generator.normal(0, 0.7, labels.shape) for _ in range(2))
    return labels, first, second, patient


def planned(margin: float, size: int = 300) -> tuple[list[later_study.Plan], float]:
    labels, first, second, patients = made(size)
    draws = resample(patients, labels, resamples=1000, seed=0)
    scored = tuple(Scored.of(labels, scores, draws) for scores in (first, second))
    plans = later_study.plans(
        labels, (first, second), scored, draws.patient_of, margin=margin, seed=0
    )
    error = scored[1].against(scored[0]).mean.standard_error
    assert error is not None
    return plans, error


def test_a_plan_has_its_power_by_the_formula_and_by_trial() -> None:
    plans, error = planned(0.03)
    assert plans[0].difference == 0 and plans[1].difference != 0
    for plan in plans:
        # Power of a one-sided z-test with the spread of a study of that size.
        spread = error * np.sqrt(300 / plan.patients)
        power = stats.norm.sf(1.959963985 - (0.03 + plan.difference) / spread)
        assert power == pytest.approx(later_study.POWER, abs=0.03)
        assert plan.shown == pytest.approx(later_study.POWER, abs=0.1)


def test_a_difference_beyond_the_margin_is_shown_by_no_study() -> None:
    about = {"margin": 0.01, "error": 0.01, "patients": 100}
    assert later_study.needed(-0.01, **about) is None
    assert later_study.needed(-0.02, **about) is None
    half = later_study.needed(-0.005, **about)
    assert half == pytest.approx(4 * later_study.needed(0.0, **about), rel=0.01)
    assert later_study.needed(0.5, **about) == 2


def test_studies_of_far_more_patients_than_there_are_are_not_drawn() -> None:
    plans, _ = planned(0.0001, size=60)
    assert plans[0].patients > 600 and plans[0].shown is None


def test_a_tried_study_is_what_scikit_learn_gives_on_its_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Written out: drawn patients, the AUCs of their images, DeLong's errors summed by patient."""
    monkeypatch.setattr(later_study, "STUDIES", 30)
    labels, first, second, patients = made(40)
    labels, first, second = labels[:, :1], first[:, :1], second[:, :1]
    draws = resample(patients, labels, resamples=2, seed=0)
    scored = tuple(Scored.of(labels, scores, draws) for scores in (first, second))
    plan, _ = later_study.plans(
        labels, (first, second), scored, draws.patient_of, margin=0.08, seed=7
    )
    generator = np.random.Generator(np.random.PCG64(7))
    pulls = np.bincount(patients, (scored[1].pulls - scored[0].pulls)[0])
    observed = scored[1].areas[0] - scored[0].areas[0]
    shown = []
    for _ in range(later_study.STUDIES):
        drawn = generator.integers(0, 40, plan.patients)
        images = np.concatenate([np.flatnonzero(patients == each) for each in drawn])
        areas = [roc_auc_score(labels[images, 0], one[images, 0]) for one in (first, second)]
        spread = np.sqrt((pulls[drawn] ** 2).sum()) * 40 / plan.patients
        shown.append(areas[1] - areas[0] - observed - 1.959963985 * spread > -0.08)
    assert plan.shown == np.mean(shown)


def test_without_a_standard_error_nothing_is_planned() -> None:
    labels, first, second, patients = made(40)
    labels[:, 1] = 0
    labels[0, 1] = 1
    draws = resample(patients, labels, resamples=2, seed=0)
    scored = tuple(Scored.of(labels, scores, draws) for scores in (first, second))
    about = (labels, (first, second), scored, draws.patient_of)
    assert later_study.plans(*about, margin=0.01, seed=0) == []
    labels[:] = 0
    scored = tuple(Scored.of(labels, scores, draws) for scores in (first, second))
    assert later_study.plans(labels, *about[1:2], scored, about[3], margin=0.01, seed=0) == []


def test_a_study_that_the_formula_makes_too_small_is_enlarged() -> None:
    asked: list[int] = []

    def shown(size: int, difference: float, seed: int) -> float:
        asked.append(size)
        return min(1.0, size / 200)

    plan = later_study._tried(later_study.Plan(0.0, 100), shown, 1000, 0)
    assert plan == later_study.Plan(0.0, 169, 0.845) and asked == [100, 130, 169]
    # Where there are not patients enough to draw from, the largest tried stays, and is too small.
    plan = later_study._tried(later_study.Plan(0.0, 100), shown, 120, 0)
    assert plan == later_study.Plan(0.0, 100, 0.5)
