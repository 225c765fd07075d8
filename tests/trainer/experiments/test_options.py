# SPDX-License-Identifier: MIT
"""What is asked for beside one run fits the mode, or is one sentence."""

import pytest

from preprocessing.contract.errors import UsageError
from trainer import flags


def test_a_command_line_is_kept_as_it_was_given() -> None:
    argv = ["cxr14-train", "--data=/d", "--output", "/o", "--seeds=3", "--config.seed=2"]
    several = flags.parse(argv, {}).several
    assert (several.seeds, several.arguments) == (3, tuple(argv[1:]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--seeds=1"], "--seeds=1 is not allowed: give 2 or more, .* or leave it out"),
        (["--seeds=3", "--mode=train"], "with --mode=all"),
        (["--seeds=2", "--folds=2"], "cannot be combined"),
        (["--folds=3", "--fold=1"], "and no --fold"),
        (["--seeds=-1"], "not a non-negative integer"),
    ],
)
def test_what_does_not_fit_is_one_sentence(given: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        flags.parse(["cxr14-train", "--data=/d", "--output=/o", *given], {})
