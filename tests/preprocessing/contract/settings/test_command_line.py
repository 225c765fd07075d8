# SPDX-License-Identifier: MIT
"""A command line that says two things at once is refused, whatever the flag."""

import pytest
from absl import flags

from preprocessing.contract.errors import UsageError
from preprocessing.contract.settings import command_line


def parse(*arguments: str, known_only: bool = False) -> tuple[flags.FlagValues, list[str]]:
    values = flags.FlagValues()
    flags.DEFINE_string("data", "", "Text.", flag_values=values)
    flags.DEFINE_integer("images", None, "Number.", flag_values=values)
    flags.DEFINE_float("share", None, "Number.", flag_values=values)
    flags.DEFINE_bool("dry", False, "Truth value.", flag_values=values)
    left = command_line.parse(["program", *arguments], values=values, known_only=known_only)
    return values, left


@pytest.mark.parametrize(
    "arguments",
    [
        ["--data=a", "--data=b"],
        ["--data=a", "--data", "b"],
        ["--data=", "--data=b"],
        ["--images=1", "--images=2"],
        ["--dry", "--nodry"],
    ],
)
@pytest.mark.parametrize("known_only", [False, True])
def test_a_flag_with_two_values_is_refused(arguments: list[str], known_only: bool) -> None:
    with pytest.raises(UsageError, match=r"^--\w+ is given as .* and as .*: give it once"):
        parse(*arguments, known_only=known_only)


def test_a_flag_given_twice_alike_is_no_contradiction() -> None:
    values, _ = parse("--data=a", "--data=a", "--images=1", "--images=01", "--dry", "--dry=true")
    assert (values.data, values.images, values.dry) == ("a", 1, True)


def test_flags_that_nobody_knows_are_refused_or_left() -> None:
    with pytest.raises(UsageError, match="dota.*--help lists the flags"):
        parse("--dota=x")
    assert parse("--dota=x", "--data=a", known_only=True)[1] == ["program", "--dota=x"]


def test_a_value_that_is_no_number_is_called_so() -> None:
    with pytest.raises(UsageError, match="^flag --images=ten: not a whole number; --help lists"):
        parse("--images=ten")
    with pytest.raises(UsageError, match="^flag --share=half: not a number; --help lists"):
        parse("--share=half")


def test_a_value_that_is_neither_true_nor_false_is_called_so() -> None:
    with pytest.raises(UsageError, match="^flag --dry=maybe: not true or false; --help lists"):
        parse("--dry=maybe")
