# SPDX-License-Identifier: MIT
"""Facts become rows, and reasons sentences."""

from trainer.report.markdown import flatten, sentence


def test_sentence_keeps_one_full_stop() -> None:
    assert sentence("it is so.") == "It is so."
    assert sentence("") == "."


def test_facts_become_dotted_names_in_their_order() -> None:
    facts = {"b": {"c": None, "d": [{"e": 1}]}, "a": []}
    assert flatten(facts) == [("b.c", "unknown"), ("b.d.0.e", "1"), ("a", "none")]
