# SPDX-License-Identifier: MIT
"""Builds a settings dataclass from a nested mapping or a YAML file, and names what does not fit."""

import dataclasses
import difflib
import functools
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import dacite

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.settings import yaml_files

T = TypeVar("T")

# How YAML is to say what it said otherwise.
_ADVICE = {
    bool: ": write true or false",
    int: ": write it in decimal digits, without leading zeros and quotes",
    float: ": write it in decimal digits, as 0.001 or 1e-3",
}


class _MisfitError(Exception):
    """What does not fit, and the keys that lead to it."""

    def __init__(self, keys: Sequence[str], text: str) -> None:
        super().__init__(text)
        self.keys = keys


def from_mapping(
    kind: type[T],
    values: Any,
    *,
    origin: str,
    place: Callable[[Sequence[str]], str] | None = None,
) -> T:
    """Builds a settings dataclass from nested mappings, refusing unknown keys and wrong types.

    Args:
        kind: the dataclass to build; fields that `values` leaves out keep their defaults.
        values: nested mapping, as read from YAML; None means empty.
        origin: the file named in an error.
        place: keys that lead to a value -> the file and the line to name instead.

    Raises:
        ConfigError: a key that does not exist or a value of the wrong type.
    """
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(f"{origin} must hold a mapping of settings, not {type(values).__name__}")
    try:
        return _build(kind, values)
    except _MisfitError as error:
        where = place(error.keys) if place else origin
        see = " See" if str(error).endswith("?") else "; see"
        raise ConfigError(
            f"{where}: {error}{see} the fields of {kind.__name__} in "
            f"{kind.__module__.replace('.', '/')}.py"
        ) from error


def from_yaml(kind: type[T], path: str) -> T:
    """Reads a YAML file into a settings dataclass.

    Raises:
        ConfigError: the file is missing, is not YAML, or does not fit the dataclass; the sentence
            names the line.
    """
    values = yaml_files.read(path)
    place = functools.partial(yaml_files.place, path)
    return from_mapping(kind, values, origin=path, place=place)


def in_one_line(error: object) -> str:
    """Returns what an error says without line breaks."""
    return " ".join(str(error).split())


def _build(kind: type[T], values: dict[str, Any]) -> T:
    _refuse_unknown(kind, values, ())
    strict = dacite.Config(strict=True, type_hooks={float: _to_float, int: _to_int})
    try:
        return dacite.from_dict(kind, values, config=strict)
    except (dacite.DaciteError, TypeError) as error:
        path = error.field_path if isinstance(error, dacite.DaciteFieldError) else None
        raise _MisfitError((path or "").split("."), _explain(error)) from error


def _refuse_unknown(kind: Any, values: Mapping[Any, Any], section: tuple[str, ...]) -> None:
    """Refuses a key that no field has, and names the nearest; dacite names neither section."""
    hints = typing.get_type_hints(kind)
    for key, value in values.items():
        keys = (*section, str(key))
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(hints)}"
            raise _MisfitError(keys, f"key {'.'.join(keys)} does not exist: {advice}")
        within = [one for one in (hints[key], *typing.get_args(hints[key])) if _is_section(one)]
        for place, one in _sections(hints[key], value, keys) if within else ():
            _refuse_within(within[0], one, place)
        kinds = [typing.get_origin(one) for one in (hints[key], *typing.get_args(hints[key]))]
        if isinstance(value, dict) and list in kinds and dict not in kinds:
            raise _MisfitError(keys, f"{'.'.join(keys)} must be a list, not a mapping")


def _sections(
    hint: Any, value: Any, keys: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields keys and value of each section in a list or mapping of them, or of the only one."""
    several = typing.get_origin(hint)
    if several is list:
        if not isinstance(value, list):
            name = next(filter(_is_section, typing.get_args(hint))).__name__
            raise _MisfitError(keys, f"{'.'.join(keys)} must be a list of {name}")
        yield from (((*keys, str(at)), one) for at, one in enumerate(value))
    elif several is dict and isinstance(value, dict):
        yield from (((*keys, str(name)), one) for name, one in value.items())
    else:
        yield keys, value


def _refuse_within(kind: type, value: Any, keys: tuple[str, ...]) -> None:
    if isinstance(value, dict):
        _refuse_unknown(kind, value, keys)
    elif value is not None:
        raise _MisfitError(keys, f"{'.'.join(keys)} must be of type {kind.__name__}")


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _to_float(value: Any) -> Any:
    """Accepts what YAML 1.1 reads as text (`1e-4` has no dot) or as a whole number."""
    if isinstance(value, bool):
        return repr(value)  # refused with the field's name by dacite, as any other text
    try:
        return float(value)
    except (TypeError, ValueError):
        return value
    except OverflowError:
        return repr(value)  # refused as a text, too


def _to_int(value: Any) -> Any:
    """Makes dacite refuse true and false, which Python counts among the whole numbers."""
    return repr(value) if isinstance(value, bool) else value


def _explain(error: Exception) -> str:
    """Says what is wrong without dacite's view of the value, which may be a generator."""
    if isinstance(error, dacite.WrongTypeError):
        wanted, value = error.field_type, error.value
        name = wanted.__name__ if isinstance(wanted, type) else str(wanted)
        advice = _ADVICE.get(wanted, "") if isinstance(value, str) else ""
        if wanted is str and isinstance(value, (int, float)):
            advice = ": put it in quotes if it is meant as text"
        return f"{error.field_path} must be of type {name}{advice}"
    return in_one_line(error)
