# SPDX-License-Identifier: MIT
"""A log as a run writes it, TensorBoard that serves it, and a browser that reaches nothing else."""

import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS as FINDINGS
from preprocessing.contract.manifest import Manifest, Shard, Split
from preprocessing.phantom import population, render
from trainer.config import Config

IMAGES = {"train": 7600, "validation": 1200, "test": 2600}
EXAMPLES = 4

# Name, learning rate, best mean AUC, and for each start the step it went on from and came to.
RUNS = (("first", 1e-4, 0.8, ((0, 130), (100, 200))), ("second", 3e-4, 0.7, ((0, 100),)))


def manifest() -> Manifest:
    """The manifest of a data set like ChestX-ray14, a tenth of its size."""
    generator = np.random.default_rng(1)
    shares = generator.uniform(0.002, 0.18, len(FINDINGS))
    splits = {}
    for name, count in IMAGES.items():
        positives = {f: round(count * p) for f, p in zip(FINDINGS, shares, strict=True)}
        splits[name] = Split(
            examples=count,
            patients=count // 3,
            positives=positives,
            known=dict.fromkeys(FINDINGS, count),
            prevalence={finding: positives[finding] / count for finding in FINDINGS},
            shards=[Shard(f"{name}-{at}", count // 4, 1, "0" * 64) for at in range(4)],
        )
    return Manifest(
        schema_version=1,
        findings=list(FINDINGS),
        stored_size=256,
        encoding="png",
        splits=splits,
        official_split=True,
        list_hashes={},
        counters={},
        parameters={},
        sources={},
        writer="cxr14",
        split_method="official lists",
    )


@dataclasses.dataclass
class Run:
    """A run that learns: the better, the more steps it has done."""

    monitor: Any
    generator: np.random.Generator

    def train(self, first: int, last: int) -> None:
        """Logs a point every 10 steps."""
        for step in range(first + 10, last + 1, 10):
            noise = self.generator.normal()
            self.monitor.training(
                step,
                {
                    "train/loss": 0.17 + 0.5 * np.exp(-step / 60) + 0.005 * noise,
                    "train/learning_rate": 1e-4 * (1 + np.cos(np.pi * step / 200)) / 2,
                    "train/gradient_norm": 0.2 + np.exp(-step / 60),
                    "train/loss_scale": 32768.0,
                    "train/skipped_steps": 1.0,
                    "train/images_per_second": 310 + 5 * noise,
                    "train/steps_per_second": 4.9 + 0.1 * noise,
                    "train/input_wait_share": 0.02,
                },
            )

    def validate(self, step: int, pixels: np.ndarray, labels: np.ndarray) -> None:
        """Logs a validation with scores that tell findings the better apart, the later it is."""
        from trainer.evaluation.auc import auroc

        generator = np.random.default_rng(2)  # the same pictures every time
        logits = generator.normal(size=labels.shape) + labels * step / 100 - 3
        scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
        aucs = {name: auroc(labels[:, at], scores[:, at]) for at, name in enumerate(FINDINGS)}
        mean = float(np.mean(list(aucs.values())))
        self.monitor.validation(
            step,
            mean_auc=mean,
            aucs=aucs,
            labels=labels,
            scores=scores,
            ids=[f"{at:08d}_000.png" for at in range(EXAMPLES)],
            pixels=pixels,
        )


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of two runs; the first was killed at step 130 and went on from step 100."""
    from trainer.monitoring.monitor import Monitor

    folder = tmp_path_factory.mktemp("logs")
    records = population.draw(400, 5, "raised")[:EXAMPLES]
    pixels = np.stack([render.picture(record, 5, 224) for record in records])
    generator = np.random.default_rng(0)
    labels = (generator.random([600, len(FINDINGS)]) < 0.1).astype(float)
    labels[: len(records)] = [[name in r.findings for name in FINDINGS] for r in records]
    labels[2, 0] = np.nan
    for name, rate, best, starts in RUNS:
        config = Config()
        config.optimizer.learning_rate = rate
        for start, stop in starts:
            run = Run(Monitor(str(folder / name / "tensorboard")), generator)
            run.monitor.begin(start, config=config, manifest=manifest())
            for first in range(start, stop, 100):
                last = min(first + 100, stop)
                run.train(first, last)
                if last % 100 == 0:
                    run.validate(last, pixels, labels)
            run.monitor.flush()
        run.monitor.best(stop, best)
        run.monitor.end(stop, {"best/mean_auc": best, "best/step": stop})
    return folder


@pytest.fixture(scope="module")
def tensorboard(browser: Any, logs: pathlib.Path) -> Iterator[str]:
    """The address of a TensorBoard that shows the folder, as its user would start it."""
    arguments = ["--logdir", str(logs), "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    assert process.stderr is not None
    said = ""
    address = None
    for line in process.stderr:
        said += line
        if address := re.search(r"http://127\.0\.0\.1:\d+/", line):
            break
    assert address, f"TensorBoard did not start: {said}"
    rest = threading.Thread(target=process.stderr.read)  # or it would wait once the pipe is full
    rest.start()
    try:
        yield address[0]
    finally:
        process.terminate()
        process.wait()
        rest.join()
        process.stderr.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a window; it can reach this machine only.

    Closed behind each file: tests of other files in this process call `asyncio.run`.
    """
    from cxr14_chromium import opened

    with opened() as chromium:
        yield chromium


@dataclasses.dataclass
class Visit:
    """A page, and what went wrong on it.

    Attributes:
        page: of Playwright.
        errors: what the page said of errors.
        strangers: addresses elsewhere that it asked for, in vain.
    """

    page: Any
    errors: list[str]
    strangers: list[str]

    def open(self, address: str, tab: str) -> Any:
        """Shows a tab and returns the page."""
        self.page.goto(f"{address}#{tab}")
        return self.page


@pytest.fixture
def visit(browser: Any, tensorboard: str) -> Iterator[Visit]:
    """A new page in which nothing may go wrong."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(90_000)
    visit = Visit(page, [], [])

    def pass_on(route: Any) -> None:
        if route.request.url.startswith((tensorboard, "data:", "blob:")):
            route.continue_()
        else:
            visit.strangers.append(route.request.url)
            route.abort()

    page.route("**/*", pass_on)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda said: said.type == "error" and visit.errors.append(said.text))
    yield visit
    page.close()
    assert (visit.errors, visit.strangers) == ([], [])
