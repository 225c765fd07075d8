# SPDX-License-Identifier: MIT
"""Tests of the gallery: which pictures, their words, its size, and that it stands by itself."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.explanation import cases as choosing
from trainer.predictions import heat_map_files
from trainer.predictions.heat_map_files import Gallery
from trainer.predictions.placement import Placement
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import gallery
from trainer.report.source import Source

PLACE = Placement(first=16.5 / 256, step=32 / 256, left=16 / 256, side=224 / 256)


def made_gallery(rows: Predictions, count: int = 3) -> Gallery:
    """What evaluation would leave, with noise for radiographs."""
    generator = np.random.default_rng(5)
    chosen = choosing.choose(rows, count)
    places = np.array([choice.row for choice in chosen], int)
    columns = np.array([choice.finding for choice in chosen], int)
    boxes = [np.zeros((0, 4)) for _ in chosen]
    boxes[0] = np.array([[0.25, 0.25, 0.5, 0.5]])
    return Gallery(
        ids=rows.ids[places],
        findings=np.array(rows.findings)[columns],
        kinds=np.array([choice.kind for choice in chosen]),
        scores=rows.scores[places, columns].astype(np.float32),
        labels=rows.labels[places],
        label_names=rows.findings,
        thumbnails=tuple(picture(generator) for _ in chosen),
        maps=generator.random((len(chosen), 7, 7)).astype(np.float32),
        boxes=tuple(boxes),
        placement=PLACE,
    )


def picture(generator: np.random.Generator) -> bytes:
    """Smooth noise, which packs about as well as a radiograph."""
    small = generator.integers(0, 256, (40, 40)).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", cv2.resize(small, (128, 128)), [cv2.IMWRITE_JPEG_QUALITY, 75])
    return bytes(encoded)


@pytest.fixture
def source(make: Callable[..., Predictions], tmp_path: pathlib.Path) -> Source:
    return Source(predictions=make(), beside=str(tmp_path))


def written(source: Source, found: Gallery) -> Source:
    heat_map_files.write_gallery(f"{source.beside}/{heat_map_files.GALLERY}", found)
    return source


def shown(section: dict[str, Any]) -> str:
    return parts.html("gallery", "Gallery", gallery.parts(section, {}))


def markdown(section: dict[str, Any]) -> str:
    return parts.markdown("Gallery", gallery.parts(section, {}))


def test_every_chosen_case_is_shown_with_score_labels_and_words(source: Source) -> None:
    rows = source.rows("test")
    section = gallery.build(written(source, made_gallery(rows)))
    text = shown(section)
    chosen = choosing.choose(rows, 3)
    assert section["cases"] == len(chosen) == text.count("<svg ")
    assert text.count('role="img"') == text.count("aria-label=") == len(chosen)
    # Hernia is nowhere present: no hit, no miss, and the page says so.
    assert section["findings"]["Hernia"]["hit"] == []
    assert "None: no image of the test split qualifies." in text
    first = section["findings"]["Mass"]["false_alarm"][0]
    best = max(rows.scores[rows.labels[:, 0] == 0, 0])
    assert first["score"] == pytest.approx(best, abs=1e-7)
    assert f"Radiograph {first['id']}, false alarm of Mass, score {best:.3f}" in text
    assert text.count('class="box"') == 1 and "with a box around the finding" in text


def test_unknown_labels_are_kept_apart_from_absent_ones(source: Source) -> None:
    found = made_gallery(source.rows("test"))
    section = gallery.build(written(source, found))
    cases = [
        case for kinds in section["findings"].values() for own in kinds.values() for case in own
    ]
    unknown = sum("Edema" in case["unknown"] for case in cases)
    assert unknown == int(np.isnan(found.labels[:, 1]).sum()) > 0
    assert shown(section).count("; unknown: Edema<") == 2 * unknown
    assert not any(set(case["unknown"]) & set(case["present"]) for case in cases)


def test_nothing_is_fetched_and_pictures_are_whole(source: Source) -> None:
    found = made_gallery(source.rows("test"))
    text = shown(gallery.build(written(source, found)))
    sources = re.findall(r'(?:href|src)="([^"]*)"', text)
    assert len(sources) == 2 * len(found.ids)
    assert all(
        one.startswith(("data:image/jpeg;base64,", "data:image/png;base64,")) for one in sources
    )


def test_fourteen_findings_stay_below_a_megabyte_and_a_half(tmp_path: pathlib.Path) -> None:
    generator = np.random.default_rng(6)
    labels = (generator.random((900, 14)) < 0.2).astype(np.float32)
    rows = Predictions(
        ids=np.array([f"{row:08d}_000.png" for row in range(900)]),
        patients=np.array([f"{row}" for row in range(900)]),
        splits=np.full(900, "test"),
        labels=labels,
        scores=generator.random((900, 14)).astype(np.float32),
        findings=tuple(f"Finding_{at}" for at in range(14)),
    )
    source = written(Source(predictions=rows, beside=str(tmp_path)), made_gallery(rows))
    section = gallery.build(source)
    assert section["cases"] == 14 * 9
    assert 300_000 < len(shown(section)) < 1_500_000
    assert len(json.dumps(section, allow_nan=False)) < 1_500_000


def test_markdown_lists_ids_and_scores_but_no_pictures(source: Source) -> None:
    section = gallery.build(written(source, made_gallery(source.rows("test"))))
    text = markdown(section)
    case = section["findings"]["Mass"]["hit"][0]
    assert (
        f"| Mass | hit | {case['id'].replace('_', chr(92) + '_')} | {case['score']:.3f} |" in text
    )
    assert case["jpeg"] not in text and len(text) < 6000


def test_without_pictures_the_section_says_how_to_get_them(source: Source) -> None:
    section = gallery.build(source)
    assert not section["available"] and "evaluation.gallery=3" in section["reason"]


def test_pictures_of_other_predictions_are_not_shown(source: Source) -> None:
    found = made_gallery(source.rows("test"))
    other = dataclasses.replace(found, scores=found.scores + np.float32(0.01))
    section = gallery.build(written(source, other))
    assert "is of other predictions" in section["reason"]


def test_a_damaged_file_is_an_error(source: Source) -> None:
    pathlib.Path(source.beside, heat_map_files.GALLERY).write_bytes(b"")
    with pytest.raises(DataError, match=r"gallery\.npz is damaged"):
        gallery.build(source)


def test_drawn_pictures_are_not_said_to_have_labels_of_reports(source: Source) -> None:
    written(source, made_gallery(source.rows("test")))
    context = {"manifest": {"phantom": "drawn by a program"}}
    for one, words in ((source, "read out of reports"), (replaced(source, context), "were drawn")):
        assert words in " ".join(gallery.build(one)["notes"])
        assert ("radiologists" in " ".join(gallery.build(one)["notes"])) == (one is source)


def replaced(source: Source, context: dict[str, Any]) -> Source:
    return dataclasses.replace(source, context=context)
