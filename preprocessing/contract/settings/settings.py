# SPDX-License-Identifier: MIT
"""Reads typed settings: dataclass defaults, then YAML files, then `--config.a.b=c` overrides."""

import dataclasses
import difflib
import re
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

import dacite
import yaml
from absl import flags
from ml_collections import config_flags

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import given_paths
from preprocessing.contract.settings import command_line, yaml_files

T = TypeVar("T")

_HELP = (
    "YAML file of settings, the later of two over the earlier; --config.section.name=value "
    "overrides single settings, wherever they are."
)
_FILE = re.compile(r"^--?config=")
_OVERRIDE = re.compile(r"^--?(no)?config\.(?P<path>[^=]*)")
# How YAML is to say what it said otherwise.
_ADVICE = {
    bool: ": write true or false",
    int: ": write it in decimal digits, without leading zeros and quotes",
    float: ": write it in decimal digits, as 0.001 or 1e-3",
}


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


def from_mapping(kind: type[T], values: Any, *, origin: str) -> T:
    """Builds a settings dataclass from nested mappings, refusing unknown keys and wrong types.

    Args:
        kind: the dataclass to build; fields that `values` leaves out keep their defaults.
        values: nested mapping, as read from YAML; None means empty.
        origin: the file named in an error.

    Raises:
        ConfigError: a key that does not exist or a value of the wrong type.
    """
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(f"{origin} must hold a mapping of settings, not {type(values).__name__}")
    strict = dacite.Config(strict=True, type_hooks={float: _to_float, int: _to_int})
    try:
        return dacite.from_dict(kind, values, config=strict)
    except (dacite.DaciteError, TypeError) as error:
        raise ConfigError(
            f"{origin}: {_explain(error)}; see the fields of {kind.__name__} in "
            f"{kind.__module__.replace('.', '/')}.py"
        ) from error


def from_yaml(kind: type[T], path: str) -> T:
    """Reads a YAML file into a settings dataclass.

    Raises:
        ConfigError: the file is missing, is not YAML, or does not fit the dataclass.
    """
    return from_mapping(kind, yaml_files.read(path), origin=path)


def _from_files(kind: type[T], paths: Sequence[str]) -> T:
    """Reads YAML files in order: what a later one holds replaces the same in those before it."""
    merged: dict[str, Any] = {}
    for path in paths:
        if not path:
            raise ConfigError("--config names no file: give a YAML file or leave --config out")
        path = given_paths.checked("--config", path)
        values = yaml_files.read(path)
        from_mapping(kind, values, origin=path)  # each by itself, so that an error names its file
        merged = _merged(merged, values or {})
    return from_mapping(kind, merged, origin=" and ".join(paths))


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lays nested mappings over others; a list is replaced as a whole.

    >>> _merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}})
    {'a': {'b': 1, 'c': 4}, 'd': 3}
    """
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _merged(below[key], value) if both else value
    return merged


def to_mapping(settings: Any) -> dict[str, Any]:
    """Returns a settings dataclass as nested plain mappings and lists."""
    mapping: dict[str, Any] = yaml.safe_load(to_yaml(settings))
    return mapping


def flat(settings: Any) -> dict[str, Any]:
    """Returns a settings dataclass as section.name -> plain value."""
    found = {}
    for section, value in to_mapping(settings).items():
        if isinstance(value, dict):
            found.update({f"{section}.{name}": item for name, item in value.items()})
        else:
            found[section] = value
    return found


def to_yaml(settings: Any) -> str:
    """Returns a settings dataclass as YAML that `from_yaml` reads back equal."""
    text: str = yaml.safe_dump(dataclasses.asdict(settings), sort_keys=False, allow_unicode=True)
    return text


def parse(
    defaults: Any, argv: Sequence[str], *, values: flags.FlagValues, known_only: bool = False
) -> list[str]:
    """Parses a command line with `--config=FILE.yaml` and `--config.section.name=value` overrides.

    Args:
        defaults: a fresh settings dataclass with its defaults.
        argv: program name first; `--config=FILE` may be anywhere, and more than once: the files are
            read in their order, each over the ones before it.
        values: the other flags, defined; `values.config` holds the settings afterwards.
        known_only: leave flags that are not defined to another parser instead of refusing them.

    Returns:
        What is left over, program name first.

    Raises:
        UsageError: a flag that does not exist, a value it cannot take, or two of them.
        ConfigError: a setting that does not exist, or a value it cannot take.
    """
    # 1. Put the contents of files of flags in their places.
    program, *given = command_line.with_files(argv, values)
    # 2. Take out the files of settings: overrides count over them, wherever they are given.
    files, others = _files_apart(given)
    argv = [program, *others]
    # 3. Check the names of overrides: with `known_only` a misspelt one would be passed on.
    kind = type(defaults)
    for argument in argv:
        if override := _OVERRIDE.match(argument):
            _check_setting(kind, override["path"])
    # 4. Define a flag for each setting, with the value of the files as its default.
    try:
        config_flags.DEFINE_config_dataclass(
            "config",
            _from_files(kind, files) if files else defaults,
            _HELP,
            flag_values=values,
            sys_argv=argv,
        )
    except flags.Error as error:
        raise ConfigError(f"{_in_one_line(error)}; --help lists the settings") from error
    return command_line.parse(argv, values=values, known_only=known_only)


def _files_apart(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Takes the files of settings out of a command line, which may hold them anywhere."""
    files, others, left = [], [], list(argv)
    while left:
        argument = left.pop(0)
        if argument == "--":
            others += [argument, *left]
            break
        if argument in ("--config", "-config") and left:
            files.append(left.pop(0))
        elif _FILE.match(argument):
            files.append(argument.partition("=")[2])
        else:
            others.append(argument)
    return files, others


def _check_setting(kind: Any, path: str) -> None:
    """Refuses an override whose setting does not exist, and names the nearest that does."""
    *sections, name = path.split(".")
    for section in sections:
        fields = {field.name: field.type for field in dataclasses.fields(kind)}
        _refuse_several(path, fields.get(section))
        if not dataclasses.is_dataclass(fields.get(section)):
            raise ConfigError(
                f"--config.{path} names a section that does not exist: "
                f"{', '.join(f for f in fields if dataclasses.is_dataclass(fields[f]))}"
            )
        kind = fields[section]
    fields = {field.name: field.type for field in dataclasses.fields(kind)}
    if name not in fields:
        near = difflib.get_close_matches(name, fields, n=1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(fields)}"
        raise ConfigError(f"--config.{path} names a setting that does not exist: {advice}")
    if dataclasses.is_dataclass(fields[name]):
        raise ConfigError(f"--config.{path} is a section: set one of its settings instead")
    _refuse_several(path, fields[name])


def _refuse_several(path: str, kind: Any) -> None:
    several = {list: "a list", dict: "a mapping"}.get(typing.get_origin(kind))
    if several:
        raise ConfigError(
            f"--config.{path} is {several}: set it in a YAML file, with --config=FILE"
        )


def _explain(error: Exception) -> str:
    """Says what is wrong without dacite's view of the value, which may be a generator."""
    if isinstance(error, dacite.WrongTypeError):
        wanted, value = error.field_type, error.value
        name = wanted.__name__ if isinstance(wanted, type) else str(wanted)
        advice = _ADVICE.get(wanted, "") if isinstance(value, str) else ""
        if wanted is str and isinstance(value, (int, float)):
            advice = ": put it in quotes if it is meant as text"
        return f"{error.field_path} must be of type {name}{advice}"
    return _in_one_line(error)


def _in_one_line(error: object) -> str:
    return " ".join(str(error).split())
