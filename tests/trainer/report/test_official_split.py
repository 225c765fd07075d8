# SPDX-License-Identifier: MIT
"""The official test list is known by the names of its images, and by nothing less."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from trainer.predictions.table import Predictions
from trainer.report import official_split
from trainer.report.official_split import (
    OFFICIAL,
    OfficialList,
    identity,
    list_sha256,
    of,
    patients_in_two_splits,
)
from trainer.report.source import ANOTHER, EXTERNAL, Source

NAMES = ["00000001_000.png", "00000001_001.png", "00000002_000.png", "00000007_003.png"]
SHORT = OfficialList(
    images=4,
    patients=3,
    sha256=hashlib.sha256("\n".join(NAMES).encode()).hexdigest(),
    patients_sha256=hashlib.sha256(b"1 2\n2 1\n7 1").hexdigest(),
)


def predictions(
    ids: list[str], patients: list[str] | None = None, splits: list[str] | None = None
) -> Predictions:
    count = len(ids)
    return Predictions(
        ids=np.array(ids),
        patients=np.array(patients or [name[:8] for name in ids]),
        splits=np.array(splits or ["test"] * count),
        labels=np.zeros((count, 1), np.float32),
        scores=np.full((count, 1), 0.5),
        findings=("Mass",),
    )


@pytest.mark.parametrize(
    "ids",
    [
        NAMES,
        NAMES[::-1],
        [name.removesuffix(".png") for name in NAMES],
        [f"images_001/images/{name}" for name in NAMES],
    ],
)
def test_the_names_prove_the_list_in_any_order_and_form(ids: list[str]) -> None:
    patients = [name.rpartition("/")[2][:8] for name in ids]
    for written in (patients, [str(int(name)) for name in patients]):
        found = identity(predictions(ids, written), None, SHORT)
        assert found["certainty"] == "proven" and found["comparable"] is True
        assert found["official"] is True and found["sha256"] == SHORT.sha256
        assert "cannot" not in found["statement"] and "not known" in found["statement"]


def test_with_a_manifest_the_training_images_are_known() -> None:
    found = identity(predictions(NAMES), {"official_split": False}, SHORT)
    assert found["comparable"] is True and "not known" not in found["statement"]


def test_one_other_image_or_one_less_is_another_list() -> None:
    for ids in ([*NAMES[:3], "00000007_004.png"], NAMES[:3], [*NAMES, "00000009_000.png"]):
        found = identity(predictions(ids), None, SHORT)
        assert (found["certainty"], found["official"], found["comparable"]) == (
            "other",
            False,
            False,
        )
        assert f"{len(ids)} images" in found["statement"]


def test_ids_without_names_are_probable_at_most() -> None:
    found = identity(predictions(list("abcd"), ["1", "1", "2", "7"]), None, SHORT)
    assert (found["certainty"], found["official"], found["comparable"]) == ("probable", None, False)
    assert "not proven" in found["statement"]
    renamed = identity(predictions(list("abcd"), ["x", "x", "y", "z"]), None, SHORT)
    assert (renamed["certainty"], renamed["official"]) == ("unknown", None)
    denied = identity(
        predictions(list("abcd"), ["x", "x", "y", "z"]), {"official_split": False}, SHORT
    )
    assert denied["certainty"] == "other"


def test_a_manifest_alone_proves_only_a_part() -> None:
    part = identity(predictions(NAMES[:2]), {"official_split": True}, SHORT)
    assert (part["certainty"], part["official"], part["comparable"]) == ("part", True, False)
    assert "2 of the 4 official" in part["statement"]
    swapped = identity(predictions([*NAMES[:3], "x.png"]), {"official_split": True}, SHORT)
    assert swapped["comparable"] is False


def test_a_leaking_patient_forbids_the_comparison() -> None:
    leaking = predictions(
        [*NAMES, "00000002_001.png"], splits=["test", "test", "test", "test", "validation"]
    )
    found = identity(leaking, None, SHORT)
    assert found["certainty"] == "proven" and found["comparable"] is False
    assert found["patients_in_two_splits"] == 1 == patients_in_two_splits(leaking)
    assert "1 patients are in two splits" in found["statement"]


def test_patients_that_the_names_contradict_forbid_the_comparison() -> None:
    found = identity(predictions(NAMES, ["1", "2", "1", "7"]), None, SHORT)
    assert found["comparable"] is False and "do not belong together" in found["statement"]
    # Other names for the same patients contradict nothing.
    assert identity(predictions(NAMES, ["a", "a", "b", "c"]), None, SHORT)["comparable"] is True


def test_without_a_test_split_there_is_nothing_to_compare() -> None:
    found = identity(predictions(NAMES, splits=["validation"] * 4), None, SHORT)
    assert (found["certainty"], found["sha256"], found["images"]) == ("no test split", None, 0)


def test_the_published_list_has_this_hash(nih: Path) -> None:
    names = (nih / "test_list.txt").read_text().split()
    assert list_sha256(names) == OFFICIAL.sha256
    assert identity(predictions(names))["comparable"] is True
    anonymous = predictions([str(at) for at in range(len(names))], [name[:8] for name in names])
    assert identity(anonymous)["certainty"] == "probable"


def test_the_official_list_is_comparable_only_for_models_of_the_same_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(official_split.identity, "__defaults__", (None, SHORT))
    for another, comparable in (("yes", False), ("not known", True), ("no", True)):
        context = {EXTERNAL: {ANOTHER: another}}
        found = of(Source(predictions(NAMES), context=context))
        assert found["certainty"] == "proven" and found["comparable"] is comparable
        assert ("made with another data set" in found["statement"]) is not comparable
