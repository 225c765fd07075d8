# SPDX-License-Identifier: MIT
"""Facts of the card are those that were handed in, under names that people read."""

from collections.abc import Callable

from trainer.predictions.table import Predictions
from trainer.report.sections import card_facts
from trainer.report.source import Source

Make = Callable[..., Predictions]


def test_what_is_no_mapping_counts_as_nothing(make: Make) -> None:
    for value in (None, 3, "text", [1]):
        assert card_facts.mapping(value) == {}
        assert card_facts.facts_of(Source(make(), context={"manifest": value}), "manifest") == {}


def test_the_model_is_told_by_settings_and_checkpoint(make: Make) -> None:
    source = Source(make(), context={"config": {"model": {"dropout": 0.3}, "data": {}}})
    found = card_facts.model(source, {"best_step": 1200})
    assert found["findings, one probability each"] == "Mass, Edema, Hernia"
    assert found["model.dropout"] == 0.3 and found["checkpoint"] == "step 1,200"
    assert found["input"] is None


def test_another_data_set_is_not_described_as_chestxray14() -> None:
    manifest = {"counters": {"images_written": 5}, "sources": {"index.csv": "ab"}}
    theirs = card_facts.data(manifest, of_chestxray14=False)
    ours = card_facts.data(manifest, of_chestxray14=True)
    assert "terms" not in theirs and "nihcc.app.box.com" in ours["published at"]
    assert theirs["rows: images_written"] == 5 and theirs["SHA-256 of index.csv"] == "ab"


def test_training_keeps_only_what_is_known() -> None:
    note = {"steps": 5, "images_per_second": None, "versions": {"keras": "3"}}
    assert card_facts.training(note, {"seed": 0}) == {
        "seed": 0,
        "steps": "5",
        "versions.keras": "3",
    }
    assert card_facts.training({}, {}) == {"seed": None}


def test_the_official_hash_stands_beside_other_lists_only_where_they_may_be_it(make: Make) -> None:
    name = "SHA-256 of the official test list"
    for official, there in ((True, True), (None, True), (False, False)):
        identity = {"official": official, "official_sha256": "38"}
        found = card_facts.lists(Source(make()), identity, {"list_hashes": {"test": "12"}})
        assert (found[name] == "38") is there and found["SHA-256 of the list test"] == "12"
