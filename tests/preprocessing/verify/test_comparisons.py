# SPDX-License-Identifier: MIT
"""Comparisons with the manifest, where some of it is missing or not known."""

import dataclasses

import pytest

from preprocessing.contract import manifest as manifests
from preprocessing.contract.manifest import Manifest, Shard, Split
from preprocessing.splits import assignment
from preprocessing.verify import comparisons
from preprocessing.verify.shard_reading import Brief, Reading

FINDINGS = ["Mass", "Hernia"]


def _brief(name: str, targets: tuple[int, ...], digest: str = "") -> Brief:
    return Brief(name, name[0], targets, "", "", -1, -1, 0, 0, (), (), digest, 12, 1)


def _split(name: str, examples: int, positives: list[int], known: list[int]) -> Split:
    shares = [part / of if of else 0.0 for part, of in zip(positives, known, strict=True)]
    return Split(
        examples=examples,
        patients=examples,
        positives=dict(zip(FINDINGS, positives, strict=True)),
        known=dict(zip(FINDINGS, known, strict=True)),
        prevalence=dict(zip(FINDINGS, shares, strict=True)),
        shards=[Shard(f"{name}-0.tfrecord", examples, 1, "")],
    )


@pytest.fixture
def manifest() -> Manifest:
    return Manifest(
        schema_version=1,
        findings=FINDINGS,
        stored_size=32,
        encoding="png",
        splits={
            "train": _split("train", 3, [2, 0], [2, 0]),
            "validation": _split("validation", 1, [0, 0], [1, 1]),
            "test": _split("test", 1, [0, 1], [1, 1]),
        },
        official_split=False,
        list_hashes={},
        counters={"records_written": 5},
        parameters={},
        sources={},
        writer="",
    )


@pytest.fixture
def readings() -> list[Reading]:
    train = [_brief("a1", (1, -1)), _brief("b1", (1, -1)), _brief("c1", (-1, -1))]
    return [
        Reading("train", "train-0.tfrecord", True, train, []),
        Reading("validation", "validation-0.tfrecord", True, [_brief("d1", (0, 0))], []),
        Reading("test", "test-0.tfrecord", True, [_brief("e1", (0, 1))], []),
    ]


def test_unknown_labels_are_neither_positive_nor_known(manifest, readings) -> None:
    assert list(comparisons.splits(manifest, readings)) == []
    assert list(comparisons.counters("/", manifest, readings, [])) == []
    assert tuple(manifest.splits) == manifests.SPLITS


def test_a_split_that_was_not_read_whole_is_not_counted(manifest, readings) -> None:
    readings[0] = Reading("train", "train-0.tfrecord", False, [], ["train-0.tfrecord is missing"])
    assert list(comparisons.splits(manifest, readings)) == []
    assert list(comparisons.counters("/", manifest, readings, [])) == []


def test_pictures_that_could_not_be_decoded_are_not_identical(readings) -> None:
    assert comparisons.find_twins(readings).empty
    readings[0].briefs.append(_brief("f1", (0, 0), "12"))
    readings[2].briefs.append(_brief("g1", (0, 0), "12"))
    twins = comparisons.find_twins(readings).to_numpy().tolist()
    assert twins == [["12", "f1", "f", "train"], ["12", "g1", "g", "test"]]


def test_a_patient_in_three_splits_is_one_problem(readings) -> None:
    for reading in readings:
        reading.briefs.append(_brief("z1", (0, 0)))
    (problem,) = comparisons.patients(readings)
    assert problem.startswith("patient z is in train (train-0.tfrecord) and validation (")
    (twice,) = comparisons.names(readings)
    assert twice.startswith("z1 is there 3 times, in train-0.tfrecord, validation-0.tfrecord, ")


def test_the_files_of_a_data_set_are_no_strangers(manifest) -> None:
    shards = [f"{split}-0.tfrecord" for split in manifest.splits]
    own = ["manifest.json", "rejected.csv", "warnings.csv", "duplicates.csv", *shards]
    assert comparisons.strangers(manifest, [*own, *comparisons.CARD_FILES]) == ([], [])


def test_a_patient_is_found_in_two_splits_by_value_and_counted_once(manifest, readings) -> None:
    brief = _brief("z1", (0, 0))
    readings[0].briefs.append(dataclasses.replace(brief, patient="00000013"))
    readings[2].briefs.append(dataclasses.replace(brief, id="z2", patient="13.0"))
    readings[2].briefs.append(dataclasses.replace(brief, id="z3", patient="e "))
    (problem,) = comparisons.patients(readings)
    assert problem.startswith(
        "patient '00000013' or '13.0' is in train (train-0.tfrecord) and test"
    )
    told = list(comparisons.splits(manifest, readings))
    assert "manifest.json, split test says 1 patients, the shards hold 2: " in "\n".join(told)


def test_a_split_that_is_called_official_by_hand_is_found_out(manifest) -> None:
    assert not list(comparisons.official(manifest))
    called = dataclasses.replace(manifest, official_split=True, list_hashes={"test": "0" * 64})
    assert [text for text in comparisons.official(called) if "other lists" in text]
    real = dataclasses.replace(called, list_hashes=dict(assignment.OFFICIAL_HASHES))
    assert not list(comparisons.official(real))
