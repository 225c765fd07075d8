# SPDX-License-Identifier: MIT
"""Tests of the texts that say what a run is made of."""

import dataclasses
from typing import Any

import yaml

from preprocessing.contract.settings import settings
from trainer.config import Config
from trainer.monitoring.run_card import config_text, data_set_text


def test_the_settings_in_the_text_are_those_of_the_run() -> None:
    config = Config(seed=7)
    config.optimizer.learning_rate = 3e-5
    head, _, rest = config_text(config).partition("\n")
    assert head == "```yaml"
    assert rest.endswith("```\n")
    values = yaml.safe_load(rest.removesuffix("```\n"))
    assert settings.from_mapping(Config, values, origin="text") == config


def rows(text: str) -> list[list[str]]:
    """Returns the cells of all tables."""
    return [[cell.strip() for cell in line.split(" | ")] for line in text.splitlines() if line]


def test_the_card_states_the_manifest(data_set: Any) -> None:
    manifest = dataclasses.replace(data_set.manifest, split_method="by hash | salted")
    cells = {line[0].lstrip("| "): line[1:] for line in rows(data_set_text(manifest))}
    assert manifest.identity in cells["Identity (SHA-256 of the manifest)"][0]
    assert cells["ChestX-ray14's official split"] == ["no |"]
    assert cells["Split method"] == ["by hash \\| salted |"]
    train = manifest.splits["train"]
    assert cells["train"] == ["29", str(train.patients), f"{len(train.shards)} |"]
    share = f"{train.positives['Mass']} ({100 * train.prevalence['Mass']:.2f} %)"
    assert cells["Mass"][0] == share
    # Of this finding some labels are unknown.
    assert cells["Edema"][0].endswith(f" of {train.known['Edema']}")


def test_a_finding_of_which_nothing_is_known_is_said_to_be_so(data_set: Any) -> None:
    splits = dict(data_set.manifest.splits)
    splits["test"] = dataclasses.replace(splits["test"], known={"Mass": 0, "Nodule": 9, "Edema": 9})
    text = data_set_text(dataclasses.replace(data_set.manifest, splits=splits))
    (mass,) = [line for line in text.splitlines() if line.startswith("| Mass")]
    assert mass.endswith("| nothing known |")
