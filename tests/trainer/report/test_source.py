# SPDX-License-Identifier: MIT
"""All sections of a report see the same splits and the same resamples."""

from collections.abc import Callable

import numpy as np
import pytest

from trainer.predictions.table import Predictions
from trainer.report.source import Source

Make = Callable[..., Predictions]


@pytest.mark.parametrize(
    ("splits", "headline"),
    [
        (("validation", "test"), "test"),
        (("train", "validation"), "validation"),
        (("train",), "train"),
    ],
)
def test_the_headline_is_the_split_seen_least(
    make: Make, splits: tuple[str, ...], headline: str
) -> None:
    source = Source(make(splits))
    assert source.splits == splits
    assert source.headline == headline


def test_rows_and_resamples_of_a_split_are_made_once(make: Make) -> None:
    source = Source(make(), resamples=7, seed=3)
    rows = source.rows("test")
    assert set(rows.splits) == {"test"}
    assert source.rows("test") is rows
    assert source.draws("test") is source.draws("test")
    again = Source(make(), resamples=7, seed=3).draws("test")
    other = Source(make(), resamples=7, seed=4).draws("test")
    ones = np.ones([len(rows.ids), 1])
    ones[: len(ones) // 2] = 0
    sums = [draws.sums(ones) for draws in (source.draws("test"), again, other)]
    assert sums[0].shape == (7, 1)
    np.testing.assert_array_equal(sums[0], sums[1])
    assert (sums[0] != sums[2]).any()


def test_free_draws_let_the_number_of_patients_with_a_rare_finding_vary(make: Make) -> None:
    source = Source(make(), resamples=50)
    rows = source.rows("validation")
    rarest = (rows.labels == 1).sum(axis=0).argmin()
    positive = rows.labels[:, rarest] == 1
    counted = [
        draws.sums(positive)
        for draws in (source.draws("validation"), source.free_draws("validation"))
    ]
    assert counted[1].std() > 1.2 * counted[0].std()
