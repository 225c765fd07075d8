# SPDX-License-Identifier: MIT
"""The section on subgroups: who is joined, where thresholds come from, what pages say."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.evaluation.operating_points import choose
from trainer.predictions import metadata
from trainer.predictions.metadata import Metadata
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import operating_points, subgroups
from trainer.report.source import Source

Make = Callable[..., Predictions]


def facts_of(predictions: Predictions, **changed: Any) -> Metadata:
    """Metadata of the same images in another order, without the suffix of their names."""
    generator = np.random.default_rng(4)
    n = len(predictions.ids)
    patient = predictions.patients.astype(int)
    order = generator.permutation(n)
    facts: dict[str, Any] = {
        "ids": np.array([name.removesuffix(".png") for name in predictions.ids.tolist()])[order],
        "patients": patient.astype(str)[order],
        "splits": predictions.splits[order],
        "sex": np.where(patient % 3 == 0, "F", "M")[order],
        "view": np.array(["AP", "PA"])[generator.integers(0, 2, n)],
        "age": generator.integers(5, 90, n),
        "follow_up": generator.integers(0, 30, n),
        "width": np.full(n, 2500),
        "height": np.array([2048, 2500])[generator.integers(0, 2, n)],
        "labels": predictions.labels[order],
        "findings": predictions.findings,
    }
    return Metadata(**{**facts, **changed})


def built(predictions: Predictions, known: Metadata | None) -> dict[str, Any]:
    return subgroups.build(Source(predictions=predictions, metadata=known, resamples=50))


@pytest.fixture
def section(make: Make) -> dict[str, Any]:
    return built(make(), facts_of(make()))


def rendered(section: dict[str, Any]) -> str:
    return parts.html("subgroups", "Title", subgroups.parts(section, {}))


def test_section_is_strict_json(section: dict[str, Any]) -> None:
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert section["available"] is True and section["split"] == "test" and section["fewest"] == 10
    names = [division["name"] for division in section["divisions"]]
    assert names == ["sex", "age", "view", "follow_up", "detector"]


def test_images_are_joined_by_name_and_never_by_order(make: Make, section: dict[str, Any]) -> None:
    patients = make().select("test").patients.astype(int)
    female = section["divisions"][0]["groups"][0]
    assert female["name"] == "female" and female["images"] == (patients % 3 == 0).sum()
    assert section["joined"] == {
        "by": "image",
        "images": 240,
        "of": 240,
        "differing_labels": {"Mass": 0, "Edema": 0, "Hernia": 0},
        "refused": {},
    }


def test_images_that_are_not_in_the_metadata_are_a_group_of_their_own(make: Make) -> None:
    known = facts_of(make())
    kept = {
        field.name: getattr(known, field.name)[:-100]
        for field in dataclasses.fields(Metadata)
        if isinstance(getattr(known, field.name), np.ndarray)
    }
    section = built(make(), dataclasses.replace(known, **kept))
    missing = np.isin(known.ids[-100:], [name[:-4] for name in make().select("test").ids]).sum()
    last = section["divisions"][0]["groups"][-1]
    assert (last["name"], last["images"]) == ("unknown", missing)
    assert f"{240 - missing} of 240 images are in the metadata" in " ".join(section["notes"])


def test_labels_that_differ_from_the_metadata_are_counted(make: Make) -> None:
    known = facts_of(make())
    section = built(make(), dataclasses.replace(known, labels=1 - known.labels))
    test = make().select("test").labels
    expected = (~np.isnan(test)).sum(axis=0).tolist()
    assert list(section["joined"]["differing_labels"].values()) == expected
    assert f"{sum(expected):,} labels of the predictions differ" in " ".join(section["notes"])


def test_metadata_of_another_data_set_are_refused(make: Make) -> None:
    known = facts_of(make())
    wrong = dataclasses.replace(known, patients=np.roll(known.patients, 1))
    with pytest.raises(DataError, match="in the predictions and of patient"):
        built(make(), wrong)


def test_row_numbers_as_ids_leave_the_sex_of_the_patient(make: Make) -> None:
    rows = make()
    numbered = dataclasses.replace(rows, ids=np.array([f"row-{at}" for at in range(len(rows.ids))]))
    section = built(numbered, facts_of(rows))
    assert [division["name"] for division in section["divisions"]] == ["sex"]
    assert section["joined"]["by"] == "patient" and section["joined"]["images"] == 240
    words = " ".join(section["notes"])
    assert "joined on their patient, and only by sex" in words
    assert "Not divided by view" in words
    by_image = built(rows, facts_of(rows))
    assert section["divisions"][0] == by_image["divisions"][0]


@pytest.mark.parametrize("known", [None, "others", "nothing"])
def test_without_usable_metadata_the_section_says_what_to_give(
    make: Make, known: str | None
) -> None:
    facts = None
    if known:
        facts = facts_of(make())
        n = len(facts.ids)
        others = {"ids": np.arange(n).astype(str), "patients": (np.arange(n) + 10**6).astype(str)}
        empty = {"sex": np.full(n, ""), "view": np.full(n, ""), "age": np.full(n, -1)}
        empty |= {name: np.full(n, -1) for name in ("follow_up", "width")}
        facts = dataclasses.replace(facts, **(others if known == "others" else empty))
    section = built(make(), facts)
    assert section["available"] is False
    assert ": give " in section["reason"]


def test_thresholds_are_those_of_the_validation_split(make: Make, section: dict[str, Any]) -> None:
    rows = make().select("validation")
    expected = {
        name: choose(rows.labels[:, at], rows.scores[:, at], "youden")
        for at, name in enumerate(rows.findings)
    }
    assert section["thresholds"]["values"] == expected
    assert None not in expected.values()


def test_changing_test_labels_and_scores_changes_no_threshold(
    make: Make, section: dict[str, Any]
) -> None:
    rows = make()
    test = rows.splits == "test"
    labels, scores = rows.labels.copy(), rows.scores.copy()
    labels[test], scores[test] = np.roll(labels[test], 7, axis=0), scores[test] / 2
    changed = built(dataclasses.replace(rows, labels=labels, scores=scores), facts_of(rows))
    assert changed["thresholds"] == section["thresholds"]
    assert changed["divisions"] != section["divisions"]


@pytest.mark.parametrize("split", ["test", "validation"])
def test_one_split_alone_has_areas_and_no_rates(make: Make, split: str) -> None:
    rows = make(splits=(split,))
    section = built(rows, facts_of(rows))
    group = section["divisions"][0]["groups"][0]
    assert group["mean"]["auc"]["value"] is not None
    assert group["mean"]["tpr"]["value"] is None
    assert section["thresholds"]["chosen_on"] is None
    assert "Without TPR and FPR" in " ".join(section["notes"])
    assert "True positive rate" not in rendered(section)


def test_a_finding_without_positives_is_named_and_has_no_figures(section: dict[str, Any]) -> None:
    division = section["divisions"][0]
    assert "Hernia" not in division["averaged"]
    text = rendered(section)
    assert "Hernia (0 with it, " in text
    assert "without Hernia" in text and "not defined" not in text.partition("<details>")[0]


def test_the_page_shows_every_mark_and_figure_of_the_section(section: dict[str, Any]) -> None:
    text = rendered(section)
    shown = [
        (group["name"], entry)
        for division in section["divisions"]
        for group in division["groups"]
        for entry in group["findings"].values()
        if not entry["too_few"]
    ]
    marks = sum(len(entry["outside"]) for _, entry in shown)
    assert len(re.findall(r'class="flag">not 0', text)) == marks
    assert all(f">{entry['auc']['value']:.3f}<" in text for _, entry in shown)
    assert text.count('<svg class="row test"') == sum(
        len(division["groups"]) for division in section["divisions"]
    )
    identifiers = re.findall(r' id="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', text)) <= set(identifiers)


def test_markdown_says_what_the_section_says(section: dict[str, Any]) -> None:
    text = parts.markdown("Subgroups", subgroups.parts(section, {}))
    for division in section["divisions"]:
        assert f"### {subgroups.TITLES[division['name']]}" in text
        for group in division["groups"]:
            mean = group["mean"]["auc"]["value"]
            assert ("not defined" if mean is None else f"{mean:.3f}") in text
    marked = section["comparisons"]["auc"]["outside"]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert sum(len(row) == 9 and "(not 0)" in row[4] for row in rows) == marked


def test_a_full_test_split_has_every_group(nih: pathlib.Path) -> None:
    """25,596 official test images in some twenty groups; scores are made up, metadata are not."""
    known = metadata.read(str(nih / "Data_Entry_2017_v2020.csv"))
    official = np.isin(known.ids, (nih / "test_list.txt").read_text().split())
    generator = np.random.default_rng(0)
    kept = official | (generator.random(len(known.ids)) < 0.1)
    labels = known.labels[kept]
    noise = generator.normal(size=labels.shape) + labels
    predictions = Predictions(
        ids=known.ids[kept],
        patients=known.patients[kept],
        splits=np.where(official[kept], "test", "validation"),
        labels=labels,
        scores=1 / (1 + np.exp(-noise)),
        findings=known.findings,
    )
    source = Source(predictions=predictions, metadata=known, resamples=100)
    source.draws("test")
    section = subgroups.build(source)
    by_name = {division["name"]: division["groups"] for division in section["divisions"]}
    assert sum(len(groups) for groups in by_name.values()) == 18
    assert {group["name"]: group["images"] for group in by_name["view"]} == {
        "PA": 11_096,
        "AP": 14_500,
    }
    assert by_name["age"][0]["name"] == "under 18 years" and by_name["age"][0]["images"] == 1_070
    assert section["joined"]["images"] == 25_596
    assert sum(section["joined"]["differing_labels"].values()) == 0


def test_rates_of_all_images_are_those_of_the_operating_points(make: Make) -> None:
    rows = make()
    source = Source(predictions=rows, metadata=facts_of(rows), resamples=50)
    sex, *_ = subgroups.build(source)["divisions"]
    assert sex["averaged_rates"] == ["Mass", "Edema"]
    means = operating_points.build(source)["mean"]["youden"]["test"]
    assert sex["overall"]["tpr"] == pytest.approx(means["sensitivity"])


def test_sex_age_and_view_are_crossed_where_two_of_them_are_known(
    make: Make, section: dict[str, Any]
) -> None:
    crossed = section["intersections"]
    assert crossed["formed"] == len(crossed["groups"]) + len(crossed["too_small"]) > 10
    assert "Sex, age and view together" in rendered(section)
    rows = make(rows=1200)
    alone = built(rows, facts_of(rows, age=np.full(2400, 50), view=np.full(2400, "PA")))
    assert alone["intersections"] is None and "together" not in rendered(alone)
    large = built(rows, facts_of(rows, age=np.full(2400, 50)))
    assert large["intersections"]["formed"] == 4 == len(large["intersections"]["groups"])
