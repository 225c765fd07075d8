# SPDX-License-Identifier: MIT
"""The page needs no network and no eyes; what names say cannot become markup."""

import html.parser
import re

import numpy as np
import pytest

from preprocessing.card import document
from preprocessing.card.contact_sheet import Example
from preprocessing.card.document import Section, bars, percent, shaded
from preprocessing.contract.tables import Cell, Column, Table

HOSTILE = '<script>alert("a|b")</script>'


@pytest.fixture
def sections() -> list[Section]:
    pixels = np.full((224, 224, 3), 90, np.uint8)
    example = Example(HOSTILE, HOSTILE, "train, PA", "", 1, pixels)
    percents = ["1.0%", "2.0%", "3.0%"]
    splits = ["train", "validation", "test"]
    drawn = [HOSTILE, bars([0.5, 0, 1], splits), *percents]
    shades = [Cell(HOSTILE), *map(shaded, percents, [0, 0.5, 1])]
    return [
        Section(
            "First part",
            [f"Words with {HOSTILE}."],
            [
                Table("Bars.", ["finding", Column("bars", "plot"), *splits], [drawn], css="drawn"),
                Table("Shades.", ["finding", "alpha beta", "b", "c"], [shades], css="heat"),
                Table("Facts.", ["what", Column("value", "text")], [["a", HOSTILE]], css="facts"),
            ],
            [example],
        ),
        Section("Second part", ["Words."]),
    ]


class _Page(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == "rect" or self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_is_whole_and_needs_no_network(sections) -> None:
    text = document.html("Data set card: x", sections)
    page = _Page(text)
    assert page.open == []
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)
    assert not page.all("script") and not page.all("link")
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    policy = page.all("meta")[3]["content"]
    assert policy.startswith("default-src 'none'")


def test_the_page_can_be_read_without_seeing_it(sections) -> None:
    page = _Page(document.html("Data set card: x", sections))
    assert page.all("html") == [{"lang": "en"}]
    headings = [tag for tag, _ in page.tags if tag in ("h1", "h2", "h3")]
    assert headings == ["h1", "h2", "h3", "h2"]
    assert [len(page.all(tag)) for tag in ("table", "caption")] == [3, 3]
    assert all(head["scope"] in ("row", "col") for head in page.all("th"))
    assert all(HOSTILE in image["alt"] for image in page.all("img"))
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= targets


def test_hostile_names_stay_text(sections) -> None:
    page = document.html("Data set card: x", sections)
    assert "<script" not in page and "&lt;script&gt;" in page
    text = document.markdown("Title", sections, picture="a.png")
    rows = [line for line in text.splitlines() if line.startswith("| &lt;script")]
    assert len(rows) == 2 and all(re.findall(r"(?<!\\)\|", row) == ["|"] * 5 for row in rows)


def test_the_use_stands_first_in_every_form(sections) -> None:
    forms = (
        document.text("T", sections),
        document.markdown("T", sections, picture="a.png"),
        document.html("T", sections),
    )
    for form in forms:
        assert form.index("Not a medical device") < form.index("Words with")


def test_markdown_tables_have_a_line_for_their_columns(sections) -> None:
    lines = document.markdown("Title", sections, picture="a.png").splitlines()
    assert (
        lines[lines.index("| finding | train | validation | test |") + 1]
        == "| --- | ---: | ---: | ---: |"
    )
    assert "![Examples of each finding](a.png)" in lines


def test_columns_of_the_text_stand_below_each_other(sections) -> None:
    lines = document.text("Title", sections).splitlines()
    head = lines.index("Bars.") + 1
    assert lines[head].index("train") + len("train") == lines[head + 2].index("1.0%") + len("1.0%")


def test_bars_are_as_long_as_their_shares() -> None:
    drawn = bars([0.25, 1.0], ["train", "test"]).text
    assert re.findall(r'rect class="(\w+)" .*?width="([\d.]+)%"', drawn) == [
        ("train", "25.00"),
        ("test", "100.00"),
    ]


def test_shades_are_as_dark_as_their_shares(sections) -> None:
    page = document.html("Title", sections)
    found = re.findall(r'class="(shade-\d+)">(\d\.\d%)', page)
    assert found == [("shade-0", "1.0%"), ("shade-10", "2.0%"), ("shade-20", "3.0%")]
    assert ".shade-0 { --shade: 0; }" in page and ".shade-10 { --shade: 0.5; }" in page
    assert ".shade-20 { --shade: 1; }" in page


def test_heads_of_the_wide_table_are_cut_for_a_terminal_alone(sections) -> None:
    assert "alpha beta" not in document.text("Title", sections)
    assert "alpha beta" in document.html("Title", sections)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 5, "0.0%"), (5, 5, "100.0%"), (1, 1000, "0.10%"), (1, 100, "1.0%"), (3, 0, "not defined")],
)
def test_shares_below_one_percent_keep_two_decimals(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_an_anchor_is_fit_for_a_link() -> None:
    assert Section("What, and what not").anchor == "what--and-what-not"
