# SPDX-License-Identifier: MIT
"""The flags of a program in a job file: a list of `--flag=value`, or a mapping of names to values.

>>> spelled({"data": "gs://b/shards", "config.data.flip": False})
['--data=gs://b/shards', '--config.data.flip=false']
"""

ArgumentValue = str | int | float | bool
Arguments = list[str] | dict[str, ArgumentValue]


def spelled(given: Arguments) -> list[str]:
    """Returns a command line without the program name, one `--flag=value` each."""
    if not isinstance(given, dict):
        return list(given)
    return [f"--{name}={text(value)}" for name, value in given.items()]


def value_of(name: str, given: Arguments) -> str:
    """Returns the value of a flag, the last one given; empty if there is none.

    >>> value_of("data", ["--mode=all", "--data=gs://b/shards"])
    'gs://b/shards'
    """
    start, found = f"--{name}=", ""
    for argument in spelled(given):
        if argument.startswith(start):
            found = argument.removeprefix(start)
    return found


def text(value: ArgumentValue) -> str:
    """Returns a value as the flags of a program take it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
