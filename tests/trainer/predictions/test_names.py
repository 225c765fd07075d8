# SPDX-License-Identifier: MIT
"""Tests of finding the same images and patients in two files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.contract.errors import DataError
from trainer.predictions.names import image_stems, proven_rows


def names(*values: str) -> np.ndarray:
    return np.array(values, dtype=np.str_)


def test_images_are_found_with_and_without_their_suffix() -> None:
    known = names("b.png", "a.PNG", "c.dcm"), names("2", "1", "3")
    wanted = names("a", "c.dcm", "d", "b.png"), names("00000001", "3", "9", "2.0")
    assert proven_rows(known, wanted, "file").tolist() == [1, 2, -1, 0]


def test_the_first_image_of_another_patient_is_named() -> None:
    known = names("a", "b", "c"), names("1", "2", "3")
    with pytest.raises(DataError, match="image 'b.png' is of patient '7' .* patient '2' .* of 2"):
        proven_rows(known, (names("a.png", "b.png", "c.png"), names("1", "7", "8")), "file")


def test_nothing_is_found_in_nothing() -> None:
    none = np.array([], dtype="<U1")
    assert proven_rows((none, none), (names("a"), names("1")), "file").tolist() == [-1]
    assert proven_rows((names("a"), names("1")), (none, none), "file").tolist() == []
    assert image_stems(none).tolist() == []


@given(st.lists(st.text("abc", min_size=1), unique=True), st.lists(st.text("abc", min_size=1)))
def test_exactly_what_is_there_is_found(known: list[str], wanted: list[str]) -> None:
    sides = [(names(*side), np.full(len(side), "1")) for side in (known, wanted)]
    rows = proven_rows(sides[0], sides[1], "file").tolist()
    assert rows == [known.index(name) if name in known else -1 for name in wanted]
