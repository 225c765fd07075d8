# SPDX-License-Identifier: MIT
"""No patient is in two splits, and the same patient is in the same split for ever."""

import pathlib
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from preprocessing import sources, splits
from preprocessing.contract.errors import DataError
from preprocessing.sources import Row


def _rows(patients: Sequence[int], images: int = 3) -> list[Row]:
    return [
        Row(id=f"{patient}_{n}.png", patient=str(patient), targets=(0,))
        for patient in patients
        for n in range(images)
    ]


def _names(rows: Sequence[Row]) -> list[str]:
    return [row.id for row in rows]


_TRAIN_VAL, _TEST = _rows(range(40)), _rows(range(40, 50))


def _assign(rows: Sequence[Row], **changes: object) -> dict[str, list[Row]]:
    given = {"train_val": _names(_TRAIN_VAL), "test": _names(_TEST), "fraction": 0.25, "salt": "a"}
    return splits.assign(rows, **{**given, **changes})


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0.1, 0.5))
def test_splits_share_no_patient_and_lose_no_row(salt: str, fraction: float) -> None:
    assume(sum(splits.in_validation(str(n), fraction=fraction, salt=salt) for n in range(40)) > 0)
    assigned = _assign(_TRAIN_VAL + _TEST, salt=salt, fraction=fraction)
    patients = [{row.patient for row in rows} for rows in assigned.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 50
    assert sum(map(len, assigned.values())) == 150
    assert assigned["test"] == _TEST
    assert list(assigned) == ["train", "validation", "test"]


def test_the_order_of_the_rows_decides_nothing_but_the_order() -> None:
    forward = _assign(_TRAIN_VAL + _TEST)
    backward = _assign((_TRAIN_VAL + _TEST)[::-1])
    assert {s: rows[::-1] for s, rows in backward.items()} == forward


def test_a_patient_alone_is_where_it_is_among_others() -> None:
    whole = {row.id: s for s, rows in _assign(_TRAIN_VAL + _TEST).items() for row in rows}
    part = _assign([row for row in _TRAIN_VAL + _TEST if row.id.endswith("_1.png")])
    assert all(whole[row.id] == split for split, rows in part.items() for row in rows)


def test_the_salted_hash_never_changes() -> None:
    # Values of the first release: a data set made again must have the same validation patients.
    first = [n for n in range(1, 60) if splits.in_validation(str(n), fraction=0.125, salt="cxr14")]
    assert first == [5, 12, 15, 18, 20, 29, 33, 41, 44, 45, 47]
    other = [n for n in range(1, 60) if splits.in_validation(str(n), fraction=0.125, salt="b")]
    assert other == [10, 15, 47]


def test_validation_has_about_its_share_of_many_patients() -> None:
    inside = sum(splits.in_validation(str(n), fraction=0.125, salt="cxr14") for n in range(20_000))
    assert abs(inside / 20_000 - 0.125) < 0.01


def test_a_larger_share_keeps_the_patients_of_a_smaller_one() -> None:
    small, large = (
        {n for n in range(999) if splits.in_validation(str(n), fraction=share, salt="a")}
        for share in (0.1, 0.2)
    )
    assert small < large


def test_names_in_both_lists_are_counted_and_named() -> None:
    both = _names(_TEST)[:2]
    with pytest.raises(DataError, match=r"2 names stand in both lists, first 40_0\.png, 40_1\.png"):
        _assign(_TRAIN_VAL + _TEST, train_val=_names(_TRAIN_VAL) + both)


def test_images_in_neither_list_are_counted_and_named() -> None:
    with pytest.raises(DataError, match=r"1 images of the label file stand in neither list, .*0_0"):
        _assign(_TRAIN_VAL + _TEST, train_val=_names(_TRAIN_VAL)[1:])


def test_a_patient_in_train_val_and_test_is_refused() -> None:
    moved = _names(_TRAIN_VAL)[0]
    with pytest.raises(DataError, match=r"1 patients are in both \w+ and test, first 0: "):
        _assign(
            _TRAIN_VAL + _TEST,
            train_val=_names(_TRAIN_VAL)[1:],
            test=[*_names(_TEST), moved],
        )


@pytest.mark.parametrize(
    ("rows", "fraction", "split"),
    [(_TRAIN_VAL, 0.25, "test"), (_TEST, 0.25, "train"), (_TRAIN_VAL + _TEST, 0.0, "validation")],
)
def test_an_empty_split_is_refused(rows: list[Row], fraction: float, split: str) -> None:
    with pytest.raises(DataError, match=f"split {split} is empty"):
        _assign(rows, fraction=fraction)


def test_the_published_lists_have_the_official_hashes(nih: pathlib.Path) -> None:
    for name, expected in splits.OFFICIAL_HASHES.items():
        names = sources.read_names(str(nih / f"{name}_list.txt"))
        assert splits.list_hash(names) == expected
        assert splits.list_hash(names[::-1]) == expected
        assert splits.list_hash(names[1:]) != expected
