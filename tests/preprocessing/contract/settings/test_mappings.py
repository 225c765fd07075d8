# SPDX-License-Identifier: MIT
"""What does not fit a settings dataclass is named with its section, its line and what does."""

import dataclasses
import pathlib

import pytest
from absl import flags

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.settings import mappings, settings


@dataclasses.dataclass
class Optimizer:
    rate: float = 0.1
    nesterov: bool = False
    words: list[str | int] | None = None


@dataclasses.dataclass
class Job:
    steps: int = 10
    name: str = "job"
    findings: list[str] = dataclasses.field(default_factory=lambda: ["Mass"])
    optimizer: Optimizer | None = dataclasses.field(default_factory=Optimizer)
    schedule: list[Optimizer] = dataclasses.field(default_factory=list)
    others: dict[str, Optimizer] = dataclasses.field(default_factory=dict)


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("steps: 1\nnmae: x", 2, "key nmae does not exist: did you mean name? See the fields"),
        (
            "zzz: 1",
            1,
            "key zzz does not exist: there are steps, name, findings, optimizer, schedule",
        ),
        (
            "# rates\noptimizer:\n  nesterov: true\n  # too fast\n  raet: 1",
            5,
            "key optimizer.raet does not exist: did you mean rate?",
        ),
        ("optimizer:\n  nesterov: true\n  rate: fast", 3, "optimizer.rate must be of type float"),
        ("findings:\n- Mass\n- 3", 1, "findings must be of type"),
        ("steps: 1\n\noptimizer: 3", 3, "optimizer must be of type Optimizer"),
        (
            "schedule:\n- rate: 1\n- nesterov: true\n  raet: 1",
            4,
            "key schedule.1.raet does not exist: did you mean rate?",
        ),
        ("schedule:\n- {rate: 1}\n- 3", 1, "schedule.1 must be of type Optimizer"),
        ("schedule: {rate: 1}", 1, "schedule must be a list of Optimizer"),
        ("findings: {ab: x}", 1, "findings must be a list, not a mapping"),
        ("others:\n  a:\n    words: {long: 1}", 3, "others.a.words must be a list, not a mapping"),
        ("others:\n  a: {rate: 1}\n  b.c:\n    raet: 1", 4, "key others.b.c.raet does not exist"),
        ("others:\n  a: 3", 2, "others.a must be of type Optimizer"),
        ("base: &base\n  rate: 1\noptimizer: *base", 1, "key base does not exist"),
        ("optimizer:\n  <<: {raet: 1}", 1, "key optimizer.raet does not exist"),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(
    tmp_path: pathlib.Path, text: str, line: int, part: str
) -> None:
    path = str(tmp_path / "settings.yaml")
    pathlib.Path(path).write_text(text)
    with pytest.raises(ConfigError) as caught:
        mappings.from_yaml(Job, path)
    assert str(caught.value).startswith(f"{path}, line {line}: {part}")
    with pytest.raises(ConfigError) as again:
        settings.parse(Job(), ["program", f"--config={path}"], values=flags.FlagValues())
    assert str(again.value) == str(caught.value)


def test_of_a_mapping_without_a_file_the_origin_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^a text: key optimizer.raet does not exist: did you"):
        mappings.from_mapping(Job, {"optimizer": {"raet": 1}}, origin="a text")


def test_sections_in_lists_and_mappings_are_built() -> None:
    values = {"others": {"a.b": {"rate": 2}}, "schedule": [{"rate": 3}, {"nesterov": True}]}
    job = mappings.from_mapping(Job, values, origin="a text")
    assert job.others == {"a.b": Optimizer(rate=2.0)}
    assert job.schedule == [Optimizer(rate=3.0), Optimizer(nesterov=True)]
