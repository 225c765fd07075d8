# SPDX-License-Identifier: MIT
"""Reads typed settings: dataclass defaults, then YAML files, then `--config.a.b=c` overrides."""

import dataclasses
import difflib
import functools
import re
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

import yaml
from absl import flags
from ml_collections import config_flags

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import given_paths
from preprocessing.contract.settings import command_line, mappings, presets, yaml_files

# Part of what a user of this module asks for.
from preprocessing.contract.settings.mappings import from_mapping as from_mapping
from preprocessing.contract.settings.mappings import from_yaml as from_yaml

T = TypeVar("T")

_HELP = (
    "YAML file of settings, or preset:NAME for one that comes with the program (--list_presets "
    "lists them), the later of two over the earlier; --config.section.name=value overrides single "
    "settings, wherever they are."
)
_FILE = re.compile(r"^--?config=")
_OVERRIDE = re.compile(r"^--?(no)?config\.(?P<path>[^=]*)")


def merged_files(kind: type[Any], paths: Sequence[str], folder: str = "") -> dict[str, Any]:
    """Reads YAML files in order: what a later one holds replaces the same in those before it.

    Args:
        kind: the settings dataclass that each of them must fit.
        paths: as given to --config.
        folder: of configs/, whose files may be given as preset:NAME.

    Raises:
        UsageError: a path that cannot be meant.
        ConfigError: a file that is missing, is not YAML or does not fit, with the line.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        if not path:
            raise ConfigError("--config names no file: give a YAML file or leave --config out")
        path = presets.path_of(path, folder) if folder else path
        path = given_paths.checked("--config", path)
        values = yaml_files.read(path)
        # Each by itself, so that an error names its file.
        from_mapping(kind, values, origin=path, place=functools.partial(yaml_files.place, path))
        merged = _merged(merged, values or {})
    return merged


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
    return flattened(to_mapping(settings))


def flattened(mapping: dict[str, Any]) -> dict[str, Any]:
    """Returns the same of settings as a nested mapping, which may be a part of them.

    >>> flattened({"data": {"flip": True}, "seed": 1})
    {'data.flip': True, 'seed': 1}
    """
    found = {}
    for section, value in mapping.items():
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
    defaults: Any,
    argv: Sequence[str],
    *,
    values: flags.FlagValues,
    known_only: bool = False,
    folder: str = "",
) -> list[str]:
    """Parses a command line with `--config=FILE.yaml` and `--config.section.name=value` overrides.

    Args:
        defaults: a fresh settings dataclass with its defaults.
        argv: program name first; `--config=FILE` may be anywhere, and more than once: the files are
            read in their order, each over the ones before it.
        values: the other flags, defined; `values.config` holds the settings afterwards.
        known_only: leave flags that are not defined to another parser instead of refusing them.
        folder: of configs/, whose files may be given as preset:NAME.

    Returns:
        What is left over, program name first.

    Raises:
        UsageError: a flag that does not exist, a value it cannot take, or two of them.
        ConfigError: a setting that does not exist, or a value it cannot take.
    """
    # 1. Put the contents of files of flags in their places.
    program, *given = command_line.with_files(argv, values)
    # 2. Take out the files of settings: overrides count over them, wherever they are given.
    files, others = files_apart(given)
    argv = [program, *others]
    # 3. Check the names of overrides: with `known_only` a misspelt one would be passed on.
    _check_overrides(type(defaults), argv)
    # 4. Define a flag for each setting, with the value of the files as its default.
    if files:
        merged = merged_files(type(defaults), files, folder)
        defaults = from_mapping(type(defaults), merged, origin=" and ".join(files))
    _define(defaults, argv, values)
    return command_line.parse(argv, values=values, known_only=known_only)


def _define(defaults: Any, argv: Sequence[str], values: flags.FlagValues) -> None:
    try:
        config_flags.DEFINE_config_dataclass(
            "config",
            defaults,
            _HELP,
            flag_values=values,
            sys_argv=argv,
        )
    except flags.Error as error:
        raise ConfigError(f"{mappings.in_one_line(error)}; --help lists the settings") from error


def files_apart(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Takes the files of settings out of a command line, which may hold them anywhere.

    Returns:
        The files, as given, and the other arguments, each in their order.
    """
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


def _check_overrides(kind: Any, argv: Sequence[str]) -> None:
    for argument in argv:
        if override := _OVERRIDE.match(argument):
            _check_setting(kind, override["path"])


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
