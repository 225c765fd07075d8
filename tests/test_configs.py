# SPDX-License-Identifier: MIT
"""Every setting is declared whole, and every shipped file loads through the command lines."""

import pathlib
from typing import Any

import pytest

import trainer.config
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.settings import declaration, settings
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


@pytest.mark.parametrize("config", [Config(), trainer.config.Config()], ids=["data", "training"])
def test_every_setting_is_declared_with_all_that_help_and_checks_need(config: Any) -> None:
    walked = list(declaration.walk(config))
    assert {name.partition(".")[0] for name, _, _ in walked} == set(vars(config))
    for name, declared, value in walked:
        parent = config
        for section in name.split(".")[:-1]:
            parent = getattr(parent, section)
        assert len(declaration.texts(type(parent))[name.rpartition(".")[2]]) > 10, name
        assert isinstance(declared.change, declaration.Change), name
        low = declared.ge is not None or declared.gt is not None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        assert is_number == low, f"{name} needs a range, or none"
        assert not (declared.choices and not isinstance(value, str)), name


@pytest.mark.parametrize("kind", [Config, trainer.config.Config], ids=["data", "training"])
def test_the_help_is_a_file_of_settings_with_the_defaults(
    kind: type[Any], tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "defaults.yaml"
    path.write_text(declaration.described(kind()), encoding="utf-8")
    assert settings.from_yaml(kind, str(path)) == kind()
