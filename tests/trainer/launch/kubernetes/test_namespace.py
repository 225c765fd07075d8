# SPDX-License-Identifier: MIT
"""What belongs to a job is found by its labels, and only that."""

from collections.abc import Callable
from typing import Any

import pytest
from cxr14_kubernetes_api import JOBS

from trainer.launch.kubernetes import service
from trainer.launch.kubernetes.namespace import Namespace
from trainer.launch.kubernetes.service import Api

JOB = f"{JOBS}/quick-run"
NAMED = ("kubernetes", "quick-run", "--namespace=research")


def test_of_two_jobs_of_a_name_the_one_that_is_not_over_is_meant(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    over = kubernetes_api.things[JOB]
    launch("kubernetes", f"--job={job_file(output='gs://my-bucket/other', name='more')}")
    labels = kubernetes_api.things[f"{JOBS}/more"]["metadata"]["labels"]
    labels["cxr14-name"] = "quick-run"
    kubernetes_api.condition(JOB, "Complete")
    over["metadata"]["creationTimestamp"] = "2999-01-01T00:00:00Z"
    assert "resource: research/more\n" in launch("status", *NAMED)[1]


def test_a_list_of_several_pages_is_read_to_its_end(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "_PAGE", 2)
    for number in range(5):
        path = job_file(name=f"run-{number}", output=f"gs://my-bucket/{number}")
        launch("kubernetes", f"--job={path}")
    assert len(launch("list", "kubernetes", "--namespace=research")[1].splitlines()) == 6


def test_only_a_jobs_own_pods_are_its(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    kubernetes_api.pod("quick-run", "mine")
    kubernetes_api.pod("other-run", "of-another")
    namespace = Namespace(Api(), "research")
    pods = namespace.pods(namespace.named("quick-run", "train"))
    assert [pod["metadata"]["name"] for pod in pods] == ["mine"]


def test_the_newest_warning_counts_and_who_may_not_see_them_sees_none(kubernetes_api: Any) -> None:
    thing = {"metadata": {"uid": "7"}}
    for number, (uid, when) in enumerate([("7", "2026-01-02"), ("7", "2026-01-01"), ("8", "2027")]):
        event = {"involvedObject": {"uid": uid}, "type": "Warning", "reason": f"R{number}"}
        path = f"/api/v1/namespaces/research/events/{number}"
        kubernetes_api.put(path, {**event, "message": "said", "lastTimestamp": when})
    assert Namespace(Api(), "research").warning(thing) == "R0: said"
    kubernetes_api.denied = {"events"}
    assert Namespace(Api(), "research").warning(thing) == ""


def test_who_may_use_jobs_alone_sends_and_finds_them(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    kubernetes_api.denied = {"jobsets", "deployments", "events", "services"}
    assert launch("kubernetes", f"--job={job_file()}")[0] == 0
    assert "state: waiting" in launch("status", *NAMED)[1]
    assert "quick-run  train" in launch("list", "kubernetes", "--namespace=research")[1]
    code, _, err = launch("status", *NAMED, "--stage=serve")
    assert code == 78 and "cannot use deployments" in err
    assert launch("cancel", *NAMED)[0] == 0
    kubernetes_api.denied = {"jobs", "deployments", "events", "services"}
    assert launch("kubernetes", f"--job={job_file(replicas=2)}")[0] == 0
    assert "state: waiting" in launch("status", *NAMED)[1]
    assert launch("cancel", *NAMED)[0] == 0
    kubernetes_api.denied = {"jobs"}
    code, _, err = launch("status", *NAMED)
    assert code == 64 and "of the stage train (you may not look at Jobs); `cxr14" in err
    code, _, err = launch("submit", "kubernetes", f"--job={job_file()}")
    assert code == 78 and "cannot use jobs: `cxr14-launch doctor" in err
    kubernetes_api.denied = {"jobs", "jobsets", "deployments"}
    code, _, err = launch("list", "kubernetes", "--namespace=research")
    assert code == 78 and "cannot use jobs" in err


@pytest.mark.parametrize("verb", ["status", "logs", "cancel"])
def test_a_cluster_has_no_job_of_a_stage_for_vertex(
    kubernetes_api: Any, launch: Any, verb: str
) -> None:
    code, _, err = launch(verb, *NAMED, "--stage=tune")
    assert code == 64 and "has no job quick-run of the stage tune; `cxr14-launch list" in err


TIMELESS = {"metadata": {"name": "a", "creationTimestamp": 5}}
SPEC: dict[str, Any] = {"containers": [{}]}
ODD = [
    ("submit", "POST", "/jobs$", {}),
    ("list", "GET", "/jobs$", {"items": ["a"]}),
    ("list", "GET", "/jobs$", {"items": [{}]}),
    ("status", "GET", "/pods$", {"items": [{"metadata": {}, "status": {"conditions": [{}]}}]}),
    ("cancel", "GET", "/jobs$", {"metadata": "x", "items": []}),
    ("logs", "GET", "/pods$", {"items": {"a": 1}}),
    ("list", "GET", "/jobs$", {"items": [{**TIMELESS, "spec": {"template": {"spec": SPEC}}}]}),
]


@pytest.mark.parametrize(("verb", "method", "path", "answer"), ODD)
def test_an_answer_of_an_odd_form_is_one_sentence(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    verb: str,
    method: str,
    path: str,
    answer: Any,
) -> None:
    if verb != "submit":
        launch("kubernetes", f"--job={job_file()}")
    kubernetes_api.faults = [(method, path, answer)]
    code, _, err = launch(verb, "kubernetes", f"--job={job_file()}")
    assert code == 69 and err.count("\n") == 1
    assert "the cluster sent an answer of an unexpected form (" in err


def test_null_is_nothing(job_file: Callable[..., str], kubernetes_api: Any, launch: Any) -> None:
    launch("kubernetes", f"--job={job_file()}")
    thing = kubernetes_api.things[JOB]
    thing["status"] = thing["metadata"]["deletionTimestamp"] = None
    kubernetes_api.faults = [("GET", "/jobs$", {"metadata": None, "items": [thing]})]
    code, out, _ = launch("status", *NAMED)
    assert code == 0 and "state: waiting" in out


def page(token: str) -> tuple[str, str, Any]:
    return "GET", "/jobs$", {"metadata": {"continue": token}, "items": []}


def test_a_list_without_an_end_is_one_sentence(kubernetes_api: Any, launch: Any) -> None:
    kubernetes_api.faults = [page("a"), page("b")] * 2
    code, _, err = launch("list", "kubernetes", "--namespace=research")
    assert code == 69 and "/jobs does not end: run the same command again" in err


def test_a_list_that_took_too_long_to_page_is_read_at_once(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    kubernetes_api.faults = [page("a"), ("GET", "/jobs$", (410, "too old"))]
    code, out, _ = launch("list", "kubernetes", "--namespace=research")
    assert code == 0 and out.count("quick-run") == 2
    kubernetes_api.faults = [("GET", "/jobs$", (410, "too old"))]
    assert launch("list", "kubernetes", "--namespace=research")[0] == 78
