# SPDX-License-Identifier: MIT
"""Figures of two real models on the complete official test list of ChestX-ray14."""

import os
import pathlib

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from trainer.evaluation import clustered
from trainer.evaluation.auc import auroc, aurocs
from trainer.evaluation.comparison import Scored
from trainer.evaluation.delong import deviations, paired_test
from trainer.evaluation.discrimination import areas
from trainer.evaluation.one_per_patient import choose
from trainer.evaluation.ranking import average_precision
from trainer.evaluation.resamples import resample

# Column -> what pROC 1.18.0 on R 4.2.2 returns: variance of the first model's area, and z and p of
# `roc.test(second, first, paired=TRUE, method="delong")`.
REFERENCE = {
    0: (2.36103138554841e-05, 4.23386453489101, 2.29709346482122e-05),
    13: (0.000838575734209016, 2.98286877943479, 0.0028556039620621),
}
# Of column 13, what the program of Obuchowski 1997 returns on R 4.2.2 (`doAUCcluster` of package
# mitoticFigureCounts): both variances, the variance of the difference, and its p.
CLUSTERED = (0.00183783427988412, 0.0010146042064833, 0.000621969487011642, 0.00708650801453259)

ROOT = pathlib.Path(__file__).parents[3]


def scores_of(folder: pathlib.Path, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(folder / f"resnet50_seed{seed}.npz") as stored:
        logits = stored["test_logits"].astype(np.float64)
        labels = stored["test_labels"].astype(np.float32)
        patients = stored["test_patient"]
    return labels, 1 / (1 + np.exp(-logits)), patients


@pytest.fixture(scope="module")
def folder() -> pathlib.Path:
    """The folder of predictions of two real models; skips where there is none."""
    shared = pathlib.Path(os.environ.get("CXR14_SHARED", ROOT.parent / "shared"))
    found = shared / "data" / "predictions"
    if not (found / "resnet50_seed1.npz").is_file():
        pytest.skip("no predictions of real models: name their parent folder in CXR14_SHARED")
    return found


def test_areas_of_the_official_test_list_equal_scikit_learn(folder: pathlib.Path) -> None:
    labels, scores, patients = scores_of(folder, 0)
    assert labels.shape == scores.shape == (25_596, 14) and len(np.unique(patients)) == 2_797
    found = aurocs(labels, scores)
    for column in range(14):
        pair = labels[:, column], scores[:, column]
        assert abs(found[column] - roc_auc_score(*pair)) < 1e-12
        assert abs(average_precision(*pair) - average_precision_score(*pair)) < 1e-12
    assert round(found.mean(), 4) == 0.6891


@pytest.mark.parametrize("column", REFERENCE)
def test_delong_gives_what_another_program_gives(folder: pathlib.Path, column: int) -> None:
    labels, first, _ = scores_of(folder, 0)
    labels, second, _ = scores_of(folder, 1)
    pairs = [(labels[:, column], scores[:, column]) for scores in (first, second)]
    pulls, values = [deviations(*pair) for pair in pairs], [auroc(*pair) for pair in pairs]
    found = paired_test(values[1] - values[0], pulls[1] - pulls[0])
    assert ((pulls[0] ** 2).sum(), found.z, found.p_value) == pytest.approx(
        REFERENCE[column], rel=1e-11
    )


def test_clustered_gives_what_the_program_of_its_author_gives(folder: pathlib.Path) -> None:
    labels, first, patients = scores_of(folder, 0)
    _, second, _ = scores_of(folder, 1)
    numbers = np.unique(patients, return_inverse=True)[1]
    pairs = [(labels[:, 13], scores[:, 13]) for scores in (first, second)]
    pulls, values = (
        [clustered.deviations(*pair, numbers) for pair in pairs],
        [auroc(*pair) for pair in pairs],
    )
    found = paired_test(values[1] - values[0], pulls[1] - pulls[0])
    assert found.standard_error is not None
    variances = [(pull**2).sum() for pull in pulls]
    ours = (*variances, found.standard_error**2, found.p_value)
    assert ours == pytest.approx(CLUSTERED, rel=1e-11)


def test_clustered_variances_equal_the_sums_over_patients(folder: pathlib.Path) -> None:
    """Of every finding, from counts in sorted scores and one patient at a time."""
    labels, scores, patients = scores_of(folder, 0)
    numbers = np.unique(patients, return_inverse=True)[1]
    for label, score in zip(labels.T, scores.T, strict=True):
        sums, parts = [], 0.0
        for kind in (1, 0):
            mine, other = label == kind, np.sort(score[label != kind])
            below = [np.searchsorted(other, score[mine], side) for side in ("left", "right")]
            placed = (below[0] + below[1]) / 2 / len(other)
            sums.append(pd.Series(placed - placed.mean()).groupby(patients[mine]).sum())
            owners = len(sums[-1])
            parts += owners / (owners - 1) * (sums[-1] ** 2).sum() / mine.sum() ** 2
        # A negative pulls down where a positive pulls up.
        joint = -(sums[0] * sums[1]).dropna().sum() / (label == 1).sum() / (label == 0).sum()
        expected = parts + 2 * 2_797 / 2_796 * joint
        ours = (clustered.deviations(label, score, numbers) ** 2).sum()
        assert ours == pytest.approx(expected, rel=1e-11)


def test_resampled_areas_equal_scikit_learn_on_the_drawn_patients(folder: pathlib.Path) -> None:
    labels, scores, patients = scores_of(folder, 0)
    draws = resample(patients, labels, resamples=3, seed=0)
    for column in (0, 13):
        aucs, precisions = draws.areas(labels[:, column], scores[:, column])
        for number in range(3):
            images = np.repeat(np.arange(25_596), draws.counts[draws.patient_of, number])
            pair = labels[images, column], scores[images, column]
            assert abs(aucs[number] - roc_auc_score(*pair)) < 1e-12
            assert abs(precisions[number] - average_precision_score(*pair)) < 1e-12


def test_patients_give_wider_intervals_than_images(folder: pathlib.Path) -> None:
    labels, scores, patients = scores_of(folder, 0)
    widths = []
    for units in (patients, np.arange(25_596)):
        draws = resample(units, labels, resamples=40, seed=0)
        mean = areas(labels, scores, draws).mean
        assert mean.low < 0.6891 < mean.high
        widths.append(mean.high - mean.low)
    assert 1.2 < widths[0] / widths[1] < 2.0


def test_one_image_of_each_patient_gives_another_auc(folder: pathlib.Path) -> None:
    labels, scores, patients = scores_of(folder, 0)
    single = [
        aurocs(labels[rows], scores[rows]).mean() for rows in choose(patients, choices=3, seed=0)
    ]
    assert min(single) > 0.74 and max(single) < 0.79


def test_two_seeds_of_one_recipe_are_compared_in_pairs(folder: pathlib.Path) -> None:
    labels, first, patients = scores_of(folder, 0)
    again, second, same = scores_of(folder, 1)
    np.testing.assert_array_equal(labels, again)
    np.testing.assert_array_equal(patients, same)
    draws = resample(patients, labels, resamples=60, seed=0)
    one, other = (Scored.of(labels, scores, draws) for scores in (first, second))
    found = other.against(one)
    gap = aurocs(labels, second).mean() - aurocs(labels, first).mean()
    assert found.mean.difference.value == pytest.approx(gap, abs=1e-12)
    # Pairing takes out what both share: apart, each mean is uncertain by more than the difference.
    apart = [areas(labels, scores, draws).mean for scores in (first, second)]
    paired = found.mean.difference
    assert paired.high - paired.low < 0.8 * (apart[0].high - apart[0].low)
    assert paired.low < 0 < paired.high and found.mean.p_value > 0.2
