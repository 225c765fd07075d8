# SPDX-License-Identifier: MIT
"""What the section on subgroups says in words."""

from typing import Any

import pytest

from trainer.report.sections import subgroup_notes


def area(value: float | None, low: float | None = None, high: float | None = None) -> dict:
    return {"value": value, "low": low, "high": high, "dropped_resamples": 0}


def group(name: str, gap: tuple[float, float, float] | None, **more: Any) -> dict[str, Any]:
    entry = {
        "positives": 40,
        "negatives": 1200,
        "too_few": False,
        "minus_reference": gap
        and {"tpr": area(*gap), "fpr": area(-0.437, -0.5, -0.4), "auc": area(0.051, -0.1, 0.2)},
    }
    few = {"positives": 3, "negatives": 9, "too_few": True}
    return {
        "name": name,
        "images": 1240,
        "patients": 70,
        "mean": {"auc": area(0.7)},
        "findings": {"Pleural_Thickening": entry, "Mass": few},
        **more,
    }


@pytest.fixture
def section() -> dict[str, Any]:
    return {
        "split": "test",
        "fewest": 10,
        "joined": {
            "by": "image",
            "images": 90,
            "of": 100,
            "differing_labels": {"Mass": 2, "Edema": 0},
            "refused": {"age": 16},
        },
        "thresholds": {"reason": None, "chosen_on": "validation"},
        "overall": {"Pleural_Thickening": {}, "Mass": {}},
        "comparisons": {"auc": {"intervals": 240, "outside": 58}},
        "left_out": ["follow_up"],
        "divisions": [
            {
                "name": "age",
                "reference": "40 to 59 years",
                "averaged": ["Pleural_Thickening"],
                "groups": [
                    group("under 18 years", (-0.2, -0.3, -0.1)),
                    group("18 to 39 years", (0.4, -0.1, 0.9)),
                    group("40 to 59 years", None),
                    group("unknown", (-0.5, -0.6, -0.4)),
                ],
            }
        ],
    }


def test_counts_are_said(section: dict[str, Any]) -> None:
    words = " ".join(subgroup_notes.notes_on(section))
    assert "90 of 100 images are in the metadata" in words
    assert "2 labels of the predictions differ from the metadata's (Mass 2)" in words
    assert "16 ages of the metadata file cannot be" in words
    assert "Not divided by follow-up" in words
    assert "Of 240 such intervals of AUCs about 12 would" in words and "58 do" in words
    assert "Children: 1,240 images of 70 patients" in words
    assert "fewer than 10 patients with it" in words and "A rate of 0 or 1 has no interval" in words


def test_the_widest_difference_is_one_that_leaves_out_nothing_and_is_of_known_groups(
    section: dict[str, Any],
) -> None:
    words = " ".join(subgroup_notes.notes_on(section))
    widest = "Pleural Thickening, under 18 years minus 40 to 59 years"
    assert f"{widest}, \N{MINUS SIGN}0.200 [\N{MINUS SIGN}0.300" in words
    assert "; in FPR \N{MINUS SIGN}0.437 [" in words and ", in AUC +0.051 [" in words


def test_without_rates_none_are_explained(section: dict[str, Any]) -> None:
    section["thresholds"]["reason"] = "The predictions hold no validation split"
    words = " ".join(subgroup_notes.notes_on(section))
    assert "Without TPR and FPR. The predictions hold no validation split." in words
    assert "widest" not in words and "underdiagnosed" not in words


def test_a_join_by_patient_is_said(section: dict[str, Any]) -> None:
    section["joined"] |= {"by": "patient", "images": 100, "differing_labels": None, "refused": {}}
    words = " ".join(subgroup_notes.notes_on(section))
    assert "100 of 100 images were joined on their patient, and only by sex" in words
    assert "labels" not in words.partition("A group is measured")[0]


def test_ages_that_are_bounds_are_counted(section: dict[str, Any]) -> None:
    section["joined"]["refused"] = {"age_bounds": 3}
    words = " ".join(subgroup_notes.notes_on(section))
    assert "3 ages of the metadata file are bounds, such as 85 or more: each counts as" in words


def test_what_the_means_are_over_is_said(section: dict[str, Any]) -> None:
    division = section["divisions"][0]
    division["groups"][0]["mean"]["auc"] = area(None)
    text = subgroup_notes.averaged(division, section)
    assert text == (
        "All means are over the same 1 of 2 findings, without Mass. Too small for a mean: under 18 "
        "years."
    )
    division["averaged"] = []
    assert subgroup_notes.averaged(division, section).startswith("No finding has enough images")


def test_findings_with_too_few_images_are_named_by_group(section: dict[str, Any]) -> None:
    text = subgroup_notes.too_few(section["divisions"][0])
    assert text.startswith(
        "Too few patients for figures; of images: under 18 years: Mass (3 with it, 9 without)"
    )
    for entry in section["divisions"][0]["groups"]:
        entry["findings"]["Mass"]["too_few"] = False
    assert subgroup_notes.too_few(section["divisions"][0]) == ""
