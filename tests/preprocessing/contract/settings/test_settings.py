# SPDX-License-Identifier: MIT
"""Settings come from defaults, file and command line in that order; nothing wrong passes."""

import dataclasses
import pathlib
from collections.abc import Callable

import pytest
from absl import flags

from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.settings import settings


@dataclasses.dataclass
class Optimizer:
    rate: float = 0.1
    nesterov: bool = False


@dataclasses.dataclass
class Job:
    steps: int = 10
    name: str = "job"
    findings: list[str] = dataclasses.field(default_factory=lambda: ["Mass"])
    optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)


@pytest.fixture
def file(tmp_path: pathlib.Path) -> Callable[[str], str]:
    """Writes a YAML file and returns its path."""

    def write(text: str) -> str:
        path = tmp_path / "settings.yaml"
        path.write_text(text)
        return str(path)

    return write


def _parse(*arguments: str, known_only: bool = False) -> Job:
    values = flags.FlagValues()
    flags.DEFINE_string("data", "", "A flag beside the settings.", flag_values=values)
    settings.parse(Job(), ["program", *arguments], values=values, known_only=known_only)
    parsed: Job = values.config
    return parsed


def test_without_arguments_the_defaults_hold() -> None:
    assert _parse() == Job()


def test_a_file_changes_what_it_names_and_leaves_the_rest(file: Callable[[str], str]) -> None:
    parsed = _parse(f"--config={file('optimizer: {nesterov: true}')}")
    assert parsed == Job(optimizer=Optimizer(rate=0.1, nesterov=True))


def test_an_empty_file_changes_nothing(file: Callable[[str], str]) -> None:
    assert _parse(f"--config={file('')}") == Job()


@pytest.mark.parametrize("file_argument", [["--config=FILE"], ["--config", "FILE"]])
@pytest.mark.parametrize("file_first", [True, False])
def test_an_override_wins_over_the_file_in_any_order(
    file: Callable[[str], str], file_argument: list[str], file_first: bool
) -> None:
    path = file("steps: 3\noptimizer: {rate: 0.5}\nname: from file")
    given = [argument.replace("FILE", path) for argument in file_argument]
    overrides = ["--config.steps=4", "--config.optimizer.rate=1e-3"]
    parsed = _parse(*(given + overrides if file_first else overrides + given))
    assert parsed == Job(steps=4, name="from file", optimizer=Optimizer(rate=1e-3))


