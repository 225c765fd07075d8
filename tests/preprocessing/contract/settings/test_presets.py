# SPDX-License-Identifier: MIT
"""A preset is a shipped file under its name, and no name leads anywhere else."""

import pathlib

import pytest

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.settings import presets

ROOT = pathlib.Path(__file__).parents[4]
FOLDERS = ("training", "preprocessing", "jobs")


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_shipped_file_is_a_preset(folder: str) -> None:
    files = sorted((ROOT / "configs" / folder).glob("*.yaml"))
    assert files
    for path in files:
        assert presets.path_of(f"preset:{path.stem}", folder) == str(path)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_list_has_each_preset_with_a_sentence_on_it(folder: str) -> None:
    first, *lines = presets.listed(folder).splitlines()
    assert "preset:NAME" in first and str(ROOT / "configs" / folder) in first
    assert [line.split()[0] for line in lines] == sorted(
        path.stem for path in (ROOT / "configs" / folder).glob("*.yaml")
    )
    for line in lines:
        text = line.split(maxsplit=1)[1]
        assert text.endswith(".") and len(text) > 30, f"the first line is to say it all: {line}"


def test_a_path_stays_as_it_is() -> None:
    for path in ("gs://bucket/a.yaml", "a.yaml", "/preset:demo", ""):
        assert presets.path_of(path, "training") == path


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("dmeo", "did you mean demo?"),
        ("nih_gpu", "did you mean nih_gpu1?"),
        ("", "there are demo, distilled, frozen_backbone, nih_gpu1, resnet50_224,"),
        ("../preprocessing/nih", "there are"),
        ("../../README.md", "there are"),
        ("/etc/hostname", "there are"),
        ("demo.yaml", "did you mean demo?"),
    ],
)
def test_another_name_is_refused_with_those_that_exist(name: str, advice: str) -> None:
    with pytest.raises(ConfigError) as caught:
        presets.path_of(f"preset:{name}", "training")
    text = str(caught.value)
    assert text.startswith(f"preset:{name} does not exist: {advice}") and "--list_presets" in text
