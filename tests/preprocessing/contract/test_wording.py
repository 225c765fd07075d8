# SPDX-License-Identifier: MIT
"""A figure, an interval and what is not defined have one form each."""

from preprocessing.contract.wording import ends, estimate, number, sentence

AREA = {"value": 0.81234, "low": 0.8, "high": 0.824}
NOTHING = {"value": None, "low": None, "high": None}


def test_figures_have_one_form() -> None:
    assert (number(None), ends(NOTHING), estimate(NOTHING)) == ("not defined",) * 3
    assert estimate(AREA) == "0.812 [0.800, 0.824]"
    assert estimate(AREA | {"low": None, "high": None}) == "0.812"
    assert ends({"low": -0.01, "high": 0.02}, "+.2f") == "[\N{MINUS SIGN}0.01, +0.02]"


def test_sentence_keeps_one_full_stop() -> None:
    assert sentence("it is so.") == "It is so."
    assert sentence("") == "."
