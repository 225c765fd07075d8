# SPDX-License-Identifier: MIT
"""Tests of the section on localisation: its numbers, its words, and what it says without maps."""

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.predictions import heat_map_files
from trainer.predictions.heat_map_files import BoxedMaps
from trainer.predictions.placement import Placement
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import localisation
from trainer.report.source import Source

PLACE = Placement(first=16.5 / 256, step=32 / 256, left=16 / 256, side=224 / 256)


def made_boxed(rows: Predictions, count: int = 80) -> BoxedMaps:
    """Boxes of Mass and Edema whose maps are right for Mass and wrong for Edema."""
    generator = np.random.default_rng(3)
    places = np.sort(generator.choice(len(rows.ids), count, replace=False))
    columns = np.arange(count) % 2
    corner = generator.integers(1, 4, (count, 2))
    maps = np.zeros((count, 7, 7), np.float32)
    for row, (x, y) in enumerate(corner):
        x, y = (x, y) if columns[row] == 0 else (6 - x, 6 - y)
        maps[row, y : y + 2, x : x + 2] = 1
    return BoxedMaps(
        ids=rows.ids[places],
        findings=np.array(rows.findings)[columns],
        scores=rows.scores[places, columns].astype(np.float32),
        boxes=np.concatenate([(corner * 32 + 4) / 256, np.full((count, 2), 48 / 256)], axis=1),
        maps=maps,
        placement=PLACE,
    )


@pytest.fixture
def source(make: Callable[..., Predictions], tmp_path: pathlib.Path) -> Source:
    return Source(predictions=make(), resamples=200, beside=str(tmp_path))


def written(source: Source, boxed: BoxedMaps) -> Source:
    heat_map_files.write_boxed(f"{source.beside}/{heat_map_files.LOCALISATION}", boxed)
    return source


def shown(section: dict[str, Any]) -> str:
    return parts.html("localisation", "Localisation", localisation.parts(section, {}))


def markdown(section: dict[str, Any]) -> str:
    return parts.markdown("Localisation", localisation.parts(section, {}))


def test_maps_that_are_right_and_maps_that_are_wrong_are_told_apart(source: Source) -> None:
    section = localisation.build(written(source, made_boxed(source.rows("test"))))
    right, wrong = section["findings"]["Mass"], section["findings"]["Edema"]
    assert (right["boxes"], right["images"]) == (40, 40)
    assert right["methods"]["heat_map"]["pointing"]["value"] == 1.0
    assert wrong["methods"]["heat_map"]["pointing"]["value"] < 0.5
    assert right["methods"]["heat_map"]["iou"]["0.3"]["accuracy"]["value"] > 0.9
    assert section["mean"]["heat_map"]["pointing"]["value"] == pytest.approx(
        (1 + wrong["methods"]["heat_map"]["pointing"]["value"]) / 2
    )
    assert any("for 1 of 2 findings: Mass." in note for note in section["notes"])


def test_the_section_is_plain_json_and_the_same_every_time(source: Source) -> None:
    written(source, made_boxed(source.rows("test")))
    first = json.dumps(localisation.build(source), allow_nan=False)
    again = dataclasses.replace(source)
    assert json.dumps(localisation.build(again), allow_nan=False) == first


def test_several_boxes_of_a_finding_in_an_image_are_one_case(source: Source) -> None:
    boxed = made_boxed(source.rows("test"), 2)
    twice = {
        name: np.repeat(getattr(boxed, name), 2, axis=0)
        for name in ("ids", "findings", "scores", "maps", "boxes")
    }
    twice["boxes"] = twice["boxes"] + np.array([[0, 0, 0, 0], [0.5, 0, 0, 0]] * 2)
    section = localisation.build(written(source, dataclasses.replace(boxed, **twice)))
    entry = section["findings"]["Mass"]
    assert (entry["boxes"], entry["images"], entry["patients"]) == (2, 1, 1)
    found = entry["methods"]["heat_map"]
    assert found["pointing"]["value"] == 1.0  # any box of the case
    assert found["iou"]["0.1"]["accuracy"]["value"] == 0.5  # each box for itself


def test_what_the_crop_cut_away_is_stated(source: Source) -> None:
    boxed = made_boxed(source.rows("test"), 4)
    boxes = np.array([[0.2, 0.2, 0.2, 0.2], [0, 0.2, 0.125, 0.2], [0, 0, 0.05, 0.05], [0.3] * 4])
    section = localisation.build(written(source, dataclasses.replace(boxed, boxes=boxes)))
    assert section["outside"]["boxes_cut"] == 2
    assert section["outside"]["boxes_lost"] == 1
    assert section["outside"]["mean_share"] == pytest.approx((0.5 + 1) / 4)
    assert any("2 boxes reach out of it, 1 lie wholly outside" in note for note in section["notes"])


