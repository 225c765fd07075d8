# SPDX-License-Identifier: MIT
"""Assigns every image to train, validation or test so that no patient is in two of them."""

import hashlib
from collections.abc import Iterable, Sequence

from preprocessing.contract.errors import DataError
from preprocessing.contract.manifest import SPLITS
from preprocessing.sources import Row

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


def in_validation(patient: str, *, fraction: float, salt: str) -> bool:
    """Tells whether a train_val patient is in validation: a pure function of its name and the salt.

    >>> in_validation("17", fraction=0.0, salt="a"), in_validation("17", fraction=1.0, salt="a")
    (False, True)
    """
    digest = hashlib.sha256(f"{salt}:{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64


def assign(
    rows: Sequence[Row],
    *,
    train_val: Sequence[str],
    test: Sequence[str],
    fraction: float,
    salt: str,
) -> dict[str, list[Row]]:
    """Assigns the rows by the lists, and carves validation out of train_val by patient.

    Args:
        rows: the index; rows whose image is absent may be left out.
        train_val: names for train and validation.
        test: names for test.
        fraction: share of train_val patients that goes to validation.
        salt: text mixed into the patient hash.

    Returns:
        split -> its rows, in the order given.

    Raises:
        DataError: a name in both lists or in none, a patient in two splits, or an empty split.
    """
    in_train_val, in_test = frozenset(train_val), frozenset(test)
    _refuse("names stand in both lists", in_train_val & in_test, "remove each from one list")
    strays = [row.id for row in rows if row.id not in in_train_val and row.id not in in_test]
    _refuse(
        "images of the label file stand in neither list",
        strays,
        "use the lists that belong to the label file",
    )
    assigned: dict[str, list[Row]] = {split: [] for split in SPLITS}
    for row in rows:
        if row.id in in_test:
            assigned["test"].append(row)
        elif in_validation(row.patient, fraction=fraction, salt=salt):
            assigned["validation"].append(row)
        else:
            assigned["train"].append(row)
    _check(assigned)
    return assigned


def _check(assigned: dict[str, list[Row]]) -> None:
    """Proves on the result, not on the intention, that splits share no patient and hold rows."""
    patients = {split: {row.patient for row in rows} for split, rows in assigned.items()}
    for at, split in enumerate(SPLITS):
        if not assigned[split]:
            raise DataError(
                f"split {split} is empty: use more images, or other lists or another "
                "--config.validation_fraction"
            )
        for other in SPLITS[at + 1 :]:
            _refuse(
                f"patients are in both {split} and {other}",
                patients[split] & patients[other],
                "use lists that divide by patient",
            )


def _refuse(what: str, names: Iterable[str], advice: str) -> None:
    named = sorted(names)
    if named:
        raise DataError(f"{len(named)} {what}, first {', '.join(named[:3])}: {advice}")
