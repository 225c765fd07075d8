# SPDX-License-Identifier: MIT
"""Numbers as they are written on a card."""

import pytest

from preprocessing.card.content import Section, percent


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 5, "0.0%"), (5, 5, "100.0%"), (1, 1000, "0.10%"), (1, 100, "1.0%"), (3, 0, "none")],
)
def test_shares_below_one_percent_keep_two_decimals(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_an_anchor_is_fit_for_a_link() -> None:
    assert Section("What, and what not").anchor == "what--and-what-not"
