# SPDX-License-Identifier: MIT
"""Sending a job never makes a second writer, whatever is there and whatever gets lost."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from cxr14_kubernetes_api import JOBS, JOBSETS

from trainer.launch.description import job_file as reader
from trainer.launch.kubernetes import namespace as ns
from trainer.launch.kubernetes import render, service, submission
from trainer.launch.kubernetes.cluster import Cluster

SENT = (0, "research/quick-run\n", "")
JOB = f"{JOBS}/quick-run"


@pytest.mark.parametrize(("replicas", "where"), [(1, JOBS), (2, JOBSETS)])
def test_the_cluster_is_sent_what_dry_run_prints(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any, replicas: int, where: str
) -> None:
    path = job_file(replicas=replicas)
    expected = render.render(reader.load(path))
    assert launch("kubernetes", f"--job={path}") == SENT
    assert kubernetes_api.posted() == [where]
    [body] = [body for method, _, body in kubernetes_api.requests if method == "POST"]
    assert body["spec"] == expected["spec"]
    assert body["metadata"]["labels"] == expected["metadata"]["labels"]


def test_another_namespace_than_the_job_files_gets_the_whole_job(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    kubernetes_api.put("/api/v1/namespaces/night", {})
    code, out, _ = launch("kubernetes", f"--job={job_file()}", "--namespace=night")
    assert (code, out) == (0, "night/quick-run\n")
    assert "/apis/batch/v1/namespaces/night/jobs/quick-run" in kubernetes_api.things


@pytest.mark.parametrize("changes", [{}, {"name": "other-run"}, {"replicas": 2}])
def test_submitting_twice_finds_the_first(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any, changes: dict[str, Any]
) -> None:
    assert launch("kubernetes", f"--job={job_file()}") == SENT
    assert launch("kubernetes", f"--job={job_file(**changes)}") == (
        0,
        "research/quick-run\n",
        "cxr14-launch: research/quick-run writes to this output already and is waiting: "
        "sent nothing\n",
    )
    assert len(kubernetes_api.posted()) == 1


def test_a_name_that_is_taken_by_another_run_is_refused(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    path = job_file(output="gs://my-bucket/runs/elsewhere")
    assert launch("kubernetes", f"--job={path}") == (
        78,
        "",
        f"cxr14-launch: {path}: the Job research/quick-run is not over and writes to "
        "gs://my-bucket/runs/quick: change name, or end it first: `cxr14-launch cancel kubernetes "
        "quick-run --namespace=research --stage=train`\n",
    )
    assert (
        launch(*["cancel", "kubernetes", "quick-run", "--namespace=research", "--stage=train"])[0]
        == 0
    )
    assert launch("kubernetes", f"--job={path}") == SENT


@pytest.mark.parametrize("replicas", [1, 2])
def test_submitting_after_a_failure_goes_on_with_the_run(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any, replicas: int
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    before = kubernetes_api.things[JOB]["metadata"]["uid"]
    kubernetes_api.condition(JOB, "Failed", "BackoffLimitExceeded")
    assert launch("kubernetes", f"--job={job_file(replicas=replicas)}") == (
        0,
        "research/quick-run\n",
        "cxr14-launch: the Job research/quick-run is over: it is replaced, and its run goes on\n",
    )
    made = kubernetes_api.things[f"{JOBS if replicas == 1 else JOBSETS}/quick-run"]
    assert made["metadata"]["uid"] != before
    assert replicas == 1 or JOB not in kubernetes_api.things


def test_what_somebody_else_made_is_not_replaced(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    kubernetes_api.put(JOB, {"spec": {}})
    kubernetes_api.condition(JOB, "Failed")
    code, _, err = launch("kubernetes", f"--job={job_file()}")
    assert code == 78 and err.endswith(
        "the Job research/quick-run is there already and was not made by cxr14-launch for this "
        "stage: change name\n"
    )
    assert JOB in kubernetes_api.things


def test_submitting_during_a_cancellation_waits_for_its_end(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    before = kubernetes_api.things[JOB]["metadata"]["uid"]
    kubernetes_api.ending_s = 0.3
    service.Api().delete(JOB, before)
    assert launch("kubernetes", f"--job={job_file()}") == (
        0,
        "research/quick-run\n",
        "cxr14-launch: the Job research/quick-run is being cancelled and saves its state: waiting "
        "until it is gone\n",
    )
    assert kubernetes_api.things[JOB]["metadata"]["uid"] != before


def test_pods_that_do_not_end_keep_the_next_job_off(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    kubernetes_api.ending_s = 3600
    monkeypatch.setattr(ns, "_MARGIN_S", -60.0)
    for verb in ("cancel", "submit"):
        code, out, err = launch(verb, "kubernetes", f"--job={job_file()}")
        assert (code, out) == (69, "")
        assert "was deleted, but its pods do not end, as when their node is lost" in err
    assert len(kubernetes_api.posted()) == 1


@pytest.mark.parametrize(
    ("faults", "posts"),
    [
        ([(503, "etcdserver: leader changed")], 2),
        ([(500, "failed calling webhook"), (429, "slow down"), (504, "timeout")], 4),
        (["lost"], 2),
        (["silent"], 2),
        ([(409, "Operation cannot be fulfilled on resourcequotas")], 2),
    ],
)
def test_a_job_is_made_once_however_often_it_takes(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    monkeypatch: pytest.MonkeyPatch,
    faults: list[Any],
    posts: int,
) -> None:
    monkeypatch.setattr(service, "ANSWER_S", 0.5)
    kubernetes_api.faults = [("POST", "jobs", fault) for fault in faults]
    assert launch("kubernetes", f"--job={job_file()}") == SENT
    assert len(kubernetes_api.posted()) == posts
    assert list(kubernetes_api.things).count(JOB) == 1


@pytest.mark.parametrize("was_there", [False, True])
def test_of_those_who_submit_at_once_all_but_one_find_the_job(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any, was_there: bool
) -> None:
    if was_there:
        launch("kubernetes", f"--job={job_file()}")
        kubernetes_api.condition(JOB, "Failed")
    job, found = reader.load(job_file()), []
    together = threading.Barrier(4)

    def submit(cluster: Cluster) -> None:
        together.wait()
        found.append(cluster.submit(job, "train"))

    clusters = [Cluster("research") for _ in range(4)]
    for cluster in clusters:
        assert len(list(cluster.list())) == was_there  # and it is connected
    threads = [threading.Thread(target=submit, args=(cluster,)) for cluster in clusters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(is_new for _, is_new in found) == [False, False, False, True]
    assert {status.resource for status, _ in found} == {"research/quick-run"}


@pytest.mark.parametrize("others", [{"name": "other-run"}, {"replicas": 2}], ids=["name", "kind"])
def test_of_two_that_were_made_at_once_for_one_output_one_is_left(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    monkeypatch: pytest.MonkeyPatch,
    others: dict[str, Any],
) -> None:
    monkeypatch.setattr(ns, "POLL_S", 0.05)
    both, make, found = threading.Barrier(2), submission._make, []

    def make_together(*args: Any) -> Any:
        both.wait(30)
        made = make(*args)
        both.wait(30)
        return made

    monkeypatch.setattr(submission, "_make", make_together)
    jobs = [reader.load(job_file()), reader.load(job_file(**others))]
    clusters = [Cluster("research") for _ in jobs]
    threads = [
        threading.Thread(target=lambda c=c, j=j: found.append(c.submit(j, "train")))
        for c, j in zip(clusters, jobs, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(is_new for _, is_new in found) == [False, True]
    assert len(kubernetes_api.posted()) == 2
    [left] = clusters[0].list()
    assert {status.resource for status, _ in found} == {left.resource}


def test_a_second_writer_of_a_command_that_was_killed_is_deleted_by_the_next(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launch("kubernetes", f"--job={job_file(name='other-run')}")
    kubernetes_api.things[f"{JOBS}/other-run"]["metadata"]["creationTimestamp"] = "2026"
    with monkeypatch.context() as blind:
        blind.setattr(submission, "_earliest", lambda *_, **__: None)
        assert launch("kubernetes", f"--job={job_file()}")[0] == 0
    code, out, err = launch("kubernetes", f"--job={job_file()}")
    assert (code, out) == (0, "research/other-run\n")
    assert "the Job research/quick-run is deleted: the Job research/other-run came first" in err
    assert len(launch("list", "kubernetes", "--namespace=research")[1].splitlines()) == 2


SAID = "cxr14-launch: {path}: the cluster refused to make the Job research/quick-run: "


@pytest.mark.parametrize(
    ("fault", "exit_code", "said"),
    [
        (
            (403, 'jobs.batch is forbidden: User "me" cannot create resource "jobs"'),
            78,
            SAID + 'jobs.batch is forbidden: User "me" cannot create resource "jobs": '
            "`cxr14-launch doctor kubernetes --job=...` says which role you lack",
        ),
        (
            (403, 'jobs.batch "quick-run" is forbidden: exceeded quota: jobs, used: 4, limited: 4'),
            78,
            SAID + 'jobs.batch "quick-run" is forbidden: exceeded quota: jobs, used: 4, '
            "limited: 4: `kubectl describe quota --namespace=research` shows its use",
        ),
        (
            (404, 'namespaces "research" not found'),
            78,
            SAID + 'namespaces "research" not found: `kubectl create namespace research`',
        ),
        (
            (422, 'Job.batch "quick-run" is invalid: spec.template: Required value'),
            78,
            SAID + 'Job.batch "quick-run" is invalid: spec.template: Required value',
        ),
        (
            (401, "Unauthorized"),
            78,
            "cxr14-launch: {path}: the cluster does not take the credentials of kubectl's current "
            "context (Unauthorized): log in again, until `kubectl auth whoami` works",
        ),
    ],
)
def test_a_refusal_is_one_sentence(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    fault: tuple[int, str],
    exit_code: int,
    said: str,
) -> None:
    path = job_file()
    kubernetes_api.faults = [("POST", "jobs", fault)] * 2
    assert launch("kubernetes", f"--job={path}") == (exit_code, "", said.format(path=path) + "\n")
    assert JOB not in kubernetes_api.things


def test_a_cluster_that_stays_away_is_one_sentence(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    kubernetes_api.faults = [("POST", "jobs", (503, "the server is starting"))] * 9
    code, out, err = launch("kubernetes", f"--job={job_file()}")
    assert (code, out) == (69, "") and len(kubernetes_api.posted()) == 4
    assert err == (
        "cxr14-launch: the Job research/quick-run was not made, or no answer says so: the cluster "
        "failed (the server is starting): run the same command again\n"
    )


def test_a_cluster_without_jobset_says_what_to_install(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    kubernetes_api.groups = {}
    code, _, err = launch("kubernetes", f"--job={job_file(replicas=2)}")
    assert code == 78 and err.count("\n") == 1
    assert "install JobSet (jobset.x-k8s.io/v1alpha2), set replicas to 1" in err
    assert launch("kubernetes", f"--job={job_file()}") == SENT
