# SPDX-License-Identifier: MIT
"""Every file of settings that is shipped loads through the real command lines and can work."""

import pathlib

import pytest

from preprocessing.config import Config
from preprocessing.contract.settings import settings
from trainer import flags

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"


def _files(folder: str) -> list[pathlib.Path]:
    found = sorted((CONFIGS / folder).rglob("*.y*ml"))
    assert found, f"configs/{folder} holds no YAML file"
    return found


def _name(path: pathlib.Path) -> str:
    return str(path.relative_to(CONFIGS))


@pytest.mark.parametrize("path", _files("preprocessing"), ids=_name)
def test_shipped_preprocessing_settings_work(path: pathlib.Path) -> None:
    settings.from_yaml(Config, str(path)).validate()


@pytest.mark.parametrize("path", _files("training"), ids=_name)
def test_shipped_training_settings_work(path: pathlib.Path) -> None:
    argv = ["cxr14-train", "--data=data", "--output=run", f"--config={path}"]
    parsed = flags.parse(argv, environ={})  # checks them too
    loaded = settings.to_mapping(parsed.config)
    assert loaded == settings.to_mapping(settings.from_yaml(type(parsed.config), str(path)))
