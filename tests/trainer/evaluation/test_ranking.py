# SPDX-License-Identifier: MIT
"""A ranking gives the areas of any counts, as if every image stood there so often."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from trainer.evaluation.auc import auroc
from trainer.evaluation.ranking import Ranking


@settings(max_examples=80)
@given(st.integers(0, 2**32), st.integers(1, 40), st.sampled_from([1, 3, 1000]))
def test_areas_equal_those_of_repeated_images(seed: int, count: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.choice([0.0, 1.0, np.nan], count)
    scores = generator.integers(0, levels, count) / levels
    patients = generator.integers(0, 6, count)
    counts = generator.integers(0, 4, (6, 3)).astype(np.int32)
    ranking = Ranking.of(labels, scores, patients)
    aucs, precisions = ranking.areas(counts)
    np.testing.assert_array_equal(ranking.aucs(counts), [aucs])
    for column in range(3):
        images = np.repeat(np.arange(count), counts[patients, column])
        images = images[~np.isnan(labels[images])]
        expected = auroc(labels[images], scores[images])
        assert np.array_equal(aucs[column], expected, equal_nan=True)
        if np.isnan(expected):
            assert np.isnan(precisions[column])
        else:
            precision = average_precision_score(labels[images], scores[images])
            assert abs(precisions[column] - precision) < 1e-12


def test_large_counts_stay_exact() -> None:
    # Ten thousand images on either side, each 60,000 times: U is far beyond 32 bits.
    labels = np.repeat([0.0, 1.0], 10_000)
    scores = np.random.default_rng(0).integers(0, 50, 20_000) / 50
    counts = np.full((1, 1), 60_000, dtype=np.int32)
    area = Ranking.of(labels, scores, np.zeros(20_000, dtype=np.intp)).areas(counts)[0, 0]
    assert area == auroc(labels, scores)
