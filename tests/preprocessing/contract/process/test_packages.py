# SPDX-License-Identifier: MIT
"""A package that is missing is one sentence; a module of ours that is missing is a defect."""

import importlib

import pytest

from preprocessing.contract.errors import UsageError
from preprocessing.contract.process import packages


def test_a_missing_package_names_the_lock_to_install() -> None:
    sentence = r"no_such_package:.* configs/requirements/default\.txt "
    with pytest.raises(UsageError, match=sentence), packages.explained("default.txt"):
        importlib.import_module("no_such_package")


def test_a_missing_module_of_ours_is_a_defect() -> None:
    with pytest.raises(ModuleNotFoundError), packages.explained("default.txt"):
        importlib.import_module("trainer.no_such_module")
