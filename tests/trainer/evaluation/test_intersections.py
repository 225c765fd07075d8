# SPDX-License-Identifier: MIT
"""Groups of several facts against the mean of the others, and the correction for their number."""

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from trainer.evaluation import clustered, intersections
from trainer.evaluation.auc import auroc
from trainer.evaluation.comparison import holm
from trainer.evaluation.delong import paired_test
from trainer.evaluation.grouping import Division, by_code, crossed
from trainer.evaluation.intersections import compare
from trainer.evaluation.intervals import resample


class Case:
    """1,200 images of 400 patients; women at AP are told apart less well where `worse` is set."""

    def __init__(self, worse: float, seed: int = 3) -> None:
        generator = np.random.default_rng(seed)
        n = 1200
        self.patients = np.arange(n) // 3
        sex = np.where(self.patients % 3 == 0, "F", "M").astype("<U1")
        view = np.where(generator.random(n) < 0.4, "AP", "PA")
        sex[:9], view[9:12] = "", ""
        self.bad = (sex == "F") & (view == "AP")
        self.labels = (generator.random((n, 2)) < [0.4, 0.3]).astype(np.float32)
        signal = np.where(self.bad, 2 - worse, 2.0)[:, None] * self.labels
        self.scores = signal + generator.normal(size=(n, 2))
        sexes = by_code("sex", sex, {"F": "female", "M": "male"})
        self.division = crossed([sexes, by_code("view", view, {"PA": "PA", "AP": "AP"})])
        self.draws = resample(self.patients, self.labels, resamples=200, seed=1)

    def compare(self, division: Division | None = None) -> dict[str, Any]:
        return compare(
            self.labels,
            self.scores,
            self.draws,
            thresholds=[1.0, None],
            division=division or self.division,
        )


def test_every_image_is_in_one_crossing_or_unknown() -> None:
    groups = Case(0).division.groups
    assert list(groups) == ["female, PA", "female, AP", "male, PA", "male, AP", "unknown"]
    assert (np.sum(list(groups.values()), axis=0) == 1).all() and groups["unknown"].sum() == 12


def test_a_group_is_set_against_the_others_each_within_itself() -> None:
    case = Case(1.5)
    found = case.compare()
    own = next(group for group in found["groups"] if group["name"] == "female, AP")
    names = [name for name in case.division.known if name != "female, AP"]
    expected = []
    for column in range(2):
        areas = {
            name: auroc(case.labels[on, column], case.scores[on, column])
            for name, on in case.division.groups.items()
        }
        sizes = [case.division.groups[name].sum() for name in names]
        others = np.average([areas[name] for name in names], weights=sizes)
        expected.append(areas["female, AP"] - others)
    assert own["minus_others"]["auc"]["value"] == pytest.approx(np.mean(expected), abs=1e-12)
    called = case.scores[:, 0] >= 1
    with_it = case.labels[:, 0] == 1
    rates = {name: called[with_it & on].mean() for name, on in case.division.groups.items()}
    gap = rates["female, AP"] - np.average([rates[name] for name in names], weights=sizes)
    assert own["minus_others"]["tpr"]["value"] == pytest.approx(gap, abs=1e-12)


def test_p_values_are_of_the_paired_resamples_and_corrected_for_all_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case, raw = Case(0.5), []
    monkeypatch.setattr(intersections, "holm", lambda given: raw.extend(given) or holm(given))
    found = case.compare()
    # How far each patient pulls the AUCs of a group, and a chance from Obuchowski's variance.
    pulls = {
        name: np.array(
            [
                clustered.deviations(
                    np.where(on, case.labels[:, at], np.nan), case.scores[:, at], case.patients
                )
                for at in (0, 1)
            ]
        ).mean(axis=0)
        for name, on in case.division.groups.items()
    }
    for place, group in enumerate(found["groups"]):
        names = [name for name in case.division.known if name != group["name"]]
        sizes = [case.division.groups[name].sum() for name in names]
        gap = pulls[group["name"]] - np.average([pulls[n] for n in names], axis=0, weights=sizes)
        test = paired_test(group["minus_others"]["auc"]["value"], gap)
        z = NormalDist().inv_cdf(raw[3 * place] / 2)
        assert abs(z) == pytest.approx(abs(test.z or 0), rel=0.15)
    assert found["tests"] == 12 and found["formed"] == 4 and not found["too_small"]
    assert [p for group in found["groups"] for p in group["p_holm"].values()] == holm(raw)


def test_only_the_group_that_differs_is_found() -> None:
    chances = {group["name"]: group["p_holm"]["auc"] for group in Case(1.6).compare()["groups"]}
    assert chances["female, AP"] < 0.01
    same = [group["p_holm"][key] for group in Case(0).compare()["groups"] for key in ("auc", "tpr")]
    assert min(same) > 0.05


def test_few_patients_are_no_group_however_many_images() -> None:
    case = Case(0)
    few = np.isin(case.patients, case.patients[500:521]) & ~case.division.groups["unknown"]
    groups = {"few": few, "male, PA": case.division.groups["male, PA"] & ~few}
    found = case.compare(Division("x", groups))
    assert [each["name"] for each in found["too_small"]] == ["few", "male, PA"]
    assert found["groups"] == [] and found["tests"] == 0
