# SPDX-License-Identifier: MIT
"""Settings that cannot work are refused before anything is read, each by its name."""

import dataclasses

import pytest
from absl import flags

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS, Config, Table
from preprocessing.contract.settings import settings


def test_the_defaults_are_the_fourteen_findings_in_their_order_and_work() -> None:
    config = Config()
    config.validate()
    assert tuple(config.findings) == CHESTXRAY14_FINDINGS
    assert len(set(CHESTXRAY14_FINDINGS)) == 14
    assert (CHESTXRAY14_FINDINGS[0], CHESTXRAY14_FINDINGS[-1]) == ("Atelectasis", "Hernia")


def test_two_configs_do_not_share_their_list() -> None:
    Config().findings.clear()
    assert Config().findings


@pytest.mark.parametrize(
    "change",
    [
        {"findings": []},
        {"findings": ["Mass", "Mass"]},
        {"stored_size": 15},
        {"stored_size": 4097},
        {"validation_fraction": 0.0},
        {"validation_fraction": 0.51},
        {"validation_fraction": float("nan")},
        {"max_rejected_fraction": -0.1},
        {"max_rejected_fraction": 1.0},
        {"max_rejected_fraction": float("nan")},
        {"examples_per_shard": 0},
        {"words": {"brust": "breast"}},
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_named(change: dict[str, object]) -> None:
    (name,) = change
    with pytest.raises(ConfigError, match=f"^{name}[ .].*: "):
        dataclasses.replace(Config(), **change).validate()


@pytest.mark.parametrize(
    "change",
    [
        {"stored_size": 16},
        {"stored_size": 4096},
        {"validation_fraction": 0.5},
        {"max_rejected_fraction": 0.0},
        {"examples_per_shard": 1},
    ],
    ids=str,
)
def test_the_ends_of_each_range_work(change: dict[str, object]) -> None:
    dataclasses.replace(Config(), **change).validate()


@pytest.mark.parametrize("argument", ["--config.words=chest", "--config.words.thx=chest"])
def test_words_on_the_command_line_are_sent_to_the_file(argument: str) -> None:
    with pytest.raises(ConfigError, match="is a mapping: set it in a YAML file"):
        settings.parse(Config(), ["job", argument], values=flags.FlagValues())


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"names": {"Fluid": "Effusion|Efusion"}}, "table.names.Fluid is 'Efusion', not one of"),
        ({"date_column": "seen"}, "table.date_column needs table.age_column"),
        ({"patient_pattern": "("}, "table.patient_pattern is not a regular expression"),
        ({"split_pattern": "train"}, "table.split_pattern has no group: put the split in par"),
    ],
    ids=str,
)
def test_settings_of_the_table_that_cannot_work_are_named(
    change: dict[str, object], part: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(table=Table(**change)).validate()  # type: ignore[arg-type]
    assert part in str(caught.value)


def test_names_may_mean_findings_that_are_not_asked_for() -> None:
    table = Table(names={"Fluid": "Effusion"})
    Config(findings=["Edema"], table=table).validate()
