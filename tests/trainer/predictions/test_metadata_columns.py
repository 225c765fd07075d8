# SPDX-License-Identifier: MIT
"""Tests of turning text columns into sexes, views, numbers and labels."""

import numpy as np
import pandas as pd
import pytest

from preprocessing.contract.errors import DataError
from trainer.predictions import metadata_columns

IDS = np.array(["a", "b", "c", "d"])


def columns(name: str, *values: str) -> pd.DataFrame:
    return pd.DataFrame({"id": IDS, name: values}, dtype=object)


def test_codes_are_read_in_any_case_and_others_counted() -> None:
    refused: dict[str, int] = {}
    found = metadata_columns.coded("sex", columns("sex", " m", "Female", "", "O"), refused)
    assert found.tolist() == ["M", "F", "", ""]
    assert refused == {"sex": 1}


def test_views_are_read_by_the_words_of_preprocessing() -> None:
    refused: dict[str, int] = {}
    found = metadata_columns.coded("view", columns("view", "p.a.", "AP erect", "L", ""), refused)
    assert found.tolist() == ["PA", "AP", "", ""]
    assert refused == {"view": 1}


def test_a_column_that_is_not_there_is_unknown() -> None:
    refused: dict[str, int] = {}
    assert metadata_columns.coded("view", pd.DataFrame({"id": IDS}), refused).tolist() == [""] * 4
    assert (
        metadata_columns.integers("f", "age", pd.DataFrame({"id": IDS}), refused).tolist()
        == [-1] * 4
    )
    assert (
        metadata_columns.integers("f", "width", pd.DataFrame({"id": IDS}), refused).tolist()
        == [0] * 4
    )
    assert refused == {}


def test_ages_that_nobody_reaches_are_unknown_and_counted() -> None:
    refused: dict[str, int] = {}
    found = metadata_columns.integers(
        "f", "age", columns("age", "411", "120", "-1", "155"), refused
    )
    assert found.tolist() == [-1, 120, -1, -1]
    assert refused == {"age": 2}


def test_sizes_may_be_large_and_never_negative() -> None:
    refused: dict[str, int] = {}
    found = metadata_columns.integers(
        "f", "width", columns("width", "3056.0", "-5", "0", ""), refused
    )
    assert found.tolist() == [3056, 0, 0, 0]
    assert refused == {"width": 1}


@pytest.mark.parametrize("text", ["old", "inf", "6O"])
def test_a_text_that_is_no_number_is_named_with_its_row_or_is_an_unknown_age(text: str) -> None:
    with pytest.raises(DataError, match=rf"f: column width: '{text}' in row 2 \(id 'b'\) is not a"):
        metadata_columns.integers("f", "width", columns("width", "1", text, "2", "3"), {})
    refused: dict[str, int] = {}
    found = metadata_columns.integers("f", "age", columns("age", "1", text, text, "3"), refused)
    assert found.tolist() == [1, -1, -1, 3] and refused == {"age": 2}


def test_bounds_of_ages_count_and_missing_values_do_not() -> None:
    refused: dict[str, int] = {}
    ages = columns("age", "85 or more", ">89", "nan", "60y")
    assert metadata_columns.integers("f", "age", ages, refused).tolist() == [85, 90, -1, 60]
    assert refused == {metadata_columns.AGE_BOUNDS: 2}
    nothing = columns("follow_up", "nan", "0.0", "", "2.0")
    assert metadata_columns.integers("f", "follow_up", nothing, {}).tolist() == [-1, 0, -1, 2]


def test_labels_are_0_1_or_unknown() -> None:
    found = metadata_columns.labels("f", columns("label:Mass", "1", "", "0", "1.0"), ("Mass",))
    np.testing.assert_array_equal(found, [[1], [np.nan], [0], [1]])
    with pytest.raises(DataError, match=r"label:Mass: 2 in row 3 \(id 'c'\) is not a label"):
        metadata_columns.labels("f", columns("label:Mass", "1", "0", "2", "0"), ("Mass",))
    assert metadata_columns.labels("f", pd.DataFrame({"id": IDS}), ()) is None


def test_a_fraction_is_no_number_of_an_examination_and_is_counted() -> None:
    refused: dict[str, int] = {}
    given = columns("follow_up", "1.5", "2.0", "-1", "0")
    assert metadata_columns.integers("f", "follow_up", given, refused).tolist() == [-1, 2, -1, 0]
    assert refused == {"follow_up": 1}
