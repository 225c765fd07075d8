# SPDX-License-Identifier: MIT
"""Prediction that is stopped or killed at any instant goes on, and ends as if it had not been."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import cv2
import numpy as np
import pytest

from trainer.inference import flags, prediction
from trainer.inference.given import Found
from trainer.serving import facts, mean

ROOT = pathlib.Path(__file__).parents[3]
_FILMS = 2000


def _started(model: str, films: pathlib.Path, output: pathlib.Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "trainer.inference.task", f"--model={model}", str(films)),
            *(f"--output={output}", "--batch_size=4"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


_KILL = pytest.param(
    *(signal.SIGKILL, -9),
    marks=pytest.mark.skipif(
        not os.environ.get("CXR14_LONG"), reason="a second signal: CXR14_LONG=1 sends it"
    ),
)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), _KILL])
def test_a_stopped_prediction_goes_on(
    number: signal.Signals, code: int, finished_run: Any, tmp_path: pathlib.Path
) -> None:
    films, output = tmp_path / "films", tmp_path / "out.csv"
    films.mkdir()
    draw = np.random.default_rng(0)
    for at in range(_FILMS):
        grey = draw.integers(0, 256, (48, 40)).astype(np.uint8)
        assert cv2.imwrite(str(films / f"{at:04d}.png"), grey)
    process = _started(finished_run.output, films, output)
    parts = tmp_path / "out.csv.parts"
    while not list(parts.glob("part-*.json")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(60) == code
    assert not output.exists() and parts.is_dir()
    kept = {path.name: path.stat().st_mtime_ns for path in parts.glob("part-*.json")}
    again = _started(finished_run.output, films, output)
    while not output.exists():
        assert again.poll() in (None, 0)
        for name, when in kept.items():
            if (parts / name).exists():
                assert (parts / name).stat().st_mtime_ns == when
        time.sleep(0.05)
    assert again.wait(60) == 0
    assert len(output.read_text().splitlines()) == _FILMS + 1 and not parts.exists()


def test_an_export_with_other_content_is_another_model(finished_run: Any) -> None:
    options = flags.parse(["cxr14-predict", f"--model={finished_run.output}", "films"])
    own = facts.read(finished_run.output)
    second, third = (dataclasses.replace(own, content=content) for content in "23")
    one, other = (
        prediction._identity(options, given, "", b"", Found({}, 0, 0)) for given in (own, second)
    )
    assert one["model"] != other["model"]
    assert mean.facts_of([own, second]).identity != mean.facts_of([own, third]).identity
