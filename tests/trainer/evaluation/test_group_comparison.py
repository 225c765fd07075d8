# SPDX-License-Identifier: MIT
"""Tests of setting groups beside all images and beside their largest group."""

from typing import Any

import numpy as np
import pytest

from trainer.evaluation import intervals
from trainer.evaluation.group_comparison import compare
from trainer.evaluation.grouping import UNKNOWN, by_band, by_code

FINDINGS = ("Mass", "Edema", "Hernia")


class Case:
    """Women's masses are told apart, men's are not; Hernia is rare; a few sexes are unknown."""

    def __init__(self, n: int = 1200) -> None:
        generator = np.random.default_rng(11)
        self.sex = np.where(np.arange(n) % 5 < 2, "F", "M").astype("<U1")
        self.sex[:60] = ""
        self.labels = (generator.random((n, 3)) < [0.4, 0.3, 0.005]).astype(np.float32)
        self.labels[[100, 102, 104, 106], 2] = 1
        signal = np.where(self.sex == "F", 2.0, 0.0)[:, None] * self.labels * [1, 0, 0]
        noise = generator.normal(size=(n, 3)) + self.labels * [0, 1, 1]
        self.scores = 1 / (1 + np.exp(-(signal + noise)))
        self.patients = np.arange(n) // 5 + 1000 * (self.sex == "F")
        self.draws = intervals.resample(self.patients, self.labels, resamples=200, seed=1)
        self.thresholds: list[float | None] = [0.6, 0.6, 0.6]

    def compare(self, divisions: list[Any] | None = None) -> dict[str, Any]:
        by_sex = by_code("sex", self.sex, {"F": "female", "M": "male"})
        return compare(
            self.labels,
            self.scores,
            self.draws,
            thresholds=self.thresholds,
            divisions=divisions or [by_sex],
            findings=FINDINGS,
        )


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return Case().compare()


def test_a_group_that_differs_is_marked_and_one_that_does_not_is_not(found: dict[str, Any]) -> None:
    female, male, unknown = found["divisions"][0]["groups"]
    assert (female["name"], male["name"], unknown["name"]) == ("female", "male", UNKNOWN)
    assert "auc" in female["findings"]["Mass"]["outside"]
    assert female["findings"]["Mass"]["minus_reference"]["auc"]["low"] > 0
    assert male["findings"]["Mass"]["outside"] == male["outside"] == []
    assert female["findings"]["Edema"]["outside"] == []


def test_groups_that_lie_below_all_images_alike_are_not_marked() -> None:
    """The AUC of all images counts pairs of two groups, which the view alone tells apart."""
    case = Case()
    apart = np.arange(1200) % 2
    generator = np.random.default_rng(5)
    case.labels[:, 0] = generator.random(1200) < np.where(apart, 0.7, 0.1)
    case.scores[:, 0] = (apart + generator.random(1200)) / 2
    division = by_code("view", np.where(apart, "AP", "PA"), {"PA": "PA", "AP": "AP"})
    found = case.compare([division])
    overall = found["overall"]["Mass"]["auc"]["value"]
    for group in found["divisions"][0]["groups"]:
        entry = group["findings"]["Mass"]
        assert entry["auc"]["high"] < overall and "auc" not in entry["outside"]


def test_differences_are_from_the_largest_known_group(found: dict[str, Any]) -> None:
    division = found["divisions"][0]
    female, male, _ = division["groups"]
    assert division["reference"] == "male"
    assert male["mean_minus_reference"] is None
    assert male["findings"]["Mass"]["minus_reference"] is None
    gap = female["findings"]["Mass"]["minus_reference"]["tpr"]
    each = [group["findings"]["Mass"]["tpr"]["value"] for group in (female, male)]
    assert gap["value"] == pytest.approx(each[0] - each[1])
    assert 0 < gap["low"] < gap["value"] < gap["high"]


def test_all_means_are_over_the_same_findings(found: dict[str, Any]) -> None:
    division = found["divisions"][0]
    assert division["averaged"] == ["Mass", "Edema"]
    for group in division["groups"][:2]:
        each = [group["findings"][name]["auc"]["value"] for name in ("Mass", "Edema")]
        assert group["mean"]["auc"]["value"] == pytest.approx(np.mean(each))
    each = [found["overall"][name]["auc"]["value"] for name in ("Mass", "Edema")]
    assert division["overall"]["auc"]["value"] == pytest.approx(np.mean(each))


def test_too_few_images_are_counted_and_have_no_figures(found: dict[str, Any]) -> None:
    female = found["divisions"][0]["groups"][0]["findings"]["Hernia"]
    assert set(female) == {"positives", "negatives", "too_few"}
    assert female["too_few"] and female["positives"] < 10


def test_images_add_up_and_every_comparison_is_counted(found: dict[str, Any]) -> None:
    groups = found["divisions"][0]["groups"]
    assert sum(group["images"] for group in groups) == 1200
    entries = [entry for group in groups for entry in group["findings"].values()]
    shown = [entry for entry in entries if not entry["too_few"]]
    gaps = [entry for entry in shown if entry["minus_reference"] is not None]
    assert 0 < found["comparisons"]["auc"]["intervals"] == len(gaps) < len(shown)
    marked = sum("auc" in entry["outside"] for entry in gaps)
    assert found["comparisons"]["auc"]["outside"] == marked >= 1


def test_a_small_group_does_not_shrink_the_means_of_the_others() -> None:
    case = Case()
    ages = np.full(1200, 50)
    ages[200:600], ages[:12] = 30, 5
    division = by_band("age", ages, ((0, 17), (18, 39), (40, None)), " years")
    found = case.compare([division])["divisions"][0]
    assert found["averaged"] == ["Mass", "Edema"]
    small = found["groups"][0]
    assert small["name"] == "under 18 years" and small["mean"]["auc"]["value"] is None
    assert found["groups"][1]["mean"]["auc"]["low"] is not None


def test_a_fact_that_is_known_of_one_group_only_is_no_division() -> None:
    case = Case()
    division = by_code("view", np.where(case.sex == "F", "AP", ""), {"PA": "PA", "AP": "AP"})
    found = case.compare([division])
    assert found["divisions"] == [] and found["left_out"] == ["view"]
    assert found["comparisons"]["auc"] == {"intervals": 0, "outside": 0}


def test_without_a_threshold_there_are_no_rates_and_the_others_have_means() -> None:
    case = Case()
    case.thresholds = [None, 0.6, None]
    division = case.compare()["divisions"][0]
    assert division["averaged"] == ["Mass", "Edema"] and division["averaged_rates"] == ["Edema"]
    female = division["groups"][0]
    assert female["findings"]["Mass"]["tpr"]["value"] is None
    assert female["mean"]["tpr"]["value"] == female["findings"]["Edema"]["tpr"]["value"]
