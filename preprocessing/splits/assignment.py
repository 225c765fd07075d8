# SPDX-License-Identifier: MIT
"""Assigns every image to train, validation or test so that no patient is in two of them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from preprocessing.contract import patients
from preprocessing.contract.errors import ConfigError, DataError, UsageError
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.manifest import SPLITS
from preprocessing.sources.row import Row
from preprocessing.splits import stratify

# What the manifest says of how the splits came to be.
OFFICIAL = "official lists, validation carved by patient"
CARVED = "lists, validation carved by patient"
LISTS = "lists"
RANDOM = "random by patient"
COLUMN = "column of the label file"
COLUMN_CARVED = "column of the label file, validation carved by patient"

# SHA-256 of the sorted names joined by LF of the lists that NIH publishes with ChestX-ray14:
# 86,524 and 25,596 images.
OFFICIAL_HASHES = {
    "train_val": "61fbe896321c1c1c8b75f3e4f3a08e4fef6486d95ef8a667c31d4d60dca6cb81",
    "test": "38ca5ef7f756092946f57c1a59faca882ed589a1ab1f72590b45dc06c6d5e1cc",
}


def list_hash(names: Iterable[str]) -> str:
    r"""Returns the SHA-256 of names sorted and joined by LF, without a trailing LF.

    >>> list_hash(["b", "a"]) == hashlib.sha256(b"a\nb").hexdigest()
    True
    """
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def method(lists: Mapping[str, Sequence[str]], config: Config, *, may_be_random: bool) -> str:
    """Decides how images come to splits, from what is given.

    Args:
        lists: train_val, train, validation or test -> names, for the lists that were given.
        config: the job's settings.
        may_be_random: whether a source without lists is divided at random unasked.

    Returns:
        One of the module's constants; a column that lacks validation is found out later.

    Raises:
        UsageError: lists that do not make a split, or none where they are needed.
        ConfigError: a column that the setting `split` would leave unread.
    """
    column = config.table.split_column
    if column and config.split not in ("", "column"):
        raise ConfigError(
            f"split is {config.split}, and table.split_column is {column!r}, which divides the "
            "images otherwise: use --config.split=column, or leave table.split_column empty"
        )
    wanted = config.split or ("lists" if lists else "column" if column else "")
    if wanted == "lists":
        if set(lists) == {"train_val", "test"}:
            official = {name: list_hash(names) for name, names in lists.items()} == OFFICIAL_HASHES
            return OFFICIAL if official else CARVED
        if set(lists) == {"train", "validation", "test"}:
            return LISTS
        raise UsageError(
            "a split by lists needs --train_val_list and --test_list, or --train_list, "
            f"--validation_list and --test_list; given: {', '.join(sorted(lists)) or 'none'}"
        )
    if wanted == "column":
        if not column:
            raise UsageError("split is column, but table.split_column is empty: name the column")
        return COLUMN
    if wanted == "random" or may_be_random:
        return RANDOM
    raise UsageError(
        "the split is missing: give the official lists with --train_val_list and --test_list, or "
        "ask for another split that cannot be compared with --config.split=random"
    )


def assign(
    rows: Sequence[Row],
    *,
    how: str,
    lists: Mapping[str, Sequence[str]],
    column: Mapping[str, str],
    config: Config,
) -> tuple[dict[str, str], str]:
    """Assigns every row of the index, whether its image is there or not.

    Args:
        rows: the index; every row names its patient.
        how: what `method` decided.
        lists: see `method`.
        column: id -> split, from the label file.
        config: the job's settings.

    Returns:
        id -> split, and how it came to be in the words of the manifest.

    Raises:
        DataError: an image in two lists or in none.
    """
    if how == RANDOM:
        test = stratify.carve(rows, fraction=config.test_fraction, salt=f"test:{config.split_salt}")
        rough = {row.id: "test" if row.patient in test else "train" for row in rows}
        return _with_validation(rows, rough, config), RANDOM
    if how == COLUMN:
        rough = {row.id: column[row.id] for row in rows}
        if "validation" in rough.values():
            return rough, COLUMN
        return _with_validation(rows, rough, config), COLUMN_CARVED
    rough = _by_lists(rows, lists)
    return (rough if how == LISTS else _with_validation(rows, rough, config)), how


def group(rows: Sequence[Row], split_of: Mapping[str, str]) -> dict[str, list[Row]]:
    """Groups the rows whose images are there by split.

    Raises:
        DataError: an empty split.
    """
    grouped: dict[str, list[Row]] = {split: [] for split in SPLITS}
    for row in rows:
        grouped[split_of[row.id]].append(row)
    for split in SPLITS:
        if not grouped[split]:
            raise DataError(
                f"split {split} is empty: use more images, or other lists or another "
                "--config.validation_fraction or --config.test_fraction; or, if table.split_column "
                "never names it, leave that empty and add --config.split=random"
            )
    return grouped


def check_patients(rows: Sequence[Row], split_of: Mapping[str, str]) -> None:
    """Proves on the result, not on the intention, that no patient is in two splits.

    Args:
        rows: of the whole index, whether their images are there or not.
        split_of: id -> split.

    Raises:
        DataError: a patient in two splits.
    """
    spellings = patients.spellings(row.patient for row in rows)
    value_of = {name: value for value, names in spellings.items() for name in names}
    of_split: dict[str, set[str]] = {split: set() for split in SPLITS}
    for row in rows:
        of_split[split_of[row.id]].add(value_of[row.patient])
    for at, split in enumerate(SPLITS):
        for other in SPLITS[at + 1 :]:
            both = of_split[split] & of_split[other]
            _refuse(
                f"patients are in both {split} and {other}",
                (patients.spelled(spellings[value]) for value in both),
                "divide by patient",
            )


def _by_lists(rows: Sequence[Row], lists: Mapping[str, Sequence[str]]) -> dict[str, str]:
    of: dict[str, str] = {}
    for name, names in lists.items():
        split = "train" if name == "train_val" else name
        _refuse("names are in two lists", of.keys() & set(names), "remove each from one list")
        of.update(dict.fromkeys(names, split))
    _refuse(
        "images of the label file are in no list",
        (row.id for row in rows if row.id not in of),
        "use the lists that belong to the label file",
    )
    return {row.id: of[row.id] for row in rows}


def _with_validation(
    rows: Sequence[Row], rough: Mapping[str, str], config: Config
) -> dict[str, str]:
    """Moves some patients from train to validation, each finding in proportion."""
    train = [row for row in rows if rough[row.id] == "train"]
    if not train:
        return dict(rough)
    chosen = stratify.carve(train, fraction=config.validation_fraction, salt=config.split_salt)
    moved = {row.id: "validation" for row in train if row.patient in chosen}
    return {**rough, **moved}


def _refuse(what: str, names: Iterable[str], advice: str) -> None:
    named = sorted(names)
    if named:
        raise DataError(f"{len(named)} {what}, first {', '.join(named[:3])}: {advice}")
