# SPDX-License-Identifier: MIT
"""The card states what was handed in or computed, and lists the rest as not known."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer.predictions.metadata import Metadata
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import card
from trainer.report.source import Source

Make = Callable[..., Predictions]
CONTEXT = {
    "manifest": {
        "official_split": True,
        "identity": "ab" * 32,
        "list_hashes": {"test": "cd" * 32},
        "sources": {"Data_Entry_2017_v2020.csv": "ef" * 32},
        "counters": {"images_missing": 7},
        "stored_size": 256,
        "split_method": "official lists, validation carved by patient",
        "splits": {"train": {"examples": 75312, "patients": 24342}},
    },
    "training": {
        "steps": 12000,
        "best_step": 9000,
        "best_validation_mean_auc": 0.8412,
        "devices": ["/device:GPU:0", "/device:GPU:1"],
        "versions": {"tensorflow": "2.21.0"},
        "images_per_second": None,
    },
    "config": {"seed": 4, "model": {"weights": "imagenet"}, "data": {"image_size": 224}},
}


def built(predictions: Predictions, context: Any = None, **more: Any) -> dict[str, Any]:
    section = card.build(Source(predictions, 10, 0, context or {}, **more))
    return json.loads(json.dumps(section, allow_nan=False))


def groups(section: dict[str, Any]) -> dict[str, Any]:
    return {group["title"]: group for group in section["groups"]}


def test_a_checkpoint_that_was_chosen_for_its_loss_says_so(make: Make) -> None:
    watched = {**CONTEXT, "training": {**CONTEXT["training"], "monitor": "loss"}}
    assert groups(built(make(), watched))["Model"]["facts"]["checkpoint"] == (
        "step 9,000, chosen for its validation loss, with a mean AUC of 0.8412"
    )


def shown(section: dict[str, Any]) -> tuple[str, str]:
    found = card.parts(section, {})
    return parts.markdown("Model card", found), parts.html("card", "Model card", found)


def test_what_was_handed_in_stands_on_the_card(make: Make) -> None:
    section = built(make(), CONTEXT)
    found = groups(section)
    assert section["data_set"] == "ChestX-ray14"
    assert found["Model"]["facts"]["checkpoint"] == (
        "step 9,000, chosen for its validation mean AUC of 0.8412"
    )
    assert found["Model"]["facts"]["input"].endswith("224 x 224 pixels")
    assert found["Training run"]["facts"]["seed"] == 4
    assert found["Data"]["facts"]["SHA-256 of Data_Entry_2017_v2020.csv"] == "ef" * 32
    assert found["Data"]["facts"]["train, preprocessed"] == "75,312 images of 24,342 patients"
    assert found["Split"]["facts"]["SHA-256 of the list test"] == "cd" * 32
    for text in shown(section):
        for words in ("GPU:1", "2.21.0", "radiologists", "75,312"):
            assert words in text
        assert "Not a medical device" in text and "images_per_second" not in text
    known = " ".join(section["not_known"])
    assert "settings" not in known and "how the model was trained" not in known
    assert "version of the program" in known and "age, sex and view" in known


def test_nothing_is_claimed_of_a_data_set_that_nobody_named(make: Make) -> None:
    section = built(make(("test",)))
    assert section["data_set"] is None
    text = " ".join(shown(section))
    for claim in ("NIH", "1992", "Oakden", "112,120"):
        assert claim not in text
    assert "How the labels were made is not known" in text
    for fact in ("which data set", "settings and its seed", "on validation"):
        assert any(fact in line for line in section["not_known"])
    assert "Training run" not in groups(section) and "Data" not in groups(section)


def test_the_leak_check_counts_patients_and_not_promises(make: Make) -> None:
    predictions = make()
    assert built(predictions)["leak_check"] == {
        "patients_in_two_splits": 0,
        "splits": ["validation", "test"],
    }
    # Validation holds patient 3, and test comes to hold him too, written otherwise.
    predictions.patients[-1] = "3"
    leaking = built(predictions)
    assert leaking["leak_check"]["patients_in_two_splits"] == 1
    assert any("1 patients are in more than one" in words for words in
               groups(leaking)["Split"]["words"])  # fmt: skip
    alone = groups(built(make(("test",))))["Split"]["words"]
    assert any("hold one split only (test)" in words for words in alone)


def test_hashes_are_of_the_names_of_the_images(make: Make) -> None:
    predictions = make()
    facts = groups(built(predictions))["Split"]["facts"]
    for split in ("validation", "test"):
        names = "\n".join(sorted(predictions.select(split).ids.tolist()))
        expected = hashlib.sha256(names.encode()).hexdigest()
        assert facts[f"SHA-256 of the {split} image names"] == expected


def test_people_are_counted_where_they_are_known(make: Make) -> None:
    predictions = make(("test",), rows=12)
    known = Metadata(
        ids=predictions.ids[:10],
        patients=predictions.patients[:10],
        splits=np.full(10, ""),
        sex=np.array(["F", "F", "M", "M", ""] * 2),
        view=np.array(["AP", "PA", "PA", "PA", "PA"] * 2),
        age=np.array([10, 17, 18, 40, -1] * 2),
        follow_up=np.zeros(10, np.int64),
        width=np.zeros(10, np.int64),
        height=np.zeros(10, np.int64),
    )
    section = built(predictions, metadata=known)
    people = section["splits"]["test"]
    assert people == {
        "images": 12,
        "patients": 4,
        "known": 10,
        "women": 0.5,
        "median_age": 17.5,
        "children": 0.5,
        "ap": pytest.approx(0.2),
    }
    assert "median age, years | 17.5" in shown(section)[0]
    for values in (known.sex, known.view):
        values[:] = ""
    known.age[:] = -1
    unknown = built(predictions, metadata=known)["splits"]["test"]
    assert unknown["women"] is unknown["median_age"] is unknown["children"] is unknown["ap"] is None


def test_context_of_another_form_breaks_nothing(make: Make) -> None:
    strange = {
        "manifest": {"official_split": "yes", "list_hashes": None, "splits": {"train": 3}},
        "training": {"best_step": 5},
        "config": "none",
    }
    section = built(make(), strange)
    assert groups(section)["Model"]["facts"]["checkpoint"] == "step 5"
    shown(section)
    shown(built(make(), {"manifest": None, "training": [], "config": {"model": 3}}))


def test_a_phantom_is_not_described_as_patients(make: Make) -> None:
    manifest = {"phantom": "drawn by a program", "parameters": {"source": "nih"}}
    section = built(make(), {**CONTEXT, "manifest": manifest})
    assert section["data_set"] == "phantom"
    assert groups(section)["Data"]["facts"]["a phantom, not patients"] == "drawn by a program"
    text = " ".join(shown(section))
    for claim in ("NIH Clinical Center", "1992", "Oakden", "112,120", "real patients"):
        assert claim not in text
    assert "No figure here says how a model does on radiographs" in text
    assert "which data set" not in " ".join(section["not_known"])
