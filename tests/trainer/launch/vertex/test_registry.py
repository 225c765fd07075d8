# SPDX-License-Identifier: MIT
"""A run becomes one version of the model of its name, however often it is uploaded."""

from collections.abc import Callable
from typing import Any

import pytest
from cxr14_google_apis import PLACE, labels

from trainer.launch.vertex import registry

Launch = Callable[..., tuple[int, str, str]]
UPLOAD = "^POST .*/models:upload$"


@pytest.fixture
def job(bucket: str, make_run: Callable[[str], str], job_file: Callable[..., str]) -> str:
    """A job file whose run in a bucket is whole."""
    make_run(f"{bucket}/runs/quick")
    return job_file(output=f"{bucket}/runs/quick", labels={"team": "chest"})


def test_a_run_is_registered_once_with_its_figures(
    job: str, launch: Launch, google_apis: Any, bucket: str, make_run: Callable[[str], str]
) -> None:
    google_apis.add("models", labels={"cxr14-name": "another"})
    code, out, err = launch("upload", f"--job={job}")
    assert (code, out, err) == (0, f"{PLACE}/models/2@1\n", "")
    [body] = google_apis.made(UPLOAD)
    assert "parentModel" not in body
    model = body["model"]
    assert model["artifactUri"] == f"{bucket}/runs/quick/saved_model"
    assert model["containerSpec"] == {"imageUri": registry.IMAGE}
    assert model["displayName"] == model["labels"]["cxr14-name"] == "quick-run"
    assert model["labels"]["team"] == "chest" and "auc-test_mean" in model["labels"]
    assert model["versionDescription"].startswith("AUC on the 120 images of test (95% interval): ")
    assert model["versionAliases"] == [f"report-{model['labels']['cxr14-report'][:12]}"]
    code, out, err = launch("upload", f"--job={job}")
    assert (code, out) == (0, f"{PLACE}/models/2@1\n") and "sent nothing" in err
    assert len(google_apis.made(UPLOAD)) == 1


def test_another_run_of_the_name_is_the_next_version(
    job: str, launch: Launch, google_apis: Any
) -> None:
    known = google_apis.add("models", labels={"cxr14-name": "quick-run"})["name"]
    google_apis.versions[known] = [{"versionId": "1", "labels": {"cxr14-report": "of another"}}]
    code, out, _ = launch("upload", f"--job={job}", "--serving_image=registry/serve:1")
    assert (code, out) == (0, f"{known}@2\n")
    [body] = google_apis.made(UPLOAD)
    assert body["parentModel"] == known
    assert body["model"]["containerSpec"] == {"imageUri": "registry/serve:1"}


def test_the_job_files_own_server_is_asked_by_its_routes(
    launch: Launch,
    google_apis: Any,
    bucket: str,
    make_run: Callable[[str], str],
    job_file: Callable[..., str],
) -> None:
    make_run(f"{bucket}/runs/quick")
    serve = {"server": "cxr14", "image": "registry.example.com/PROJECT/serve:1"}
    job = job_file(output=f"{bucket}/runs/quick", serve=serve)
    code, out, err = launch("upload", f"--job={job}")
    assert (code, out, err.count("\n")) == (78, "", 1) and "serve.image holds PROJECT" in err
    code, _, err = launch("upload", f"--job={job}", "--serving_image=registry/serve:2")
    assert code == 0, err
    [body] = google_apis.made(UPLOAD)
    # What the service answers, and the port that Vertex AI says in AIP_HTTP_PORT.
    assert body["model"]["containerSpec"] == {
        "imageUri": "registry/serve:2",
        "predictRoute": "/v1/models/cxr14:predict",
        "healthRoute": "/v1/models/cxr14",
        "ports": [{"containerPort": 8080}],
    }


@pytest.mark.parametrize("done", [True, False])
def test_no_answer_to_an_upload_makes_one_version(
    job: str, launch: Launch, google_apis: Any, done: bool
) -> None:
    google_apis.fail(UPLOAD, 503, done=done)
    code, out, _ = launch("upload", f"--job={job}")
    assert (code, out) == (0, f"{PLACE}/models/1@1\n")
    assert len(google_apis.versions[f"{PLACE}/models/1"]) == 1


def test_what_goes_wrong_while_it_is_registered_is_one_sentence(
    job: str, launch: Launch, google_apis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        google_apis, "_operation", lambda name: {"done": True, "error": {"message": "no access"}}
    )
    code, out, err = launch("upload", f"--job={job}")
    assert (code, out, err.count("\n")) == (78, "", 1)
    assert "could not register the model (no access)" in err
    monkeypatch.setattr(google_apis, "_operation", lambda name: {"done": False})
    monkeypatch.setattr(registry, "_LONGEST_S", 0.05)
    google_apis.versions.clear()
    google_apis.resources.clear()
    code, _, err = launch("upload", f"--job={job}")
    assert code == 69 and "run the same command again" in err


def test_a_job_without_its_file_says_itself_where_it_wrote(
    launch: Launch, google_apis: Any, bucket: str, make_run: Callable[[str], str]
) -> None:
    spec = {"baseOutputDirectory": {"outputUriPrefix": f"{bucket}/runs/9"}}
    google_apis.add("customJobs", labels=labels(), jobSpec=spec)
    code, _, err = launch("upload", "quick-run")
    assert code == 65 and f"{bucket}/runs/9/saved_model holds no complete export" in err
    make_run(f"{bucket}/runs/9")
    code, out, err = launch("upload", "quick-run")
    assert (code, out) == (0, f"{PLACE}/models/2@1\n"), err


def test_more_figures_than_labels_are_left_to_the_description() -> None:
    figures = {f"auc-{number}": "0-5" for number in range(100)}
    found = registry._labels({"cxr14-name": "a", "team": "b"}, figures)
    assert len(found) == 64 and found["team"] == "b" and "auc-0" in found


def test_only_vertex_has_a_registry(capsys: pytest.CaptureFixture[str]) -> None:
    from trainer.launch import task

    assert task.run(["cxr14-launch", "upload", "kubernetes", "x"]) == 64
    assert "upload is for vertex" in capsys.readouterr().err
