# SPDX-License-Identifier: MIT
"""A report of 14 findings on disk, and a browser that notices whatever it asks for."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from preprocessing.config import CHESTXRAY14_FINDINGS as FINDINGS
from trainer.predictions import Predictions
from trainer.report import report as reporting
from trainer.report.source import Source

DESKTOP = (1440, 900)
IMAGES = 900

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


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("report")
    reporting.write(str(folder), reporting.build(Source(predictions(), resamples=50)))
    return folder / "report" / "report.html"


@pytest.fixture
def show(browser: Any, report_file: pathlib.Path) -> Iterator[Open]:
    """Opens the page; whatever it asks for beside itself, or says of errors, fails the test."""
    asked: list[str] = []
    errors: list[str] = []
    contexts = []

    def opened(size: tuple[int, int] = DESKTOP, scheme: str = "light", **options: Any) -> Any:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.goto(report_file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    fetched = [url for url in asked if not url.startswith("data:")]
    assert fetched == [report_file.as_uri()] * len(contexts)
    assert errors == []
