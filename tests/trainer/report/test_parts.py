# SPDX-License-Identifier: MIT
"""Parts of a section become page and Markdown, with every region named once."""

import re

from preprocessing.contract.tables import Table
from trainer.report import parts
from trainer.report.parts import Drawn, Fold, Group, Heading, Notes, Words, flatten

TABLE = Table("caption", ["Finding", "AUC"], [["Mass", "0.812"]])
SECTION = [
    Notes(["one <i>", "two"]),
    Heading("First"),
    TABLE,
    TABLE,
    Fold("Folded", [TABLE, Heading("Inner"), TABLE], opened=True),
    Group([Words("beside"), Drawn("<svg></svg>")]),
    Notes(["three"], "columns"),
]


def test_no_two_regions_have_one_name() -> None:
    text = parts.html("x", "A & B", SECTION)
    assert text.startswith('<details class="part">\n<summary><h3 id="t-x">A &amp; B</h3></summary>')
    # A link to it leads inside, or no browser would unfold it.
    assert '</summary>\n<section id="h-x" aria-labelledby="t-x">' in text
    names = re.findall(r'role="region" aria-labelledby="([^"]+)"', text)
    assert names == ["h-x-1", "h-x-2", "h-x-3", "h-x-3 h-x-4"]
    assert set(" ".join(names).split()) <= set(re.findall(r' id="([^"]+)"', text))
    assert '<details class="part" open>' in parts.html("x", "A & B", SECTION, opened=True)
    assert text.count("<details open>") == 1 and '<caption id="h-x-2">' in text


def test_markdown_has_the_same_parts_but_the_drawings() -> None:
    text = parts.markdown("A_B", SECTION)
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads == ["## A\\_B", "### First", "### Folded", "#### Inner"]
    assert "\n#### First" in parts.markdown("A_B", SECTION, "###")
    assert text.count("| Mass | 0.812 |") == 4 and "svg" not in text
    assert "- one &lt;i&gt;\n- two" in text and "- three" in text and "\n\nbeside" in text


def test_words_are_escaped_and_drawings_are_not() -> None:
    text = parts.html("x", "t", SECTION)
    assert "<li>one &lt;i&gt;</li>" in text and "<svg></svg>" in text
    assert '<div class="figure">\n<p class="aside">beside</p>' in text
    assert '<div class="columns">\n<p class="aside">three</p>\n</div>' in text


def test_drawn_intervals_have_an_axis_that_is_named() -> None:
    area = {"value": 0.8, "low": 0.7, "high": 0.9}
    rows = [("a", area, "test"), ("b", area | {"value": None, "low": None}, "test")]
    made = parts.forest(
        "c", ("Name", "AUC, drawn", "AUC"), [*rows, ("m", area, "mean")], (0, 1), means=1
    )
    assert '<span class="hidden">AUC, drawn</span><svg class="row ticks"' in made.html
    assert made.html.count('class="mark"') == 2 and '<td class="value">0.800</td>' in made.html
    assert made.html.index("not defined") < made.html.index("<tfoot>") < made.html.index(">m<")
    assert 'class="rows"' in made.html and "region" not in parts.html("x", "t", [made])


def test_facts_become_dotted_names_in_their_order() -> None:
    facts = {"b": {"c": None, "d": [{"e": 1}]}, "a": []}
    assert flatten(facts) == [("b.c", "unknown"), ("b.d.0.e", "1"), ("a", "none")]
