# SPDX-License-Identifier: MIT
"""The section sets the model beside what needs no image, on the same images and draws."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.evaluation import baselines as reference
from trainer.evaluation.auc import aurocs
from trainer.predictions.metadata import Metadata
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import baselines
from trainer.report.source import Source

Make = Callable[..., Predictions]
ROWS, OTHERS = 240, 900


def metadata_of(predictions: Predictions, *, splits: bool = False) -> Metadata:
    """Metadata of all images of the predictions and of others, whose view tells Mass."""
    generator = np.random.default_rng(2)
    count = len(predictions.ids) + OTHERS
    labels = (generator.random((count, 3)) < [0.5, 0.3, 0.2]).astype(np.float32)
    labels[: len(predictions.ids)] = predictions.labels
    guess = np.where(np.nan_to_num(labels[:, 0]) == 1, 0.8, 0.2)
    said = np.concatenate([predictions.splits, np.full(OTHERS, "train")])
    return Metadata(
        ids=np.concatenate([predictions.ids, [f"9{at:07d}_000.png" for at in range(OTHERS)]]),
        patients=np.concatenate(
            [predictions.patients, [f"9{at // 3:07d}" for at in range(OTHERS)]]
        ),
        splits=said if splits else np.full(count, ""),
        sex=generator.choice(["M", "F"], count),
        view=np.where(generator.random(count) < guess, "AP", "PA"),
        age=generator.integers(1, 90, count),
        follow_up=generator.integers(0, 9, count),
        width=np.full(count, 2500),
        height=np.full(count, 2048),
        labels=labels,
        findings=predictions.findings,
    )


def built(predictions: Predictions, known: Metadata | None, **more: Any) -> dict[str, Any]:
    section = baselines.build(Source(predictions, 100, 0, metadata=known, **more))
    return json.loads(json.dumps(section, allow_nan=False))


def by_key(section: dict[str, Any]) -> dict[str, Any]:
    return {entry["key"]: entry for entry in section["baselines"]}


def test_aucs_are_those_of_the_learned_scores_on_the_test_images(make: Make) -> None:
    predictions = make()
    known = metadata_of(predictions)
    section = built(predictions, known)
    assert (section["split"], section["images"], section["images_without_metadata"]) == (
        "test",
        ROWS,
        0,
    )
    train = np.arange(2 * ROWS, 2 * ROWS + OTHERS)
    found = reference.levels(known, train)
    for key, facts in reference.FACTS.items():
        scores = reference.learn_and_score([found[name] for name in facts], known.labels, train)
        expected = aurocs(known.labels[ROWS : 2 * ROWS], scores[ROWS : 2 * ROWS])
        entry = by_key(section)[key]
        values = [area["value"] for area in entry["findings"].values()]
        assert values[:2] == pytest.approx(expected[:2]) and values[2] is None
        assert entry["mean_auc"]["value"] == pytest.approx(expected[:2].mean())
        assert entry["mean_auc"]["low"] < entry["mean_auc"]["value"] < entry["mean_auc"]["high"]
    assert by_key(section)["view"]["findings"]["Mass"]["value"] > 0.7
    assert section["trained_on"]["images"] == OTHERS
    assert section["trained_on"]["patients"] == OTHERS // 3


def test_the_difference_is_of_the_same_resamples(make: Make) -> None:
    section = built(make(), metadata_of(make()))
    difference = section["difference"]
    best = by_key(section)[difference["against"]]
    assert best["mean_auc"]["value"] == max(
        entry["mean_auc"]["value"] for entry in section["baselines"] if entry["key"] != "shuffled"
    )
    gap = section["model"]["mean_auc"]["value"] - best["mean_auc"]["value"]
    assert difference["mean_auc"]["value"] == pytest.approx(gap)
    assert difference["findings"]["Hernia"]["value"] is None
    for name in difference["not_clearly_above"]:
        assert difference["findings"][name]["low"] <= 0
    # The view tells Mass better than the model does.
    assert "Mass" in difference["not_clearly_above"]


def test_what_lies_below_metadata_is_told_from_what_may(make: Make) -> None:
    section = built(make(), metadata_of(make()))
    section["difference"]["mean_auc"]["low"] = 0.01
    mass = section["difference"]["findings"]["Mass"]
    for high, said, flag in (
        (0.01, "Not clearly above it: Mass.", "not clearly above metadata"),
        (-0.01, "Clearly below it: Mass.", "below metadata"),
    ):
        mass["high"] = high
        text = baselines._on_difference(section["difference"])
        assert text.endswith(said) and text.count("Mass") == 1
        page = parts.html("baselines", "Title", baselines.parts(section, {}))
        assert page.count(f">{flag}<") == 1


def test_a_model_that_knows_only_the_view_is_told_so(make: Make) -> None:
    predictions = make()
    known = metadata_of(predictions)
    scores = np.repeat((known.view[: 2 * ROWS] == "AP")[:, None], 3, axis=1) * 0.5
    section = built(dataclasses.replace(predictions, scores=scores), known)
    assert any("learned the ward, not the lungs" in note for note in section["notes"])


def test_shuffled_labels_lie_near_a_half_and_need_no_metadata(make: Make) -> None:
    section = built(make(), None)
    assert [entry["key"] for entry in section["baselines"]] == ["shuffled"]
    area = section["baselines"][0]["mean_auc"]
    assert area["value"] == pytest.approx(0.5, abs=0.08)
    assert section["difference"] is None and section["trained_on"] is None
    assert section["either_direction"] is None
    assert "add --metadata" in section["notes"][0]
    # No image of the test split shows a hernia.
    inside = {"value": 0.5, "low": 0.4, "high": 0.6}
    found = {"Mass": inside | {"low": 0.51}, "Edema": inside, "Nodule": inside}
    found["Hernia"] = inside | {"low": None}
    assert "1 of 3 intervals leaves out 0.5; luck" in baselines._on_chance(found)
    assert section["notes"][-1] == baselines._on_chance(section["baselines"][0]["findings"])
    assert baselines._on_chance({"Hernia": found["Hernia"]}).endswith("near 0.5.")


def test_a_split_column_decides_what_is_learned_from(make: Make) -> None:
    predictions = make()
    known = metadata_of(predictions, splits=True)
    known.splits[2 * ROWS : 2 * ROWS + 300] = "validation"
    section = built(predictions, known)
    assert section["trained_on"] == {
        "images": OTHERS - 300,
        "patients": (OTHERS - 300) // 3,
        "chosen_by": "split column",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda known: dataclasses.replace(known, labels=None, findings=()), "no labels of these"),
        (lambda known: dataclasses.replace(known, findings=("A", "B", "C")), "no labels of these"),
        (lambda known: dataclasses.replace(known, ids=np.char.add("x", known.ids)), "by name"),
        (
            lambda known: dataclasses.replace(known, splits=np.full(len(known.ids), "test")),
            "no image of the train split",
        ),
    ],
)
def test_metadata_that_teach_nothing_are_told_apart(
    make: Make, change: Callable[[Metadata], Metadata], words: str
) -> None:
    section = built(make(), change(metadata_of(make())))
    assert words in section["no_metadata_because"] and section["difference"] is None


def test_images_without_metadata_are_left_out_for_the_model_too(make: Make) -> None:
    predictions = make()
    known = metadata_of(predictions)
    known.ids[2 * ROWS - 40 : 2 * ROWS] = [f"gone{at}" for at in range(40)]
    section = built(predictions, known)
    assert (section["images"], section["images_without_metadata"]) == (ROWS - 40, 40)
    kept = slice(ROWS, 2 * ROWS - 40)
    expected = aurocs(predictions.labels[kept], predictions.scores[kept])
    assert section["model"]["findings"]["Mass"]["value"] == pytest.approx(expected[0])
    assert any("40 test images have no metadata" in note for note in section["notes"])


def test_metadata_of_other_patients_are_refused(make: Make) -> None:
    known = metadata_of(make())
    known.patients[0], known.patients[ROWS] = "77", "78"
    with pytest.raises(DataError, match="of patient"):
        built(make(), known)


def test_one_patient_and_one_finding_are_enough(make: Make) -> None:
    predictions = make(("validation",), rows=12)
    predictions.patients[:] = "5"
    few = dataclasses.replace(
        predictions,
        labels=predictions.labels[:, :1],
        scores=predictions.scores[:, :1],
        findings=("Mass",),
    )
    section = built(few, metadata_of(predictions))
    assert section["split"] == "validation" and list(section["model"]["findings"]) == ["Mass"]
    assert section["model"]["mean_auc"]["low"] is None


def test_constant_scores_lie_at_a_half(make: Make) -> None:
    predictions = make()
    flat = dataclasses.replace(predictions, scores=np.full_like(predictions.scores, 0.5))
    section = built(flat, metadata_of(predictions))
    for entry in (section["model"], by_key(section)["shuffled"]):
        assert entry["mean_auc"] == {"value": 0.5, "low": 0.5, "high": 0.5, "dropped_resamples": 0}


def test_both_forms_show_every_row(make: Make) -> None:
    section = built(make(), metadata_of(make()))
    text = parts.markdown("Title", baselines.parts(section, {}))
    heads = [entry["key"] for entry in section["baselines"]]
    for title in ["Model", *(baselines.TITLES[key] for key in heads)]:
        assert f" {title} |" in text
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    assert [row.partition(" (")[0] for row in rows[2:]] == [
        "| Mass",
        "| Edema",
        "| Hernia",
        "| Mean",
    ]
    assert "not defined" in text
    for shown in (section, built(make(), None)):
        drawn = parts.html("baselines", "Title", baselines.parts(shown, {}))
        assert drawn.count("<tr>") == 2 * 1 + 3 + 1 + len(shown["baselines"]) + 1
        assert drawn.count('class="mark"') == len(shown["baselines"]) + 1
        assert ("not clearly above metadata" in drawn) == (shown is section)
