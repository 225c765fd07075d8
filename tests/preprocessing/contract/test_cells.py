# SPDX-License-Identifier: MIT
"""Ages, numbers and truths are read as people, databases and programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.contract import cells
from preprocessing.contract.errors import DataError


@pytest.mark.parametrize(
    ("text", "years", "taken"),
    [
        *[
            ("41", 41, ""),
            ("41.0", 41, ""),
            ("060Y", 60, ""),
            ("60y", 60, ""),
            ("60 Jahre", 60, ""),
        ],
        *[("018M", 1, ""), ("6 meses", 0, ""), ("14D", 0, ""), ("3 d\xedas", 0, "")],
        *[("60 years old", 60, ""), ("", -1, ""), (" ", -1, ""), ("nan", -1, ""), ("<NA>", -1, "")],
        *[("85 or more", 85, "85"), ("90+", 90, "90"), ("90 +", 90, "90"), ("089Y+", 89, "89")],
        *[(">89", 90, "90"), ("> 89", 90, "90"), (">=90", 90, "90"), ("\u2265 90", 90, "90")],
        *[("over 89", 90, "90"), ("\xfcber 89", 90, "90"), ("85 und \xe4lter", 85, "85")],
        *[("85 ans et plus", 85, "85"), ("m\xe1s de 84", 85, "85"), ("<1", 0, "0")],
        *[("<18", -1, "unknown"), ("40-49", -1, "unknown"), ("old", -1, "unknown")],
        *[("411", -1, "unknown"), ("-5", -1, "unknown"), ("inf", -1, "unknown")],
        *[("9" * 400, -1, "unknown"), ("1e2", -1, "unknown"), ("60 x", -1, "unknown")],
    ],
)
def test_an_age_is_read_and_what_is_no_plain_age_is_said(text: str, years: int, taken: str) -> None:
    assert cells.years(text) == (years, f"taken as {taken}" if taken else "")


@given(st.text())
def test_no_text_is_more_than_an_unknown_age(text: str) -> None:
    years, _ = cells.years(text)
    assert -1 <= years <= cells.OLDEST_YEARS


@given(st.text() | st.floats().map(str) | st.integers().map(str))
def test_a_whole_number_is_one_or_none(text: str) -> None:
    number = cells.whole(text)
    assert number is None or number == float(text)


@pytest.mark.parametrize(
    "text", ["=1+1", "+a", "-a", "@a", "\ta", "\ra", "\na", "\uff1da", "-1+x!A1"]
)
def test_a_text_like_a_formula_is_shown_as_text(text: str) -> None:
    assert cells.harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a", "-1", "+2", "-1.5e-3", "-.5", "a=1", "'a", "1_0.png"])
def test_numbers_and_other_texts_stay_as_they_are(text: str) -> None:
    assert cells.harmless(text) == text


@given(st.text("'=+-@\t1a", max_size=6) | st.text())
def test_the_exact_text_comes_back(text: str) -> None:
    assert cells.original(cells.harmless(text)) == text


def test_a_csv_file_has_quotes_inside_fields_and_doubled() -> None:
    lines = cells.csv_lines("a.csv", 'id,text\n\n1,"a ""b"", c"\n2,5" film\n3,"two\nlines"\n')
    assert list(lines) == [
        (1, ["id", "text"]),
        (3, ["1", 'a "b", c']),
        (4, ["2", '5" film']),
        (6, ["3", "two\nlines"]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        'id,text\n1,a\n2,"b\n3,c\n4,d\n',  # would swallow 3 and 4
        'id,text\n1,a\n2,"b\n3,"c"\n4,d\n',  # would swallow 3
        'id,text\n1,a\n2,"b"c\n',
        'id,text\n1,a\n2,"b" \n',
    ],
)
def test_a_quote_that_could_swallow_rows_is_refused_where_it_is(text: str) -> None:
    with pytest.raises(DataError, match=r"a\.csv, line 3: not CSV .*: close the quote"):
        list(cells.csv_lines("a.csv", text))
