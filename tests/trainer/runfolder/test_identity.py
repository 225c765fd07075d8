# SPDX-License-Identifier: MIT
"""Tests of what identifies a run: records compare by name, across versions with other settings."""

import json
import types
from typing import Any

import pytest

from preprocessing.contract.settings import settings
from trainer.config import Config
from trainer.runfolder import identity

FLAT = settings.flat(Config())


def text(data: str = "a", **changed: object) -> str:
    """A record, with "__" for the dot in the names of settings; None leaves one out."""
    given = {**FLAT, **{name.replace("__", "."): value for name, value in changed.items()}}
    kept = {name: value for name, value in given.items() if value is not None}
    return json.dumps({"settings": kept, "data": data})


def test_runs_of_earlier_versions_keep_their_identity() -> None:
    """The records are in their checkpoints and notes: equal settings must give equal records."""
    manifest: Any = types.SimpleNamespace(identity="0" * 64, findings=["Mass", "Nodule"])
    found = identity.of(Config(), manifest)
    assert found == "0e54e91eb26f99110ad7c1b9de19b396af0989f8b803845fefd5ff95a6b24757"
    other = Config(seed=3)
    other.model.dropout, other.train.epochs, other.optimizer.loss_scale = 0.5, 2, 2.0
    found = identity.of(other, manifest)
    assert found == "f15ccdee4daeb4460472069cb3bae273887cfedb56d74d7a2e634fd53f3046cf"


def test_free_settings_exist_and_are_no_section() -> None:
    assert FLAT.keys() >= identity.FREE
    assert set(identity.FIRST_START) <= identity.FREE


def test_records_name_the_setting_that_differs() -> None:
    assert identity.difference_of_records(text(), text()) == ""
    found = identity.difference_of_records(text(), text(model__dropout=0.5))
    assert found == "another model.dropout (0.3, now 0.5)"
    assert identity.difference_of_records(text(), text("b")) == "another data set than --data"


def test_a_setting_that_came_later_counts_as_its_default_in_older_records() -> None:
    assert identity.difference_of_records(text(model__dropout=None), text()) == ""
    found = identity.difference_of_records(text(model__dropout=None), text(model__dropout=0.5))
    assert found == "another model.dropout (0.3, now 0.5)"


def test_a_setting_that_a_later_version_freed_no_longer_binds() -> None:
    assert identity.difference_of_records(text(train__keep_best=7), text()) == ""


def test_a_setting_of_a_later_version_is_not_passed_over() -> None:
    assert "another model.depth (9, now None)" in identity.difference_of_records(
        text(model__depth=9), text()
    )


@pytest.mark.parametrize("before", ["f" * 64, "9" * 64, "[]", "{}", "null", '{"settings": 3}', ""])
def test_what_is_no_record_is_told_apart(before: str) -> None:
    with pytest.raises(ValueError):
        identity.difference_of_records(before, text())
