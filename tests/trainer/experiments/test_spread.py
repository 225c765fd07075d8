# SPDX-License-Identifier: MIT
"""Differences of runs are those of the paired comparison, and seeds are averaged."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from preprocessing.contract.errors import DataError
from trainer.evaluation.comparison import Scored
from trainer.evaluation.resamples import resample
from trainer.experiments import finished, spread


def test_a_difference_is_that_of_the_paired_comparison(run: Callable[..., str]) -> None:
    runs = finished.read([run("a"), run("b", 2.0, seed=1)])
    found = spread.compare(runs, resamples=50, seed=3)
    first, second = (each.predictions.select("test") for each in runs)
    draws = resample(first.patients, first.labels, resamples=50, seed=3)
    one, other = (Scored.of(each.labels, each.scores, draws) for each in (first, second))
    wanted = other.against(one)
    entry = found["runs"][1]
    pairs = zip([wanted.mean, *wanted.findings], [entry["mean"], *entry["findings"].values()],
                strict=True)  # fmt: skip
    for each, own in pairs:
        assert own["difference"] == dataclasses.asdict(each.difference)
        assert (own["p_value"], own["p_holm"]) == (each.p_value, each.p_holm)
    assert entry["mean"]["auc"]["value"] == wanted.mean.second
    assert found["runs"][0]["mean"]["difference"] is None
    assert wanted.mean.difference.value > 0.05


def test_seeds_of_a_recipe_are_averaged_and_their_spread_shown(run: Callable[..., str]) -> None:
    weak = [run(f"weak-{seed}", 0.5, seed=seed) for seed in range(3)]
    strong = [run(f"strong-{seed}", 1.5, seed=seed, loss__name="focal") for seed in range(2)]
    runs = finished.read([*weak, *strong])
    found = spread.compare(runs, resamples=40, seed=0)
    one, other = found["groups"]
    assert (one["seeds"], other["seeds"]) == ([0, 1, 2], [0, 1])
    assert other["settings"] == {"loss.name": "focal"}
    # By another route: scikit-learn's AUC of the two findings that have one.
    exact = []
    for each in runs:
        tested = each.predictions.select("test")
        known = ~np.isnan(tested.labels)
        exact.append(np.mean([
            roc_auc_score(tested.labels[known[:, at], at], tested.scores[known[:, at], at])
            for at in (0, 1)
        ]))  # fmt: skip
    weak_aucs, strong_aucs = np.array(exact[:3]), np.array(exact[3:])
    assert one["spread"]["mean"] == pytest.approx({
        "mean": weak_aucs.mean(), "sd": weak_aucs.std(ddof=1),
        "low": weak_aucs.min(), "high": weak_aucs.max(),
    })  # fmt: skip
    gap = other["mean"]["difference"]
    assert gap["value"] == pytest.approx(strong_aucs.mean() - weak_aucs.mean())
    assert 0 < gap["low"] < gap["value"] < gap["high"]
    assert one["spread"]["findings"]["Hernia"]["mean"] is None
    # The mean of two seeds varies less over patients than a seed alone.
    single = found["runs"][0]["mean"]["auc"]
    assert one["mean"]["auc"]["high"] - one["mean"]["auc"]["low"] < single["high"] - single["low"]


def test_runs_on_other_images_are_one_sentence(run: Callable[..., str]) -> None:
    one, other = finished.read([run("a"), run("b")])
    less = dataclasses.replace(other.predictions, findings=("Mass", "Edema", "Other"))
    with pytest.raises(DataError, match="b: 1 findings are only in a"):
        spread.compare([one, dataclasses.replace(other, predictions=less)], resamples=2, seed=0)
    without = dataclasses.replace(other, predictions=other.predictions.select("validation"))
    with pytest.raises(DataError, match="b has no predictions of a test split"):
        spread.compare([one, without], resamples=2, seed=0)
