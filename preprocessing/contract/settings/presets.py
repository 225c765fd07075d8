# SPDX-License-Identifier: MIT
"""Finds the files of settings that come with the program by name, as in --config=preset:NAME.

They are the YAML files in configs/ of the repository: setup.py installs these beside the package
`preprocessing.contract`, and where nothing is installed they are read from the checkout.
"""

import difflib
import pathlib

from absl import flags

from preprocessing.contract.errors import ConfigError

PREFIX = "preset:"
_INSTALLED = pathlib.Path(__file__).resolve().parents[2] / "configs"
_CHECKOUT = pathlib.Path(__file__).resolve().parents[3] / "configs"


def is_preset(given: str) -> bool:
    """Tells whether a path is a preset's name instead."""
    return given.startswith(PREFIX)


def path_of(given: str, folder: str) -> str:
    """Returns the path of a preset's file; any other path as it is.

    Args:
        given: preset:NAME or a path.
        folder: of configs/ in which presets are looked for, such as training.

    Raises:
        ConfigError: there is no such preset.
    """
    if not is_preset(given):
        return given
    name, found = given.removeprefix(PREFIX), _files(folder)
    if name not in found:  # so that no name leads out of the folder
        near = difflib.get_close_matches(name, found)
        advice = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(found)};"
        raise ConfigError(f"{given} does not exist: {advice} --list_presets says what each is")
    return str(found[name])


def listed(folder: str, use: str = f"--config={PREFIX}NAME") -> str:
    """Returns how to use presets, and of each its name and the first line of its comment."""
    found = _files(folder)
    width = max(map(len, found), default=0)
    lines = [f"  {name:<{width}}  {_about(path)}" for name, path in found.items()]
    return "\n".join([f"{use} takes one of these, which lie in {_folder(folder)}:", *lines])


def define_flag(values: flags.FlagValues) -> None:
    """Defines --list_presets."""
    flags.DEFINE_bool("list_presets", False, "Print the presets.", flag_values=values)


def _about(path: pathlib.Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().lstrip("#").strip()


def _files(folder: str) -> dict[str, pathlib.Path]:
    return {path.stem: path for path in sorted(_folder(folder).glob("*.yaml"))}


def _folder(folder: str) -> pathlib.Path:
    return (_INSTALLED if _INSTALLED.is_dir() else _CHECKOUT) / folder
