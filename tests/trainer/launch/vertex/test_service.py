# SPDX-License-Identifier: MIT
"""What keeps requests from being answered, or credentials from being had, is one sentence."""

import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from cxr14_google_apis import PLACE, labels

from trainer.launch import task
from trainer.launch.vertex.service import Google

Launch = Callable[..., tuple[int, str, str]]
CREATE = "^POST .*/customJobs$"


def test_a_vertex_that_is_not_there_is_one_sentence(
    impatient: None, job_file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    address = "--api_endpoint=http://127.0.0.1:1"
    assert task.run(["cxr14-launch", "vertex", f"--job={job_file()}", address]) == 69
    err = capsys.readouterr().err
    assert "did not answer" in err and err.count("\n") == 1


def test_a_login_that_is_no_longer_valid_is_one_sentence(
    impatient: None,
    job_file: Callable[..., str],
    google_apis: Any,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A login is renewed before the first request, so that no other machine is reached.
    login = {
        "type": "external_account",
        "audience": "a",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{google_apis.address}/token",
        "credential_source": {"file": str(tmp_path / "token")},
    }
    (tmp_path / "token").write_text("of yesterday")
    (tmp_path / "login.json").write_text(json.dumps(login))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "login.json"))
    google_apis.fail("/token$", 400, times=1000, message="The token is expired")
    assert task.run(["cxr14-launch", "vertex", f"--job={job_file()}"]) == 78
    err = capsys.readouterr().err
    assert "the login of this machine is no longer valid (" in err and err.count("\n") == 1
    assert "The token is expired" in err
    assert "`gcloud auth application-default login`" in err


def test_a_service_that_stays_away_is_one_sentence(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    google_apis.fail(CREATE, 503, times=1000, message="The service is currently unavailable.")
    code, out, err = launch("submit", f"--job={job_file()}")
    assert (code, out) == (69, "")
    assert err.splitlines()[-1].endswith(
        "Vertex AI did not answer (503: The service is currently unavailable.): run the same "
        "command again"
    )


def test_too_many_requests_at_once_are_sent_again(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    google_apis.fail(CREATE, 429, message="Quota exceeded for 'Requests per minute'")
    assert launch("submit", f"--job={job_file()}")[0] == 0


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (
            None,
            ("https://us-central1-aiplatform.googleapis.com", "https://logging.googleapis.com"),
        ),
        (
            "us-central1-aiplatform.p.googleapis.com",
            ("https://us-central1-aiplatform.p.googleapis.com", "https://logging.googleapis.com"),
        ),
        (
            "https://private.example.com/",
            ("https://private.example.com", "https://logging.googleapis.com"),
        ),
        ("http://localhost:8080", ("http://localhost:8080", "http://localhost:8080")),
    ],
)
def test_only_a_server_on_this_machine_takes_the_place_of_all_services(
    endpoint: str | None, expected: tuple[str, str]
) -> None:
    google = Google("my-project", "us-central1", endpoint)
    assert (google._address("aiplatform"), google._address("logging")) == expected


ODD: dict[str, tuple[list[str], str, Any]] = {
    "labels": (["list"], "/customJobs$", {"customJobs": [{"name": "n", "labels": "a"}]}),
    "a text for a job": (["list"], "/customJobs$", {"customJobs": ["a"]}),
    "a number for jobs": (["list"], "/customJobs$", {"customJobs": 5}),
    "a number for a time": (
        ["list"],
        "/customJobs$",
        {"customJobs": [{"name": "n", "createTime": 5}]},
    ),
    "a job of Dataflow": (["list"], "^GET /v1b3", {"jobs": [{"labels": {"cxr14-name": "a"}}]}),
    "a time": (
        ["logs", "quick-run", "--follow"],
        "/customJobs$",
        {
            "customJobs": [
                {"name": f"{PLACE}/customJobs/1", "labels": labels(), "createTime": "2026"}
            ]
        },
    ),
    "an entry": (["logs", "quick-run"], "entries:list", {"entries": ["a"]}),
    "no end": (["list"], "/customJobs$", {"nextPageToken": "a"}),
    "a token": (["list"], "/customJobs$", {"nextPageToken": ["a"]}),
}


@pytest.mark.parametrize(("words", "request_", "answer"), ODD.values(), ids=ODD.keys())
def test_an_answer_of_another_form_is_one_sentence(
    launch: Launch,
    google_apis: Any,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    request_: str,
    answer: Any,
) -> None:
    google_apis.add("customJobs", labels=labels())
    answers(google_apis, monkeypatch, request_, answer)
    code, _, err = launch(*words)
    assert code == 69 and err.count("\n") == 1 and "run the same command again" in err
    assert "sent an answer of an unexpected form (" in err or "the same page of a list twice" in err


def test_what_is_sent_and_answered_in_another_form_is_one_sentence(
    launch: Launch,
    google_apis: Any,
    job_file: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers(google_apis, monkeypatch, CREATE, {"name": "n", "labels": 5})
    code, _, err = launch("submit", f"--job={job_file()}")
    assert code == 69 and err.count("\n") == 1
    wrong = [{"@type": "google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "metadata": "a"}]
    google_apis.fail(CREATE, 403, details=wrong)
    code, _, err = launch("submit", f"--job={job_file()}")
    assert code == 69 and err.count("\n") == 1


def answers(google_apis: Any, monkeypatch: pytest.MonkeyPatch, request: str, answer: Any) -> None:
    """Gives the requests of which METHOD PATH fits a pattern an answer of its own."""
    do = google_apis._do

    def odd(method: str, path: str, *more: Any) -> Any:
        return answer if re.search(request, f"{method} {path}") else do(method, path, *more)

    monkeypatch.setattr(google_apis, "_do", odd)


def test_a_job_with_parts_that_are_null_is_shown(launch: Launch, google_apis: Any) -> None:
    google_apis.add("customJobs", labels=labels(), jobSpec=None, endTime=None, error=None)
    assert launch("status", "quick-run")[0] == 0
