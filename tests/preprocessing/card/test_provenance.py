# SPDX-License-Identifier: MIT
"""What the data set was made from is told in full; facts of ChestX-ray14 only of ChestX-ray14."""

import dataclasses

from preprocessing.card import provenance


def test_the_identity_tells_all_that_the_manifest_knows(finished, shown) -> None:
    manifest = finished.manifest
    what, settings = provenance.identity(manifest).tables
    values = {row[0]: row[1] for row in shown(what)}
    assert values["identity of the manifest (SHA-256)"] == manifest.identity
    assert values["SHA-256 of labels"] == manifest.sources["labels"]
    assert values["hash of the list test"] == manifest.list_hashes["test"]
    assert values["official split"].startswith("no")
    told = {row[0]: row[1] for row in shown(settings)}
    assert told["stored_size"] == "48" and told["table.separator"] == "|"


def test_a_phantom_is_called_one(finished, shown) -> None:
    manifest = finished.manifest
    assert manifest.phantom.startswith("drawn by cxr14-preprocess phantom (images 120, seed 5, pre")
    said = " ".join(provenance.limits(manifest).words)
    assert f"This data set is a phantom, {manifest.phantom}: no picture shows a patient" in said
    assert "drawn from radiology reports" not in said and "NIH" not in said
    rows = shown(provenance.identity(manifest).tables[0])
    assert ["phantom", manifest.phantom] in rows


def test_facts_of_chestxray14_are_told_of_no_other_data(finished) -> None:
    manifest = dataclasses.replace(finished.manifest, phantom="")
    assert any("Oakden-Rayner" in text for text in provenance.limits(manifest).words)
    other = dataclasses.replace(manifest, parameters={"source": "csv"})
    assert not any("ChestX-ray14" in text for text in provenance.limits(other).words)
