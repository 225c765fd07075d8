# SPDX-License-Identifier: MIT
"""Decision curves are what counting by hand and the package dcurves give."""

import fractions
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

from trainer.evaluation import decision_curves
from trainer.evaluation.intervals import percentile
from trainer.evaluation.logistic import sigmoid
from trainer.evaluation.resamples import Resamples, resample

ROOT = pathlib.Path(__file__).parents[3]
# What an interpreter with dcurves is asked for: net benefit and interventions avoided of each
# column, [findings, thresholds], of the scores and of calling all.
DCURVES = """
import numpy, pandas, dcurves
given = numpy.load("given.npz")
found = []
for labels, scores in zip(given["labels"].T, given["scores"].T):
    table = dcurves.dca(
        data=pandas.DataFrame({"label": labels.astype(int), "model": scores}),
        outcome="label", modelnames=["model"], thresholds=given["thresholds"].tolist(), nper=100,
    )
    model, every = (table[table.model == name] for name in ("model", "all"))
    found.append([model.net_benefit, every.net_benefit, model.net_intervention_avoided])
numpy.save("found.npy", numpy.array(found))
"""


def made(count: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores in steps of 0.05, so that many equal a threshold; some labels are unknown."""
    generator = np.random.default_rng(3)
    scores = np.round(generator.beta(1, 4, count) * 20) / 20
    labels = (generator.random(count) < scores).astype(np.float64)
    labels[::7] = np.nan
    return labels, scores, np.arange(count) // 3


def by_hand(labels: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[float, float, float]:
    """Net benefit of the scores and of calling all, and interventions avoided, in fractions."""
    odds = fractions.Fraction(threshold) / (1 - fractions.Fraction(threshold))
    model = everything = fractions.Fraction(0)
    for label, score in zip(labels.tolist(), scores.tolist(), strict=True):
        worth = 1 if label == 1 else -odds
        everything += worth
        model += worth if score >= threshold else 0
    images = len(labels)
    avoided = (model - everything) / images / odds * 100
    return float(model / images), float(everything / images), float(avoided)


def test_every_figure_is_the_one_counted_by_hand() -> None:
    labels, scores, patients = made()
    draws = resample(patients, labels[:, None], resamples=20, seed=0)
    thresholds = [0.03, 0.05, 0.15, 0.5, 0.95]
    found = decision_curves.curve(labels, scores, thresholds, draws)
    assert found is not None and found["threshold"] == thresholds
    known = ~np.isnan(labels)
    for at, threshold in enumerate(thresholds):
        model, everything, avoided = by_hand(labels[known], scores[known], threshold)
        assert found["net_benefit"][at] == pytest.approx(model, abs=1e-14)
        assert found["treat_all"][at] == pytest.approx(everything, abs=1e-13)
        assert found["net_interventions_avoided"]["value"][at] == pytest.approx(avoided, abs=1e-10)


def test_a_score_equal_to_the_threshold_is_a_call() -> None:
    labels, scores = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.5, 0.25, 0.5, 0.125])
    draws = resample(np.arange(4), labels[:, None], resamples=5, seed=0)
    found = decision_curves.curve(labels, scores, [0.25, 0.5], draws)
    assert found is not None
    assert found["net_benefit"] == [1 / 4 - 2 / 4 / 3, 1 / 4 - 1 / 4]


def test_intervals_are_those_of_curves_of_the_drawn_images() -> None:
    labels, scores, patients = made(300)
    draws = resample(patients, labels[:, None], resamples=40, seed=1)
    thresholds = [0.1, 0.3]
    found = decision_curves.curve(labels, scores, thresholds, draws)
    assert found is not None
    drawn = np.empty((draws.number, 2, 3))
    for number in range(draws.number):
        images = np.repeat(np.arange(300), draws.counts[draws.patient_of, number])
        images = images[~np.isnan(labels[images])]
        for at, threshold in enumerate(thresholds):
            drawn[number, at] = by_hand(labels[images], scores[images], threshold)
    for at in range(2):
        expected = percentile(found["net_benefit"][at], drawn[:, at, 0])
        assert (found["low"][at], found["high"][at]) == pytest.approx((expected.low, expected.high))
        part = found["net_interventions_avoided"]
        expected = percentile(part["value"][at], drawn[:, at, 2])
        assert (part["low"][at], part["high"][at]) == pytest.approx((expected.low, expected.high))


def test_better_are_the_thresholds_where_both_intervals_lie_above_zero() -> None:
    labels, scores, patients = made(3000)
    draws = resample(patients, labels[:, None], resamples=100, seed=0)
    found = decision_curves.curve(labels, scores, decision_curves.grid(0.02, 0.98), draws)
    assert found is not None
    lows = zip(found["low"], found["net_interventions_avoided"]["low"], strict=True)
    above = [min(pair) > 0 for pair in lows]
    within = [
        any(low <= threshold <= high for low, high in found["better"])
        for threshold in found["threshold"]
    ]
    assert within == above and any(above) and not all(above)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_without_one_of_the_labels_there_are_figures_and_no_intervals(label: float) -> None:
    draws = resample(np.arange(4), np.full((4, 1), label), resamples=5, seed=0)
    found = decision_curves.curve(np.full(4, label), np.linspace(0, 1, 4), [0.1, 0.5], draws)
    assert found is not None and found["low"] == found["high"] == [None, None]
    assert found["better"] == [] and None not in found["net_benefit"]
    json.dumps(found, allow_nan=False)
    assert decision_curves.curve(np.full(4, np.nan), np.zeros(4), [0.1], draws) is None


@pytest.mark.parametrize("limits", [(0.01, 0.5), (0.05, 0.2), (1e-4, 0.99), (0.3, 0.30001)])
def test_a_grid_has_round_steps_and_both_ends(limits: tuple[float, float]) -> None:
    found = decision_curves.grid(*limits)
    assert (found[0], found[-1]) == limits and 25 <= len(found) <= decision_curves.MOST_POINTS
    steps = np.diff(found)
    assert (steps > 0).all() and steps[1:-1] == pytest.approx(steps[1], rel=1e-5)


def tried() -> tuple[np.ndarray, np.ndarray]:
    """Real predictions of the official test list where there are some, or drawn ones."""
    shared = pathlib.Path(os.environ.get("CXR14_SHARED", ROOT.parent / "shared"))
    file = shared / "data" / "predictions" / "resnet50_seed0.npz"
    if not file.is_file():
        labels, scores, _ = made()
        known = ~np.isnan(labels)
        return labels[known, None], scores[known, None]
    with np.load(file) as stored:
        labels = stored["test_labels"].astype(np.float64)
        return labels, sigmoid(stored["test_logits"].astype(np.float64))


def test_dcurves_gives_the_same(tmp_path: pathlib.Path) -> None:
    interpreter = os.environ.get("CXR14_DCURVES_PYTHON")
    if not interpreter:
        pytest.skip("no dcurves: name an interpreter that has it in CXR14_DCURVES_PYTHON")
    labels, scores = tried()
    thresholds = decision_curves.grid(0.01, 0.5)
    np.savez(tmp_path / "given.npz", labels=labels, scores=scores, thresholds=thresholds)
    subprocess.run([interpreter, "-c", DCURVES], cwd=tmp_path, check=True)
    theirs = np.load(tmp_path / "found.npy")
    nobody = Resamples(np.ones((len(labels), 1), np.uint16), np.arange(len(labels)))
    for position in range(labels.shape[1]):
        found = decision_curves.curve(labels[:, position], scores[:, position], thresholds, nobody)
        assert found is not None
        for ours, other in zip(("net_benefit", "treat_all"), theirs[position], strict=False):
            assert np.abs(np.array(found[ours]) - other).max() < 1e-12
        avoided = np.array(found["net_interventions_avoided"]["value"])
        assert np.abs(avoided - theirs[position, 2]).max() < 1e-10
