# SPDX-License-Identifier: MIT
"""A patient is a value, not a spelling; what names nobody is nobody."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.contract import patients

_BLANKS = " \t\n\r\x0b\x1c\x85\xa0\u1680\u2003\u2028\u3000\ufeff\u200b\0"


@given(
    st.integers(0, 10**12),
    st.integers(0, 9),
    st.sampled_from(["", ".", ".0", ".000"]),
    st.text(_BLANKS, max_size=3),
)
def test_a_number_is_the_same_patient_however_it_is_written(
    number: int, zeros: int, decimals: str, blanks: str
) -> None:
    assert patients.value(f"{blanks}{'0' * zeros}{number}{decimals}{blanks}") == str(number)


@given(st.text(min_size=1))
def test_a_value_is_its_own_value_and_outer_blanks_do_not_count(name: str) -> None:
    value = patients.value(name)
    assert patients.value(value) == value == patients.value(f"\xa0{name} ")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("P7", "P07"),
        ("7", "7.5"),
        ("p7", "P7"),
        ("P 7", "P7"),
        ("7", "70"),
        ("1e1", "10"),
        ("7a", "07a"),
    ],
)
def test_other_names_are_other_patients(one: str, other: str) -> None:
    assert patients.value(one) != patients.value(other)


def test_accents_may_be_composed_or_not() -> None:
    assert patients.value("Jose\u0301") == patients.value("Jos\xe9")


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\xa0",
        "nan",
        "NaN",
        "None",
        "null",
        "NULL",
        "NA",
        "n/a",
        "<NA>",
        "NaT",
        " nan ",
        "1.23457E+11",
        "1,2E+09",
    ],
)
def test_no_value_is_no_patient(name: str) -> None:
    assert patients.is_missing(name)


@pytest.mark.parametrize("name", ["0", "7", "Nana", "NA1", "Noné", "13.0"])
def test_a_name_like_no_value_is_a_patient(name: str) -> None:
    assert not patients.is_missing(name)


def test_every_spelling_is_kept_and_counted_once() -> None:
    names = ["7", "8", "007", "7.0", "8", "P7\xa0", "P7"]
    found = {"7": ["007", "7", "7.0"], "8": ["8"], "P7": ["P7", "P7\xa0"]}
    assert patients.spellings(names) == patients.spellings(names[::-1]) == found
    assert patients.count(names) == patients.count(np.array(names)) == 3
    assert patients.values(np.array(names)).tolist() == ["7", "8", "7", "7", "8", "P7", "P7"]


def test_images_of_one_patient_have_one_number() -> None:
    number, of = patients.numbered(np.array(["9", "7", "007", "P7 ", "7.0", "P7"]))
    assert number == 3
    assert of.tolist() == [1, 0, 0, 2, 0, 2]


@given(st.lists(st.sampled_from(["b", "a", "10", "9", "00000013", "2.0"])))
def test_without_other_spellings_numbers_are_those_of_sorted_names(names: list[str]) -> None:
    array = np.array(names, dtype=np.str_)
    unique, of = np.unique(array, return_inverse=True)
    number, found = patients.numbered(array)
    assert (number, found.tolist()) == (len(unique), of.tolist())


def test_numbers_that_are_no_texts_number_themselves() -> None:
    number, of = patients.numbered(np.array([5, 3, 5]))
    assert (number, of.tolist()) == (2, [1, 0, 1])