def test_published_figures_stand_beside_the_same_boxes_only(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(source, made_boxed(source.rows("test")))
    apart = localisation.build(source)
    assert apart["published"]["accuracy"] == {}
    assert "Wang 2017" not in markdown(apart)
    assert "984 boxes on 880 images, here are 80 on 80" in shown(apart)
    monkeypatch.setattr(localisation.wang2017, "BOXES", 80)
    monkeypatch.setattr(localisation.wang2017, "IMAGES", 80)
    beside = localisation.build(source)
    assert set(beside["published"]["accuracy"]) == {"Mass"}
    assert "| Mass | Wang 2017 | 0.400 | 0.259 |" in markdown(beside)
    assert "0.46" in shown(beside)


def test_the_page_and_the_markdown_say_every_finding(source: Source) -> None:
    section = localisation.build(written(source, made_boxed(source.rows("test"))))
    for text in (shown(section), markdown(section)):
        assert "Mass" in text and "Edema" in text and "Hernia" not in text
        assert "Average box" in text
    assert markdown(section).startswith("## Localisation\n")


def test_findings_without_a_second_patient_are_not_defined(source: Source) -> None:
    section = localisation.build(written(source, made_boxed(source.rows("test"), 1)))
    assert section["findings_in_mean"] == 0
    assert section["mean"]["heat_map"]["pointing"]["value"] is None
    assert "not defined" in shown(section)


def test_without_maps_the_section_says_how_to_get_them(source: Source) -> None:
    section = localisation.build(source)
    assert not section["available"]
    assert "evaluation.localisation=true" in section["reason"]


def test_no_boxes_and_other_predictions_are_told_apart(source: Source) -> None:
    boxed = made_boxed(source.rows("test"))
    empty = {name: getattr(boxed, name)[:0] for name in ("ids", "findings", "scores", "boxes")}
    none = dataclasses.replace(boxed, **empty, maps=np.zeros((0, 7, 7), np.float32))
    assert (
        "no image of the test split has a box"
        in localisation.build(written(source, none))["reason"]
    )
    other = dataclasses.replace(boxed, scores=boxed.scores + np.float32(0.01))
    assert "is of other predictions" in localisation.build(written(source, other))["reason"]


def test_a_damaged_file_is_an_error_and_no_missing_section(source: Source) -> None:
    pathlib.Path(source.beside, heat_map_files.LOCALISATION).write_bytes(b"PK broken")
    with pytest.raises(DataError, match=r"localisation\.npz is damaged"):
        localisation.build(source)


def test_on_the_real_boxes_the_trivial_answers_are_what_others_found(
    nih: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """The centre of the image lies in nearly every box of Cardiomegaly and in none of Nodule."""
    lines = (nih / "BBox_List_2017.csv").read_text().splitlines()[1:]
    table = [line.split(",")[:6] for line in lines]
    ids = np.array([row[0] for row in table])
    findings = np.array([row[1].replace("Infiltrate", "Infiltration") for row in table])
    names, images = tuple(np.unique(findings).tolist()), np.unique(ids)
    rows = Predictions(
        ids=images,
        patients=np.array([name.partition("_")[0] for name in images]),
        splits=np.full(len(images), "test"),
        labels=np.ones((len(images), len(names)), np.float32),
        scores=np.full((len(images), len(names)), 0.5, np.float32),
        findings=names,
    )
    boxed = BoxedMaps(
        ids=ids,
        findings=findings,
        scores=np.full(len(ids), 0.5, np.float32),
        boxes=np.array([[float(value) / 1024 for value in row[2:]] for row in table]),
        maps=np.random.default_rng(0).random((len(ids), 7, 7)).astype(np.float32),
        placement=PLACE,
    )
    source = Source(predictions=rows, resamples=200, beside=str(tmp_path))
    section = localisation.build(written(source, boxed))
    assert section["published"]["comparable"] and section["patients"] == 726
    pointing = {
        name: {key: value["pointing"]["value"] for key, value in entry["methods"].items()}
        for name, entry in section["findings"].items()
    }
    assert pointing["Cardiomegaly"]["centre"] == 142 / 146
    assert pointing["Nodule"]["centre"] == 0.0
    assert section["findings"]["Nodule"]["reachable"] < 0.5
    assert section["findings"]["Cardiomegaly"]["reachable"] == 1.0
    assert pointing["Cardiomegaly"]["average_box"] == 1.0
    assert section["outside"]["boxes_cut"] > 50
    assert "Wang 2017" in shown(section)
