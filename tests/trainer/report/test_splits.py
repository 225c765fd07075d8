# SPDX-License-Identifier: MIT
"""The numbers of a split equal an independent computation."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from trainer.evaluation.discrimination import measure
from trainer.evaluation.intervals import as_json, resample
from trainer.predictions.table import Predictions
from trainer.report.source import Source
from trainer.report.splits import numbers_of

Make = Callable[..., Predictions]


def by_pairs(labels: np.ndarray, scores: np.ndarray) -> float:
    """The AUC by comparing every positive with every negative."""
    difference = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def entry_of(rows: Predictions, *, resamples: int, seed: int) -> dict[str, Any]:
    return numbers_of(Source(rows, resamples=resamples, seed=seed), str(rows.splits[0]))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_numbers_equal_an_independent_computation(make: Make, split: str) -> None:
    rows = make().select(split)
    entry = entry_of(rows, resamples=50, seed=3)
    assert (entry["n"], entry["patients"]) == (240, 80)
    areas, precisions = [], []
    for column, name in enumerate(rows.findings):
        labels, found = rows.labels[:, column], entry["findings"][name]
        assert found["n"] == np.isin(labels, (0, 1)).sum()
        assert found["unknown"] == np.isnan(labels).sum()
        assert found["positives"] == (labels == 1).sum()
        assert found["prevalence"] == pytest.approx(np.nanmean(labels))
        assert found["patients"] == len(set(rows.patients[~np.isnan(labels)]))
        assert found["positive_patients"] == len(set(rows.patients[labels == 1]))
        assert found["few_positives"] == (found["positive_patients"] < 100)
        if (split, name) == ("test", "Hernia"):
            assert found["auc"]["value"] is found["average_precision"]["value"] is None
            assert found["roc"] is found["precision_recall"] is None
            assert found["width_ratios"] == dict.fromkeys(("clustered", "image_level", "delong"))
            continue
        known = ~np.isnan(labels)
        areas.append(by_pairs(labels, rows.scores[:, column]))
        precisions.append(average_precision_score(labels[known], rows.scores[known, column]))
        for kind in ("auc", "auc_clustered", "auc_image_level", "auc_delong"):
            assert found[kind]["value"] == pytest.approx(areas[-1], abs=1e-12)
            assert found[kind]["low"] < found[kind]["value"] < found[kind]["high"]
        assert found["average_precision"]["value"] == pytest.approx(precisions[-1], abs=1e-12)
        assert found["auc_one_per_patient"]["value"] not in (None, found["auc"]["value"])
        for kind, ratio in found["width_ratios"].items():
            ours, other = (found[key]["high"] - found[key]["low"] for key in ("auc", f"auc_{kind}"))
            assert ratio == pytest.approx(ours / other)
    for kind in ("auc", "auc_clustered", "auc_image_level", "auc_delong"):
        assert entry[f"mean_{kind}"]["value"] == pytest.approx(np.mean(areas), abs=1e-12)
        pooled = by_pairs(rows.labels.ravel(), rows.scores.ravel())
        assert entry[f"micro_{kind}"]["value"] == pytest.approx(pooled, abs=1e-12)
    assert entry["mean_average_precision"]["value"] == pytest.approx(np.mean(precisions), abs=1e-12)
    assert entry["undefined_findings"] == (["Hernia"] if split == "test" else [])


def test_intervals_are_those_of_the_shared_draws(make: Make) -> None:
    rows = make().select("test")
    entry = entry_of(rows, resamples=50, seed=3)
    draws = resample(rows.patients, rows.labels, resamples=50, seed=3)
    free = resample(rows.patients, np.zeros_like(rows.labels), resamples=50, seed=3)
    expected = measure(rows.labels, rows.scores, rows.patients, draws, free=free, seed=3)
    assert (
        expected.average_precision
        != measure(rows.labels, rows.scores, rows.patients, draws, seed=3).average_precision
    )
    for key, summary in (
        ("auc", expected.auc),
        ("auc_clustered", expected.auc_clustered),
        ("auc_image_level", expected.auc_image_level),
        ("auc_delong", expected.auc_delong),
        ("auc_one_per_patient", expected.auc_one_per_patient),
        ("average_precision", expected.average_precision),
    ):
        assert entry[f"mean_{key}"] == as_json(summary.mean)
        for name, interval in zip(rows.findings, summary.findings, strict=True):
            assert entry["findings"][name][key] == as_json(interval)


def test_prevalences_are_what_a_score_without_information_reaches(make: Make) -> None:
    rows = make().select("test")
    entry = entry_of(rows, resamples=1, seed=0)
    defined = [entry["findings"][name]["prevalence"] for name in ("Mass", "Edema")]
    assert entry["mean_prevalence"] == pytest.approx(np.mean(defined))
    assert entry["micro_prevalence"] == pytest.approx(np.nanmean(rows.labels))


def test_entry_is_strict_json(make: Make) -> None:
    entry = entry_of(make().select("test"), resamples=5, seed=0)
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry


def test_curves_are_thinned_and_run_from_end_to_end(make: Make) -> None:
    entry = entry_of(make(rows=3000).select("test"), resamples=1, seed=0)["findings"]["Mass"]
    roc, recall = entry["roc"], entry["precision_recall"]
    assert roc["corners"] > 200 >= len(roc["thresholds"]) > 100
    assert roc["thresholds"][0] is None
    for name in ("false_positive_rates", "true_positive_rates"):
        assert (roc[name][0], roc[name][-1]) == (0, 1) and roc[name] == sorted(roc[name])
    assert recall["steps"] > 200 >= len(recall["thresholds"]) > 100
    assert len(recall["recalls"]) == len(recall["precisions"]) == len(recall["thresholds"])
    assert recall["recalls"] == sorted(recall["recalls"]) and recall["recalls"][-1] == 1


def test_a_single_image_has_counts_and_no_areas(make: Make) -> None:
    whole = make().select("test")
    one = Predictions(
        ids=whole.ids[:1],
        patients=whole.patients[:1],
        splits=whole.splits[:1],
        labels=whole.labels[:1],
        scores=whole.scores[:1],
        findings=whole.findings,
    )
    entry = entry_of(one, resamples=3, seed=0)
    assert (entry["n"], entry["patients"]) == (1, 1)
    assert entry["undefined_findings"] == list(whole.findings)
    assert entry["mean_auc"]["value"] is None
    # Pooled, its three labels make pairs, but of one patient there is nothing to draw.
    assert entry["micro_auc"]["value"] == by_pairs(one.labels, one.scores)
    assert entry["micro_auc"]["low"] is None
