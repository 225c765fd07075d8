# SPDX-License-Identifier: MIT
"""Reads typed settings: dataclass defaults, then a YAML file, then `--config.a.b=c` overrides."""

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

from preprocessing.contract import storage
from preprocessing.contract.errors import ConfigError, UsageError

T = TypeVar("T")

_FILE = re.compile(r"^--?config=")
_OVERRIDE = re.compile(r"^--?(no)?config\.(?P<path>[^=]*)")


def _to_float(value: Any) -> Any:
    """Accepts what YAML 1.1 reads as text (`1e-4` has no dot) or as a whole number."""
    if isinstance(value, bool):
        return repr(value)  # refused with the field's name by dacite, as any other text
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _to_int(value: Any) -> Any:
    """Makes dacite refuse true and false, which Python counts among the whole numbers."""
    return repr(value) if isinstance(value, bool) else value


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Builds a mapping."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


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
    if not path:
        raise ConfigError("--config names no file: give a YAML file or leave --config out")
    try:
        # A SafeLoader, which builds plain values only.
        values = yaml.load(storage.read_text(path), Loader=_Loader)  # noqa: S506
    except FileNotFoundError as error:
        raise ConfigError(f"configuration file {path} does not exist") from error
    except OSError as error:
        raise ConfigError(f"configuration file {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {_in_one_line(error)}") from error
    return from_mapping(kind, values, origin=path)


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
        argv: the command line, program name first; `--config=FILE` may stand anywhere.
        values: the other flags, defined; `values.config` holds the settings afterwards.
        known_only: leave flags that are not defined for somebody else instead of refusing them.

    Returns:
        What is left over, program name first.

    Raises:
        UsageError: a flag that does not exist, or a value it cannot take.
        ConfigError: a setting that does not exist, or a value it cannot take.
    """
    argv = _files_first(argv)
    kind = type(defaults)
    for argument in argv:
        if override := _OVERRIDE.match(argument):
            _check_setting(kind, override["path"])
    try:
        config_flags.DEFINE_config_dataclass(
            "config",
            defaults,
            "YAML file of settings; --config.section.name=value overrides single settings.",
            flag_values=values,
            sys_argv=argv,
            parse_fn=lambda given: given if isinstance(given, kind) else from_yaml(kind, given),
        )
    except flags.Error as error:
        raise ConfigError(f"{_in_one_line(error)}; --help lists the settings") from error
    return parse_flags(argv, values=values, known_only=known_only)


def parse_flags(
    argv: Sequence[str], *, values: flags.FlagValues, known_only: bool = False
) -> list[str]:
    """Parses a command line without settings; like `parse` otherwise.

    Raises:
        UsageError: a flag that does not exist, or a value it cannot take.
        ConfigError: a setting with a value it cannot take.
    """
    try:
        left: list[str] = values(list(argv), known_only=known_only)
    except flags.Error as error:
        wrong = ConfigError if "--config." in str(error) else UsageError
        raise wrong(f"{_in_one_line(error)}; --help lists the flags") from error
    return left


def _files_first(argv: Sequence[str]) -> list[str]:
    """Puts the files of settings before their overrides: users append flags in any order."""
    files, others, left = [], [], list(argv[1:])
    while left:
        argument = left.pop(0)
        if argument == "--":
            others += [argument, *left]
            break
        if argument in ("--config", "-config") and left:
            files.append(f"--config={left.pop(0)}")
        else:
            (files if _FILE.match(argument) else others).append(argument)
    return [*argv[:1], *files, *others]


def _check_setting(kind: Any, path: str) -> None:
    """Refuses an override whose setting does not exist, and names the nearest that does."""
    *sections, name = path.split(".")
    for section in sections:
        fields = {field.name: field.type for field in dataclasses.fields(kind)}
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
    if typing.get_origin(fields[name]) is list:
        raise ConfigError(f"--config.{path} is a list: set it in a YAML file, with --config=FILE")


def _explain(error: Exception) -> str:
    """Says what is wrong without dacite's view of the value, which may be a generator."""
    if isinstance(error, dacite.WrongTypeError):
        wanted = error.field_type
        name = wanted.__name__ if isinstance(wanted, type) else str(wanted)
        return f"{error.field_path} must be of type {name}"
    return _in_one_line(error)


def _in_one_line(error: object) -> str:
    return " ".join(str(error).split())
