# SPDX-License-Identifier: MIT
"""Baselines without image: equal to scikit-learn's model, blind to the judged, near the published.

The published figures for the official split are 0.588 (view), 0.590 (age, sex, view) and 0.620
(with follow-up number, size and pixel spacing), by gradient boosting.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from trainer.evaluation.auc import aurocs
from trainer.evaluation.baselines import (
    FACTS,
    learn_and_score,
    levels,
    shuffled,
    training_rows,
)
from trainer.predictions import metadata
from trainer.predictions.metadata import Metadata


def known(count: int = 400, seed: int = 0) -> Metadata:
    """Metadata of which some are unknown; two common sizes and some rare ones."""
    generator = np.random.default_rng(seed)
    width = generator.choice([2500, 2992, 0], count, p=[0.5, 0.45, 0.05])
    width[:3] = [1111, 1112, 1113]
    return Metadata(
        ids=np.array([f"{at:08d}_000.png" for at in range(count)]),
        patients=np.array([f"{at // 2:08d}" for at in range(count)]),
        splits=np.full(count, ""),
        sex=generator.choice(["M", "F", ""], count),
        view=generator.choice(["AP", "PA", ""], count),
        age=generator.integers(-1, 95, count),
        follow_up=generator.integers(-1, 60, count),
        width=width.astype(np.int64),
        height=np.where(width > 0, 2048, 0).astype(np.int64),
        labels=(generator.random((count, 3)) < [0.4, 0.1, 0.2]).astype(np.float32),
        findings=("Mass", "Edema", "Hernia"),
    )


def codes_of(facts: Metadata, train: np.ndarray, key: str) -> list[np.ndarray]:
    found = levels(facts, train)
    return [found[name] for name in FACTS[key]]


@pytest.mark.parametrize("key", list(FACTS))
def test_scores_equal_those_of_another_implementation(key: str) -> None:
    facts, train = known(), np.arange(300)
    codes = codes_of(facts, train, key)
    labels = facts.labels.copy()
    labels[5:40, 1] = np.nan
    scores = learn_and_score(codes, labels, train)
    design = np.concatenate(
        [(code[:, None] == np.arange(code.max() + 1)).astype(float) for code in codes], axis=1
    )
    for finding in range(3):
        kept = train[~np.isnan(labels[train, finding])]
        model = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000)
        model.fit(design[kept], labels[kept, finding])
        assert scores[:, finding] == pytest.approx(model.decision_function(design), abs=1e-4)


def test_labels_of_the_judged_change_nothing() -> None:
    facts, train = known(), np.arange(300)
    codes = codes_of(facts, train, "acquisition")
    changed = facts.labels.copy()
    changed[300:] = 1 - changed[300:]
    before = learn_and_score(codes, facts.labels, train)
    np.testing.assert_array_equal(before, learn_and_score(codes, changed, train))


def test_a_finding_that_training_does_not_show_or_always_shows_has_no_score() -> None:
    facts, train = known(), np.arange(300)
    labels = facts.labels.copy()
    labels[:300, 0], labels[:300, 2] = 0, np.nan
    labels[:300, 1] = 1
    assert np.isnan(learn_and_score(codes_of(facts, train, "view"), labels, train)).all()


def test_a_fact_that_parts_the_labels_gives_finite_scores() -> None:
    facts, train = known(), np.arange(300)
    labels = (facts.view == "AP").astype(np.float32)[:, None]
    scores = learn_and_score(codes_of(facts, train, "patient"), labels, train)
    assert np.isfinite(scores).all() and aurocs(labels, scores)[0] == 1.0


def test_unknown_facts_are_a_level_of_their_own() -> None:
    facts, train = known(), np.arange(300)
    found = levels(facts, train)
    for name, unknown in (("sex", ""), ("view", ""), ("age", -1), ("follow_up", -1)):
        np.testing.assert_array_equal(found[name] == 0, getattr(facts, name) == unknown)
    np.testing.assert_array_equal(found["size"] == 0, facts.width == 0)
    assert set(found["size"][:3]) == {1}  # rare
    assert {2, 3} <= set(found["size"]) and found["size"].max() == 3
    assert len(set(found["age"][facts.age >= 90])) == 1


def test_only_sizes_that_are_common_in_training_count() -> None:
    facts = known()
    assert levels(facts, np.arange(10))["size"].max() == 1


def test_patients_who_are_judged_are_not_learned_from() -> None:
    patients = np.array(["00000001", "1", "2", "3", "00000003"])
    none = np.full(5, "")
    assert training_rows(patients, none, np.array(["00000003", "1"])).tolist() == [2]
    splits = np.array(["train", "train", "train", "validation", "test"])
    assert training_rows(patients, splits, np.array(["9"])).tolist() == [0, 1, 2]
    assert training_rows(patients, splits, np.array(["1.0"])).tolist() == [2]
    splits[:] = "test"
    assert training_rows(patients, splits, np.array(["9"])).size == 0


def test_shuffled_labels_are_the_same_labels_elsewhere() -> None:
    labels = known().labels
    dealt = shuffled(labels, 3)
    assert sorted(map(tuple, dealt)) == sorted(map(tuple, labels)) and (dealt != labels).any()
    np.testing.assert_array_equal(dealt, shuffled(labels, 3))
    assert (dealt != shuffled(labels, 4)).any()


def test_one_image_is_enough_to_be_scored() -> None:
    facts = dataclasses.replace(known())
    codes = codes_of(facts, np.array([7]), "acquisition")
    assert np.isnan(learn_and_score(codes, facts.labels, np.array([7]))).all()


def test_on_the_official_split_the_published_figures_are_met(nih: Path) -> None:
    facts = metadata.read(str(nih / "Data_Entry_2017_v2020.csv"))
    test = np.isin(facts.ids, (nih / "test_list.txt").read_text().split())
    train = training_rows(facts.patients, facts.splits, facts.patients[test])
    assert len(train) == 86_524 and not test[train].any()
    means = {}
    for key in FACTS:
        scores = learn_and_score(codes_of(facts, train, key), facts.labels, train)
        areas = aurocs(facts.labels[test], scores[test])
        means[key] = areas.mean()
        if key == "view":
            # The published 0.5883 takes the better direction of each finding on the test images.
            assert np.maximum(areas, 1 - areas).mean() == pytest.approx(0.5883, abs=5e-5)
    assert means["view"] == pytest.approx(0.575, abs=0.002)
    assert means["patient"] == pytest.approx(0.590, abs=0.02) and means["patient"] > 0.590
    assert means["acquisition"] == pytest.approx(0.620, abs=0.015) and means["acquisition"] > 0.620
