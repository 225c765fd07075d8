# SPDX-License-Identifier: MIT
"""No patient is in two splits, and the same patient is in the same split for ever."""

import pathlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.contract.errors import ConfigError, DataError, UsageError
from preprocessing.contract.invocation.config import Config, Table
from preprocessing.sources import text_files
from preprocessing.sources.row import Row
from preprocessing.splits import assignment


def _rows(patients: Sequence[int], images: int = 3) -> list[Row]:
    return [
        Row(id=f"{patient}_{n}.png", patient=str(patient), targets=(0,))
        for patient in patients
        for n in range(images)
    ]


def _names(rows: Sequence[Row]) -> list[str]:
    return [row.id for row in rows]


_TRAIN_VAL, _TEST = _rows(range(40)), _rows(range(40, 50))
_LISTS = {"train_val": _names(_TRAIN_VAL), "test": _names(_TEST)}


def _assign(
    rows: Sequence[Row],
    how: str = assignment.CARVED,
    lists: dict[str, list[str]] = _LISTS,
    column: dict[str, str] | None = None,
    **settings: object,
) -> dict[str, str]:
    config = Config(**{"validation_fraction": 0.25, **settings})  # type: ignore[arg-type]
    split_of, _ = assignment.assign(rows, how=how, lists=lists, column=column or {}, config=config)
    assignment.check_patients(rows, split_of)
    return split_of


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0.05, 0.5))
def test_splits_share_no_patient_and_lose_no_row(salt: str, fraction: float) -> None:
    split_of = _assign(_TRAIN_VAL + _TEST, split_salt=salt, validation_fraction=fraction)
    assert len(split_of) == 150
    grouped = assignment.group(_TRAIN_VAL + _TEST, split_of)
    assert grouped["test"] == _TEST
    assert list(grouped) == ["train", "validation", "test"]
    patients = [{row.patient for row in rows} for rows in grouped.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 50
    assert len(grouped["validation"]) == pytest.approx(120 * fraction, abs=3)


def test_the_order_of_the_rows_decides_nothing() -> None:
    assert _assign(_TRAIN_VAL + _TEST) == _assign((_TRAIN_VAL + _TEST)[::-1])


def test_another_salt_gives_another_validation_set() -> None:
    assert _assign(_TRAIN_VAL + _TEST) != _assign(_TRAIN_VAL + _TEST, split_salt="b")


def test_a_random_split_divides_patients_by_both_shares() -> None:
    rows = _rows(range(100))
    split_of = _assign(rows, assignment.RANDOM, {}, test_fraction=0.2, validation_fraction=0.25)
    count = {
        split: list(split_of.values()).count(split) for split in ("train", "validation", "test")
    }
    assert count == {"train": 180, "validation": 60, "test": 60}


def test_explicit_lists_are_taken_as_they_are() -> None:
    names = _names(_TRAIN_VAL)
    lists = {"train": names[:90], "validation": names[90:], "test": _names(_TEST)}
    split_of = _assign(_TRAIN_VAL + _TEST, assignment.LISTS, lists)
    assert {name: split_of[name] for name in names[90:]} == dict.fromkeys(names[90:], "validation")
    assert split_of[names[0]] == "train"


def test_a_column_with_validation_is_taken_and_one_without_carved() -> None:
    rows = _TRAIN_VAL + _TEST
    column = dict.fromkeys(_names(rows), "train") | dict.fromkeys(_names(_TEST), "test")
    config = Config(validation_fraction=0.25)
    carved, how = assignment.assign(
        rows, how=assignment.COLUMN, lists={}, column=column, config=config
    )
    assert how == assignment.COLUMN_CARVED
    assert list(carved.values()).count("validation") == 30
    column |= dict.fromkeys(_names(_TRAIN_VAL)[:3], "validation")
    taken, how = assignment.assign(
        rows, how=assignment.COLUMN, lists={}, column=column, config=config
    )
    assert (taken, how) == (column, assignment.COLUMN)


def test_names_in_two_lists_are_counted_and_named() -> None:
    both = _names(_TEST)[:2]
    lists = {**_LISTS, "train_val": _names(_TRAIN_VAL) + both}
    with pytest.raises(DataError, match=r"2 names are in two lists, first 40_0\.png, 40_1\.png"):
        _assign(_TRAIN_VAL + _TEST, lists=lists)


def test_images_in_no_list_are_counted_and_named() -> None:
    lists = {**_LISTS, "train_val": _names(_TRAIN_VAL)[1:]}
    with pytest.raises(DataError, match=r"1 images of the label file are in no list, .*0_0"):
        _assign(_TRAIN_VAL + _TEST, lists=lists)


def test_a_patient_in_train_val_and_test_is_refused() -> None:
    moved = _names(_TRAIN_VAL)[0]
    lists = {"train_val": _names(_TRAIN_VAL)[1:], "test": [*_names(_TEST), moved]}
    with pytest.raises(DataError, match=r"1 patients are in both \w+ and test, first 0: "):
        _assign(_TRAIN_VAL + _TEST, lists=lists)


@pytest.mark.parametrize(("rows", "split"), [(_TRAIN_VAL, "test"), (_TEST, "train")])
def test_an_empty_split_is_refused(rows: list[Row], split: str) -> None:
    with pytest.raises(DataError, match=f"split {split} is empty"):
        assignment.group(rows, _assign(rows))


@pytest.mark.parametrize(
    ("lists", "settings", "may_be_random", "how"),
    [
        (_LISTS, {}, False, assignment.CARVED),
        ({"train": ["a"], "validation": ["b"], "test": ["c"]}, {}, False, assignment.LISTS),
        ({}, {"split": "random"}, False, assignment.RANDOM),
        ({}, {}, True, assignment.RANDOM),
        ({}, {"table": Table(split_column="fold")}, True, assignment.COLUMN),
        (_LISTS, {"table": Table(split_column="fold")}, True, assignment.CARVED),
        (_LISTS, {"split": "random"}, True, assignment.RANDOM),
    ],
)
def test_the_split_is_made_from_what_is_given(
    lists: dict[str, list[str]], settings: dict[str, object], may_be_random: bool, how: str
) -> None:
    config = Config(**settings)  # type: ignore[arg-type]
    assert assignment.method(lists, config, may_be_random=may_be_random) == how


@pytest.mark.parametrize(
    ("lists", "settings", "part"),
    [
        ({}, {}, "the split is missing: .*--config.split=random"),
        ({"test": ["a"]}, {}, "given: test"),
        ({}, {"split": "lists"}, "given: none"),
        ({}, {"split": "column"}, "table.split_column is empty"),
    ],
)
def test_what_makes_no_split_is_refused(
    lists: dict[str, list[str]], settings: dict[str, object], part: str
) -> None:
    with pytest.raises(UsageError, match=part):
        assignment.method(lists, Config(**settings), may_be_random=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("split", ["random", "lists"])
def test_a_split_column_is_not_passed_over_in_silence(split: str) -> None:
    config = Config(split=split, table=Table(split_column="fold"))
    with pytest.raises(ConfigError, match=f"split is {split}, and table.split_column is 'fold'"):
        assignment.method(_LISTS, config, may_be_random=True)


def test_the_published_lists_have_the_official_hashes(nih: pathlib.Path) -> None:
    for name, expected in assignment.OFFICIAL_HASHES.items():
        names = text_files.read_names(str(nih / f"{name}_list.txt"))
        assert assignment.list_hash(names) == expected
        assert assignment.list_hash(names[::-1]) == expected
        assert assignment.list_hash(names[1:]) != expected


def test_the_published_lists_are_recognized(nih: pathlib.Path) -> None:
    lists = {
        name: text_files.read_names(str(nih / f"{name}_list.txt")) for name in ("train_val", "test")
    }
    assert assignment.method(lists, Config(), may_be_random=False) == assignment.OFFICIAL
    lists["test"] = lists["test"][1:]
    assert assignment.method(lists, Config(), may_be_random=False) == assignment.CARVED


def test_a_patient_in_two_splits_is_found_by_value_and_named_with_all_spellings() -> None:
    rows = [Row("a", "13", (0,)), Row("b", "0013 ", (0,)), Row("c", "7", (0,))]
    split_of = {"a": "train", "b": "test", "c": "validation"}
    with pytest.raises(
        DataError, match=r"1 patients are in both train and test, first '0013 ' or '13'"
    ):
        assignment.check_patients(rows, split_of)
    assignment.check_patients(rows[1:], split_of)
