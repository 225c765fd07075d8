# SPDX-License-Identifier: MIT
"""The section on wrong labels: what is assumed, what cannot be, what pages say."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer.evaluation.auc import aurocs
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import label_noise
from trainer.report.source import Source

Make = Callable[..., Predictions]


@pytest.fixture
def section(make: Make) -> dict[str, Any]:
    return label_noise.build(Source(make(), resamples=50))


def rendered(section: dict[str, Any]) -> str:
    return parts.html("label_noise", "Title", label_noise.parts(section, {}))


def test_section_is_strict_json_without_the_finding_that_has_no_positive(
    section: dict[str, Any],
) -> None:
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert list(section["findings"]) == section["averaged"] == ["Mass", "Edema"]
    assert section["left_out"] == ["Hernia"] and "without it: Hernia" in section["notes"][0]


def test_the_more_labels_are_wrong_the_higher_the_auc_against_the_truth(
    section: dict[str, Any], make: Make
) -> None:
    rows = make().select("test")
    auc = aurocs(rows.labels, rows.scores)[0]
    mass = section["findings"]["Mass"]
    assert mass["as_labelled"]["auc"]["value"] == pytest.approx(auc)
    prevalence = rows.labels[:, 0].mean()
    for share, entry in zip(section["shares"], mass["assumed"], strict=True):
        # As many missed as wrong: share * positives of the negatives.
        kept = 1 - share - share * prevalence / (1 - prevalence)
        assert entry["auc"]["value"] == pytest.approx(0.5 + (auc - 0.5) / kept)
        assert entry["auc_if_again"] == pytest.approx(0.5 + (auc - 0.5) * kept)
        assert entry["highest_auc"] == pytest.approx((1 + kept) / 2)
        assert entry["auc"]["low"] < entry["auc"]["value"] < entry["auc"]["high"]
    last = section["mean"]["assumed"][-1]
    each = [section["findings"][name]["assumed"][-1] for name in section["averaged"]]
    for key in ("auc", "tpr", "fpr"):
        mean = np.mean([entry[key]["value"] for entry in each])
        assert last[key]["value"] == pytest.approx(mean)


def test_pages_show_the_figures_and_what_cannot_be(section: dict[str, Any], make: Make) -> None:
    page, mean = rendered(section), section["mean"]
    for area in (mean["as_labelled"]["auc"], *(each["auc"] for each in mean["assumed"])):
        assert f">{area['value']:.3f}<" in page
    assert "cannot be<" not in page
    rows = make()
    perfect = dataclasses.replace(rows, scores=np.clip(np.nan_to_num(rows.labels), 0.1, 0.9))
    found = label_noise.build(Source(perfect, resamples=20))
    assert found["averaged"] == [] and found["mean"]["assumed"][0]["auc_if_again"] is None
    assert "No finding can have 10%" in rendered(found) and "cannot be<" in rendered(found)


def test_rare_findings_are_named_for_which_symmetric_errors_cannot_be(make: Make) -> None:
    rows = make(rows=600)
    labels = rows.labels.copy()
    labels[600:, 1] = np.arange(600) % 20 == 0
    found = label_noise.build(Source(dataclasses.replace(rows, labels=labels), resamples=10))
    assert "labelled with it: Edema." in found["notes"][0]


def test_without_validation_there_are_no_rates(make: Make) -> None:
    section = label_noise.build(Source(make(("test",)), resamples=10))
    assert section["chosen_on"] is None
    assert section["mean"]["assumed"][-1]["tpr"]["value"] is None
    assert "Sensitivity" not in rendered(section)


def test_too_few_images_say_so(make: Make) -> None:
    section = label_noise.build(Source(make(rows=6), resamples=5))
    assert section["available"] is False and section["reason"].endswith("give more patients.")


def judged(*ppv: float | None, gap: tuple[float, float]) -> dict[str, Any]:
    """A section on radiologists' labels: so often right, so far from errors at random."""
    one = {
        "name": "Mass",
        "reason": None,
        "if_random": {
            "highest": {"value": 0.95},
            "expected": {"value": 0.85, "low": 0.8, "high": 0.9},
            "found_minus_expected": {"value": sum(gap) / 2, "low": gap[0], "high": gap[1]},
        },
        **{key: {"value": 0.8} for key in ("auc_mined", "auc_radiologists")},
    }
    known = [{**one, "agreement": {"ppv": {"value": value}}} for value in ppv]
    lacking = {"name": "Edema", "reason": "it has no score"}
    return {"available": True, "images": 1962, "references": [*known, lacking]}


def test_what_radiologists_found_wrong_is_said_beside_what_is_claimed(
    section: dict[str, Any],
) -> None:
    found = judged(0.565, 0.485, 0.767, gap=(-0.1, -0.02))
    said = (
        "10% is NIH's claim; radiologists found 23% to 52% of the mined positives wrong here "
        "(3 findings, 1,962 images), and not at random: see Radiologists' labels."
    )
    assert label_noise.found_wrong(found) == said
    shown = label_noise.parts(section, {"radiologists": found})[0]
    assert isinstance(shown, parts.Words) and shown.text.endswith(said)
    at_random = label_noise.found_wrong(judged(0.7, None, gap=(-0.1, 0.1)))
    assert "found 30% of the mined" in at_random and "not at random" not in at_random
    for nothing in ({}, {"available": False, "reason": "none"}, judged(None, gap=(0, 0))):
        assert label_noise.found_wrong(nothing) == ""
