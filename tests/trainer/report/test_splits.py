# SPDX-License-Identifier: MIT
"""The numbers of a split equal an independent computation."""

from collections.abc import Callable

import numpy as np
import pytest

from trainer.evaluation.intervals import bootstrap
from trainer.predictions import Predictions
from trainer.report.splits import numbers_of

Make = Callable[..., Predictions]


def by_pairs(labels: np.ndarray, scores: np.ndarray) -> float:
    """The AUC by comparing every positive with every negative."""
    difference = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def test_numbers_equal_an_independent_computation(make: Make) -> None:
    for split in ("validation", "test"):
        rows = make().select(split)
        entry = numbers_of(rows, resamples=50, seed=3)
        expected = bootstrap(rows.labels, rows.scores, rows.patients, resamples=50, seed=3)
        assert (entry["n"], entry["patients"]) == (240, 80)
        areas = []
        for column, name in enumerate(rows.findings):
            labels, found = rows.labels[:, column], entry["findings"][name]
            assert found["n"] == np.isin(labels, (0, 1)).sum()
            assert found["unknown"] == np.isnan(labels).sum()
            assert found["positives"] == (labels == 1).sum()
            assert found["prevalence"] == pytest.approx(np.nanmean(labels))
            assert found["patients"] == len(set(rows.patients[~np.isnan(labels)]))
            assert found["positive_patients"] == len(set(rows.patients[labels == 1]))
            assert found["few_positives"] == ((labels == 1).sum() < 100)
            if (split, name) == ("test", "Hernia"):
                assert found["auc"]["value"] is None and found["roc"] is None
                continue
            areas.append(by_pairs(labels, rows.scores[:, column]))
            assert found["auc"]["value"] == pytest.approx(areas[-1], abs=1e-12)
            assert found["auc"]["low"] == expected.findings[column].low
            assert found["auc"]["low"] < found["auc"]["value"] < found["auc"]["high"]
        assert entry["mean_auc"]["value"] == pytest.approx(np.mean(areas), abs=1e-12)
        assert entry["mean_auc"]["high"] == expected.mean.high
        assert entry["undefined_findings"] == (["Hernia"] if split == "test" else [])


def test_curves_are_thinned_and_run_from_corner_to_corner(make: Make) -> None:
    roc = numbers_of(make(rows=3000).select("test"), resamples=1, seed=0)["findings"]["Mass"]["roc"]
    assert roc["corners"] > 200 >= len(roc["thresholds"]) > 100
    assert roc["thresholds"][0] is None
    for name in ("false_positive_rates", "true_positive_rates"):
        assert (roc[name][0], roc[name][-1]) == (0, 1) and roc[name] == sorted(roc[name])
