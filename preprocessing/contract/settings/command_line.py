# SPDX-License-Identifier: MIT
"""Parses flags and refuses a command line that says two things at once."""

import functools
import re
from collections.abc import Sequence
from typing import Any

from absl import flags

from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.process import log

# What Python says of a value that is not a number, and what people do.
_PLAIN = {
    r"invalid literal for int\(\) with base \d+: .*": "not a whole number",
    r"could not convert string to float: .*": "not a number",
    r"\('Non-boolean argument to boolean flag', .*\)": "not true or false",
}


def parse(argv: Sequence[str], *, values: flags.FlagValues, known_only: bool = False) -> list[str]:
    """Parses a command line.

    Args:
        argv: the command line, program name first.
        values: the flags, defined; they hold their values afterwards.
        known_only: leave flags that are not defined to another parser instead of refusing them.

    Returns:
        What is left over, program name first.

    Raises:
        UsageError: a flag that does not exist, a value it cannot take, or two of them.
        ConfigError: a setting with a value it cannot take.
    """
    argv = with_files(argv, values)
    for name in values:
        # Of two overrides the later one counts; a flag of several values takes them all.
        if not name.startswith("config.") and not isinstance(values[name], flags.MultiFlag):
            _refuse_two_values(values[name])
    try:
        left: list[str] = values(argv, known_only=known_only)
    except (flags.Error, ValueError) as error:
        wrong = ConfigError if "--config." in str(error) else UsageError
        text = " ".join(str(error).split())
        for pattern, plain in _PLAIN.items():
            text = re.sub(pattern, plain, text)
        raise wrong(f"{text}; --help lists the flags") from error
    return left


def with_files(argv: Sequence[str], values: flags.FlagValues) -> list[str]:
    """Puts the contents of files of flags (--flagfile) in their places in a command line.

    Raises:
        UsageError: such a file cannot be read.
    """
    try:
        found = [*argv[:1], *values.read_flags_from_files(list(argv[1:]), force_gnu=False)]
    except flags.Error as error:
        raise UsageError(" ".join(str(error).split())) from error
    log.follow(found, values)
    return found


def _refuse_two_values(flag: flags.Flag) -> None:
    """Makes a flag refuse a second, other value, of which absl would silently take the last."""
    parse = flag.parse

    @functools.wraps(parse)
    def once(argument: Any) -> None:
        before, given = flag.value, flag.present
        parse(argument)
        if given and flag.value != before:
            raise UsageError(
                f"--{flag.name} is given as {before} and as {flag.value}: give it once"
            )

    flag.parse = once
