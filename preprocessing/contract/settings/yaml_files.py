# SPDX-License-Identifier: MIT
"""Reads YAML files the way people mean what they write.

YAML 1.1, which PyYAML reads, takes `010` for 8, `1:30` for 90 and `no` for false. Here a number is
written in decimal digits and a truth value as true or false; everything else is text, which a
setting of another type then refuses by name.
"""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import storage

_QUOTED = re.compile(r"(['\"])(.*?)\1", re.DOTALL)


class _Loader(yaml.SafeLoader):
    """Builds plain values only, and refuses a key that is given twice."""

    # Not those of SafeLoader, which the lines below would change for everybody.
    yaml_implicit_resolvers: dict[str, list[Any]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Builds a mapping."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value} is given twice", key.start_mark
                )
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


# Each is a part of what YAML 1.1 takes for the type: what any YAML writer leaves unquoted because
# it is text to YAML 1.1 is text here too.
_PLAIN = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "float": (
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "merge": (r"<<", "<"),
}
for _kind, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}",
        re.compile(rf"(?:{_pattern})\Z"),
        [letter if letter != "\0" else "" for letter in _first],
    )


def read(path: str) -> Any:
    """Returns the plain value in a YAML file, None if it is empty.

    Raises:
        ConfigError: the file is missing, cannot be read, or is not YAML.
    """
    try:
        return yaml.load(storage.read_text(path), Loader=_Loader)  # noqa: S506
    except FileNotFoundError as error:
        raise ConfigError(f"configuration file {path} does not exist") from error
    except OSError as error:
        raise ConfigError(f"configuration file {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Says why YAML cannot be read and where, without its text, which may hold secrets."""
    said = [(str(error), "")]
    if isinstance(error, yaml.MarkedYAMLError):
        about = ((error.context, error.context_mark), (error.problem, error.problem_mark))
        said = [
            (text, f", line {mark.line + 1}, column {mark.column + 1}" if mark else "")
            for text, mark in about
            if text
        ]
    parts = [f"{_QUOTED.sub(_hidden, text)}{where}" for text, where in said]
    return " ".join(": ".join(parts).split())


def _hidden(quoted: re.Match[str]) -> str:
    """Keeps single characters and the names of tokens, as '<scalar>'."""
    return quoted[0] if len(quoted[2]) < 3 or quoted[2].startswith("<") else "..."


def place(path: str, *ways: Sequence[str]) -> str:
    """Returns the file and the line of a value, for a sentence on it.

    Args:
        path: of a YAML file.
        ways: keys that lead to the value; of several ways the first that leads to one counts. In a
            list a key is the number of an item that is a mapping, else a text, or the name of a
            flag as in `--name=value`. What is not there, such as a key that is missing, has the
            line of what should hold it.
    """
    try:
        root = yaml.compose(storage.read_text(path), Loader=_Loader)
    except (OSError, ValueError, yaml.YAMLError):
        return path
    followed = [_follow(root, keys) for keys in ways]
    whole = [lines for lines, keys in zip(followed, ways, strict=True) if len(lines) == len(keys)]
    lines = (whole or followed)[0]
    return f"{path}, line {lines[-1]}" if lines else path


def _follow(node: yaml.Node | None, keys: Sequence[str]) -> list[int]:
    """Returns the lines of keys, each below the one before it, as far as they are there."""
    lines = []
    for key in keys:
        found = _within(node, key)
        if found is None:
            break
        line, node = found
        lines.append(line)
    return lines


def _within(node: yaml.Node | None, key: str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return name.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode):
        for at, item in enumerate(node.value):
            if isinstance(item, yaml.MappingNode) and key == str(at):
                return item.start_mark.line + 1, item
            text = item.value if isinstance(item, yaml.ScalarNode) else ""
            if key in (text, text.lstrip("-").partition("=")[0]):
                return item.start_mark.line + 1, item
    return None