@pytest.mark.parametrize("given", [["--config=A", "--config=B"], ["--config", "A", "--config=B"]])
def test_a_later_file_is_read_over_an_earlier_one(tmp_path: pathlib.Path, given: list[str]) -> None:
    texts = {
        "A": "steps: 3\nfindings: [A, B]\noptimizer: {rate: 0.5, nesterov: true}",
        "B": "findings: [C]\noptimizer: {rate: 0.25}",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    paths = {name: str(tmp_path / name) for name in texts}
    parsed = _parse(*(a.replace("A", paths["A"]).replace("B", paths["B"]) for a in given))
    assert parsed == Job(steps=3, findings=["C"], optimizer=Optimizer(rate=0.25, nesterov=True))


def test_of_two_files_the_wrong_one_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_text("steps: 3")
    (tmp_path / "b").write_text("stepz: 3")
    with pytest.raises(ConfigError, match=f"^{tmp_path}/b, line 1: key stepz"):
        _parse(f"--config={tmp_path}/b", f"--config={tmp_path}/a")


def test_a_file_of_flags_may_name_the_file_of_settings(
    file: Callable[[str], str], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "flags").write_text(f"--config={file('steps: 3')}\n--config.name=x\n")
    assert _parse(f"--flagfile={tmp_path / 'flags'}") == Job(steps=3, name="x")
    with pytest.raises(UsageError, match="none"):
        _parse(f"--flagfile={tmp_path / 'none'}")


def test_of_two_overrides_the_later_counts() -> None:
    assert _parse("--config.steps=3", "--config.steps=4").steps == 4
    off = ("--config.optimizer.nesterov", "--noconfig.optimizer.nesterov")
    assert not _parse(*off).optimizer.nesterov


def test_flags_are_true_bare_and_false_with_no() -> None:
    assert _parse("--config.optimizer.nesterov").optimizer.nesterov
    assert not _parse("--noconfig.optimizer.nesterov").optimizer.nesterov


@pytest.mark.parametrize("text", ["1e-4", "1.0e-4", "0.0001", "'1e-4'"])
def test_a_number_is_read_however_yaml_spells_it(file: Callable[[str], str], text: str) -> None:
    assert _parse(f"--config={file(f'optimizer: {{rate: {text}}}')}").optimizer.rate == 1e-4


def test_a_whole_number_serves_as_a_number(file: Callable[[str], str]) -> None:
    rate = _parse(f"--config={file('optimizer: {rate: 1}')}").optimizer.rate
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("stepz: 3", "stepz"),
        ("optimizer: {speed: 3}", "speed"),
        ("steps: 1.5", "steps must be of type int"),
        ("steps: three", "steps must be of type int"),
        ("steps: true", "steps must be of type int"),
        ("steps: 010", "steps must be of type int: write it in decimal digits, without leading"),
        ("steps: 0x10", "steps must be of type int"),
        ("steps: 1_000", "steps must be of type int"),
        ("steps: 1:30", "steps must be of type int"),
        ("steps: 2026-11-29", "steps must be of type int"),
        ("optimizer: {nesterov: yes}", "nesterov must be of type bool: write true or false"),
        ("optimizer: {rate: 1:30.5}", "optimizer.rate must be of type float"),
        ("name: 10", "name must be of type str: put it in quotes"),
        ("name: true", "name must be of type str: put it in quotes"),
        ("name: ~", "name must be of type str"),
        ("steps:", "steps must be of type int"),
        ("optimizer: {nesterov: 1}", "optimizer.nesterov must be of type bool"),
        ("optimizer: {rate: true}", "optimizer.rate must be of type float"),
        ("optimizer: {rate: fast}", "optimizer.rate must be of type float"),
        ("optimizer: 3", "optimizer must be of type Optimizer"),
        ("findings: Mass", r"findings must be of type list\[str\]"),
        ("findings: [Mass, 3]", r"findings must be of type list\[str\]"),
        ("steps: 1\nname: a\nsteps: 2", "steps is given twice, line 3, column 1"),
        ("optimizer: {rate: 1, rate: 2}", "rate is given twice"),
        ("- steps", "must hold a mapping of settings, not list"),
        ("steps: [1", "is not YAML"),
        ("steps: !!int abc", "is not YAML"),
        ("steps: !!bool abc", "is not YAML"),
        ("steps: !!timestamp x", "is not YAML"),
        (f"optimizer: {{rate: 1{'0' * 400}}}", "rate"),
        ("!!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_a_wrong_file_is_refused_by_name_in_one_line(
    file: Callable[[str], str], text: str, part: str
) -> None:
    path = file(text)
    with pytest.raises(ConfigError, match=part) as caught:
        _parse(f"--config={path}")
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_preset_is_a_file_under_a_name() -> None:
    argv = ["program", "--config=preset:demo", "--config.examples_per_shard=3"]
    values = flags.FlagValues()
    settings.parse(Config(), argv, values=values, folder="preprocessing")
    assert (values.config.stored_size, values.config.examples_per_shard) == (72, 3)
    with pytest.raises(ConfigError, match=r"^preset:demmo does not exist: did you mean demo\?"):
        argv = ["program", "--config=preset:demmo"]
        settings.parse(Config(), argv, values=flags.FlagValues(), folder="preprocessing")


def test_a_file_that_is_not_there_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml does not exist"):
        _parse(f"--config={tmp_path / 'none.yaml'}")


def test_a_folder_is_no_file_of_settings(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        _parse(f"--config={tmp_path}")


def test_a_file_that_is_not_text_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ConfigError, match="is not YAML"):
        _parse(f"--config={tmp_path / 'a.yaml'}")


@pytest.mark.parametrize(
    ("argument", "part"),
    [
        ("--config.stepz=3", "did you mean steps?"),
        ("--config.optimizer.rates=3", "did you mean rate?"),
        ("--config.optimizer.zzz=3", "there are rate, nesterov"),
        ("--config.optimiser.rate=3", "section that does not exist: optimizer"),
        ("--config.steps.more=3", "section that does not exist"),
        ("--config.=3", "does not exist"),
        ("--config.steps=three", "--config.steps=three"),
        ("--config.steps=1.5", "--config.steps=1.5"),
        ("--config.steps=true", "--config.steps=true"),
        ("--config.optimizer.rate=fast", "--config.optimizer.rate=fast"),
        ("--config.optimizer.nesterov=maybe", "maybe"),
        ("--config.optimizer=3", "is a section"),
        ("--config.findings=Mass", "is a list: set it in a YAML file"),
        ("--config=", "names no file"),
    ],
)
@pytest.mark.parametrize("known_only", [False, True])
def test_a_wrong_override_is_refused_even_where_unknown_flags_pass(
    argument: str, part: str, known_only: bool
) -> None:
    with pytest.raises(ConfigError) as caught:
        _parse(argument, known_only=known_only)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_flag_is_refused_or_left_for_somebody_else() -> None:
    with pytest.raises(UsageError, match="dota.*--help"):
        _parse("--dota=x")
    values = flags.FlagValues()
    left = settings.parse(Job(), ["program", "--dota=x"], values=values, known_only=True)
    assert left == ["program", "--dota=x"]


def test_what_follows_two_dashes_is_left_alone() -> None:
    values = flags.FlagValues()
    left = settings.parse(Job(), ["program", "--", "rest"], values=values)
    assert left == ["program", "rest"]


def test_settings_written_as_yaml_read_back_equal(file: Callable[[str], str]) -> None:
    job = Job(steps=3, name="Größe: 1", findings=["A", "B"], optimizer=Optimizer(rate=1e-7))
    assert settings.from_yaml(Job, file(settings.to_yaml(job))) == job
    assert settings.from_mapping(Job, settings.to_mapping(job), origin="text") == job


def test_flat_settings_are_all_there_and_plain() -> None:
    job = Job(steps=3, name="a", findings=["A", "B"], optimizer=Optimizer(rate=1e-7))
    found = settings.flat(job)
    nested = len(dataclasses.fields(Optimizer))
    assert len(found) == len(dataclasses.fields(Job)) - 1 + nested
    assert (found["steps"], found["optimizer.rate"], found["findings"]) == (3, 1e-7, ["A", "B"])


@pytest.mark.parametrize("text", ["010", "1e3", "1.5", "7", "true", "no", "~", "", " a", "1:30"])
def test_text_of_any_look_is_written_so_that_it_stays_text(
    file: Callable[[str], str], text: str
) -> None:
    job = Job(name=text, findings=[text])
    assert settings.from_yaml(Job, file(settings.to_yaml(job))) == job


@pytest.mark.parametrize(
    "text", ["gs:/bucket/a.yaml", "gs:///a.yaml", "~nobody-here/a.yaml", "a.yaml "]
)
def test_a_path_to_settings_that_is_a_slip_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="^--config="):
        _parse(f"--config={text}")
