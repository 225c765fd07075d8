# SPDX-License-Identifier: MIT
"""Preprocessing on Dataflow runs to its end here, is found by its labels, and has one writer."""

import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import pytest
from cxr14_google_apis import PLACE

from trainer.launch.vertex import dataflow_run

Launch = Callable[..., tuple[int, str, str]]
STAGE = "--stage=preprocess"
# Sends what Beam would send, and ends as it is told to.
PROGRAM = """
import json, os, sys, urllib.request
flags = {word[2:].partition("=")[0]: word.partition("=")[2] for word in sys.argv[1:]}
labels = dict(word.split("=")[1:] for word in sys.argv if word.startswith("--label="))
job = json.dumps({"name": flags["job_name"], "labels": labels}).encode()
place = f"v1b3/projects/{flags['project']}/locations/{flags['region']}/jobs"
if SENDS:
    urllib.request.urlopen(f"{flags['dataflow_endpoint']}/{place}", data=job)
print("on standard output", flush=True)
sys.exit(CODE) if CODE >= 0 else os.kill(os.getpid(), -CODE)
"""


@pytest.fixture
def job(job_file: Callable[..., str]) -> str:
    return job_file(
        preprocess={
            "image": "registry.example.com/cxr14-preprocess:1.0",
            "args": {
                "images": "gs://my-bucket/nih/images",
                "labels": "gs://my-bucket/nih/labels.csv",
                "train_val_list": "gs://my-bucket/nih/train_val.txt",
                "test_list": "gs://my-bucket/nih/test.txt",
            },
        }
    )


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts another program in the place of cxr14-preprocess."""

    def put(*, code: int = 0, sends: bool = True) -> None:
        monkeypatch.setattr(metadata, "version", lambda name: "of Beam's client")
        text = PROGRAM.replace("SENDS", str(sends)).replace("CODE", str(code))
        monkeypatch.setattr(dataflow_run, "PROGRAM", (sys.executable, "-c", text))

    return put


def test_it_runs_to_its_end_and_names_the_job_of_dataflow(
    job: str, launch: Launch, google_apis: Any, program: Callable[..., None]
) -> None:
    program()
    code, out, err = launch("submit", f"--job={job}", STAGE)
    assert (code, out) == (0, f"{PLACE}/jobs/1\n"), err
    assert "leave it running until it ends" in err
    assert google_apis.resources[f"{PLACE}/jobs/1"]["labels"]["cxr14-stage"] == "preprocess"
    # It is not over: nobody else may write there, nor is it sent again.
    code, out, err = launch("submit", f"--job={job}", STAGE)
    assert (code, out) == (0, f"{PLACE}/jobs/1\n") and "sent nothing" in err
    google_apis.resources[f"{PLACE}/jobs/1"]["currentState"] = "JOB_STATE_DONE"
    assert launch("submit", f"--job={job}", STAGE)[1] == f"{PLACE}/jobs/2\n"
    assert launch("status", "quick-run", STAGE)[1].startswith("name: quick-run\nstage: preprocess")


@pytest.mark.parametrize("state", ["CANCELLING", "DRAINING"])
def test_it_is_started_once_the_cancelled_one_is_over(
    job: str, launch: Launch, google_apis: Any, program: Callable[..., None], state: str
) -> None:
    program()
    launch("submit", f"--job={job}", STAGE)
    first, looks = google_apis.resources[f"{PLACE}/jobs/1"], []
    first["currentState"] = f"JOB_STATE_{state}"

    def end(request: str) -> None:
        looks.append(request)
        if len(looks) == 3:
            first["currentState"] = "JOB_STATE_CANCELLED"

    google_apis.on_request = end
    code, out, err = launch("submit", f"--job={job}", STAGE)
    assert (code, out) == (0, f"{PLACE}/jobs/2\n")
    assert "/jobs/1 is being cancelled: waiting until it is over" in err


def test_a_data_set_that_is_complete_sends_nothing(
    job: str, launch: Launch, program: Callable[..., None]
) -> None:
    program(sends=False)
    code, out, _ = launch("submit", f"--job={job}", STAGE)
    assert (code, out) == (0, "gs://my-bucket/shards\n")


@pytest.mark.parametrize(("code", "shown"), [(65, 65), (75, 75), (-9, 137)])
def test_its_exit_code_is_that_of_the_launcher(
    job: str, launch: Launch, program: Callable[..., None], code: int, shown: int
) -> None:
    program(code=code)
    returned, out, err = launch("submit", f"--job={job}", STAGE)
    assert (returned, out) == (shown, "")
    assert f"cxr14-preprocess ended with exit code {shown}: it says why above" in err


def test_who_stops_the_launcher_stops_the_program(
    job: str, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "of Beam's client")
    stops = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
os.kill(os.getppid(), signal.SIGTERM)
time.sleep(60)
"""
    monkeypatch.setattr(dataflow_run, "PROGRAM", (sys.executable, "-c", stops))
    code, out, err = launch("submit", f"--job={job}", STAGE)
    assert (code, out) == (75, "") and "ended with exit code 75" in err


def test_without_beam_it_says_what_to_install(
    job: str, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", lost)
    code, _, err = launch("submit", f"--job={job}", STAGE)
    assert code == 64 and "configs/requirements/preprocess.txt" in err
