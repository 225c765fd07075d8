# SPDX-License-Identifier: MIT
"""Tables of Markdown keep their shape whatever stands in them."""

import re

import pytest

from trainer.report.markdown import escape, flatten, pipe_lines, sentence


@pytest.mark.parametrize("text", ["a|b", "new\nline", "<i>c</i>", "`x` [y](z)", "\\|", "*_*"])
def test_no_text_leaves_its_cell(text: str) -> None:
    lines = pipe_lines([text, "n"], [[text, "1"]]).splitlines()
    assert len(lines) == 3
    assert {len(re.split(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines} == {4}
    assert "<" not in escape(text)


def test_first_column_is_text_and_the_others_numbers_unless_told() -> None:
    assert pipe_lines(["a", "b"], []).splitlines()[1] == "| --- | ---: |"
    assert pipe_lines(["a", "b"], [], numbers=False).splitlines()[1] == "| --- | --- |"


def test_sentence_keeps_one_full_stop() -> None:
    assert sentence("it is so.") == "It is so."
    assert sentence("") == "."


def test_facts_become_dotted_names_in_their_order() -> None:
    facts = {"b": {"c": None, "d": [{"e": 1}]}, "a": []}
    assert flatten(facts) == [("b.c", "unknown"), ("b.d.0.e", "1"), ("a", "none")]
