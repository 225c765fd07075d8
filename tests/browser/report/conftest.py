# SPDX-License-Identifier: MIT
"""A report of 14 findings on disk, and a browser that notices whatever it asks for."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS as FINDINGS
from trainer.explanation import cases as choosing
from trainer.predictions import heat_map_files
from trainer.predictions.metadata import Metadata
from trainer.predictions.placement import Placement
from trainer.predictions.table import Predictions
from trainer.report import report as reporting
from trainer.report.contents import missing
from trainer.report.source import Source

DESKTOP = (1440, 900)
IMAGES = 900
PLACE = Placement(first=16.5 / 256, step=32 / 256, left=16 / 256, side=224 / 256)

Open = Callable[..., Any]


def predictions() -> Predictions:
    """Two splits of 14 findings, rare and common ones; the last has no positive in test."""
    generator = np.random.default_rng(5)
    shares = np.linspace(0.25, 0.03, len(FINDINGS))
    labels = (generator.random((2 * IMAGES, len(FINDINGS))) < shares).astype(np.float32)
    labels[IMAGES:, -1] = 0
    logits = np.log(shares / (1 - shares)) + generator.normal(size=labels.shape)
    scores = 1 / (1 + np.exp(-logits - labels * np.linspace(0.5, 2, len(FINDINGS))))
    return Predictions(
        ids=np.array([f"{row:08d}_000.png" for row in range(2 * IMAGES)]),
        patients=np.array([f"{row // 3:08d}" for row in range(2 * IMAGES)]),
        splits=np.repeat(np.array(["validation", "test"]), IMAGES),
        labels=labels,
        scores=scores.astype(np.float32),
        findings=tuple(FINDINGS),
    )


def metadata(rows: Predictions) -> Metadata:
    """Of the images of the predictions, and of as many of patients who stand in no prediction."""
    generator = np.random.default_rng(6)
    count = 2 * len(rows.ids)
    return Metadata(
        ids=np.array([f"{row:08d}_000.png" for row in range(count)]),
        patients=np.array([f"{row // 3:08d}" for row in range(count)]),
        splits=np.array([*rows.splits.tolist(), *["train"] * len(rows.ids)]),
        sex=generator.choice(["F", "M"], count),
        view=generator.choice(["AP", "PA"], count),
        age=generator.integers(3, 90, count),
        follow_up=generator.integers(0, 30, count),
        width=np.full(count, 2500),
        height=generator.choice([2048, 2500], count),
        labels=np.concatenate([rows.labels, rows.labels]),
        findings=rows.findings,
    )


def other_model(rows: Predictions) -> Predictions:
    """The same images with scores of their own."""
    logits = np.random.default_rng(7).normal(size=rows.scores.shape) + rows.labels
    return dataclasses.replace(rows, scores=(1 / (1 + np.exp(-logits))).astype(np.float32))


def leave_maps(rows: Predictions, folder: str) -> None:
    """Writes what evaluation leaves on request: maps of images with boxes, and cases to look at."""
    generator = np.random.default_rng(8)
    test = rows.select("test")
    boxed = heat_map_files.BoxedMaps(
        ids=test.ids[:40],
        findings=np.array(FINDINGS)[np.arange(40) % 8],
        scores=test.scores[np.arange(40), np.arange(40) % 8],
        boxes=np.tile(np.array([0.25, 0.3, 0.25, 0.2]), (40, 1)),
        maps=generator.random((40, 7, 7)).astype(np.float32),
        placement=PLACE,
    )
    heat_map_files.write_boxed(f"{folder}/{heat_map_files.LOCALISATION}", boxed)
    chosen = choosing.choose(test, 2)
    at = np.array([choice.row for choice in chosen])
    columns = np.array([choice.finding for choice in chosen])
    noise = cv2.resize(generator.integers(0, 256, (40, 40)).astype(np.uint8), (128, 128))
    cases = heat_map_files.Gallery(
        ids=test.ids[at],
        findings=np.array(FINDINGS)[columns],
        kinds=np.array([choice.kind for choice in chosen]),
        scores=test.scores[at, columns],
        labels=test.labels[at],
        label_names=test.findings,
        thumbnails=(cv2.imencode(".jpg", noise)[1].tobytes(),) * len(chosen),
        maps=generator.random((len(chosen), 7, 7)).astype(np.float32),
        boxes=(np.array([[0.25, 0.25, 0.5, 0.5]]),) * len(chosen),
        placement=PLACE,
    )
    heat_map_files.write_gallery(f"{folder}/{heat_map_files.GALLERY}", cases)


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A page with every section that made-up images can have."""
    folder, rows = tmp_path_factory.mktemp("report"), predictions()
    leave_maps(rows, str(folder))
    source = Source(
        rows,
        resamples=50,
        metadata=metadata(rows),
        compared={"other.npz": other_model(rows)},
        beside=str(folder),
    )
    report = reporting.build(source)
    assert set(missing(report)) == {"published", "radiologists", "external"}
    reporting.write(str(folder), report)
    return folder / "report" / "report.html"


@pytest.fixture
def show(browser: Any, report_file: pathlib.Path) -> Iterator[Open]:
    """Opens the page, `at` a part of it, and its sections unless `folded`.

    Whatever it asks for beside itself, or says of errors, fails the test.
    """
    asked: list[str] = []
    errors: list[str] = []
    contexts = []

    def opened(
        size: tuple[int, int] = DESKTOP,
        scheme: str = "light",
        *,
        folded: bool = False,
        at: str = "",
        **options: Any,
    ) -> Any:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.goto(f"{report_file.as_uri()}{at}")
        if not folded:
            page.get_by_role("button", name="Open all sections").click()
        return page

    yield opened
    for context in contexts:
        context.close()
    fetched = [url for url in asked if not url.startswith("data:")]
    assert fetched == [report_file.as_uri()] * len(contexts)
    assert errors == []
