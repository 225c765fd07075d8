# SPDX-License-Identifier: MIT
"""Jobs of a cluster are found by name from any machine, looked at, ended and listed."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cxr14_kubernetes_api import DEPLOYMENTS, JOBS, JOBSETS, PODS

JOB = f"{JOBS}/quick-run"
NAMED = ("kubernetes", "quick-run", "--namespace=research")


def warn(api: Any, uid: str, reason: str, message: str) -> None:
    event = {"involvedObject": {"uid": uid}, "type": "Warning", "reason": reason}
    api.put(f"/api/v1/namespaces/research/events/{reason}", {**event, "message": message})


def test_a_job_is_looked_at_by_name_alone(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    kubernetes_api.pod("quick-run", "quick-run-a")
    kubernetes_api.things[JOB]["status"] = {"ready": 1, "startTime": "2026-01-01T00:00:01Z"}
    code, out, err = launch("status", *NAMED)
    made = kubernetes_api.things[JOB]["metadata"]["creationTimestamp"]
    assert (code, err) == (0, "")
    shown = yaml.load(out, yaml.BaseLoader)
    unknown = "not known, as gs://my-bucket/runs/quick/progress.json cannot be read - gs:// paths "
    assert shown.pop("progress").startswith(f"{unknown}need Google credentials")
    assert shown == {
        "name": "quick-run",
        "stage": "train",
        "state": "running",
        "resource": "research/quick-run",
        "created": made,
        "started": "2026-01-01T00:00:01Z",
        "output": "gs://my-bucket/runs/quick",
    }


def test_a_name_that_is_not_there_says_what_is(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    code, _, err = launch("status", "kubernetes", "quick", "--namespace=research")
    assert code == 64 and "has no job quick of the stage train; `cxr14-launch list" in err
    code, _, err = launch("status", *NAMED, "--stage=serve")
    assert code == 64 and "has no job quick-run of the stage serve: it has --stage=train" in err


def test_a_job_whose_next_pod_is_missing_says_so_beside_its_failures(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    kubernetes_api.things[JOB]["status"] = {"failed": 2}
    _, out, _ = launch("status", *NAMED)
    assert "detail: 2 failures count (6 may): no pod of it is there yet\n" in out


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_quota_that_lets_no_pod_in_is_shown(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any, replicas: int
) -> None:
    launch("kubernetes", f"--job={job_file(replicas=replicas)}")
    maker = kubernetes_api.things[JOB if replicas == 1 else f"{JOBSETS}/quick-run"]
    if replicas > 1:  # the Job within a JobSet makes the pods
        labels = {"jobset.sigs.k8s.io/jobset-name": "quick-run"}
        owned = {"labels": labels, "ownerReferences": [{"kind": "JobSet"}]}
        maker = kubernetes_api.put(f"{JOBS}/quick-run-worker-0", {"metadata": owned, "spec": {}})
    said = 'Error creating: pods "quick-run-x" is forbidden: exceeded quota: gpus'
    warn(kubernetes_api, maker["metadata"]["uid"], "FailedCreate", said)
    assert (
        f"state: waiting\nresource: research/quick-run\ndetail: FailedCreate: {said}\n"
        in (launch("status", *NAMED)[1])
    )


def test_a_volume_that_cannot_be_mounted_is_shown(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    waiting = {"name": "trainer", "state": {"waiting": {"reason": "ContainerCreating"}}}
    pod = kubernetes_api.pod("quick-run", "a", phase="Pending", containerStatuses=[waiting])
    warn(kubernetes_api, pod["metadata"]["uid"], "FailedMount", 'secret "key" not found')
    assert (
        'detail: a is being started: FailedMount: secret "key" not found\n'
        in (launch("status", *NAMED)[1])
    )


def test_what_kueue_says_of_a_job_that_waits_is_shown(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    job = kubernetes_api.things[JOB]
    job["spec"]["suspend"] = True
    job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "gpus"
    shown = "detail: the queue gpus of Kueue has not admitted it"
    assert f"{shown}\n" in launch("status", *NAMED)[1]
    kubernetes_api.groups["kueue.x-k8s.io"] = ["v1beta2"]
    said = "couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu"
    reserved = {"type": "QuotaReserved", "status": "False", "message": said}
    kubernetes_api.put(
        "/apis/kueue.x-k8s.io/v1beta2/namespaces/research/workloads/job-quick-run-1a2b3",
        {
            "metadata": {"labels": {"kueue.x-k8s.io/job-uid": job["metadata"]["uid"]}},
            "status": {"conditions": [reserved]},
        },
    )
    assert f"{shown}: {said}\n" in launch("status", *NAMED)[1]


@pytest.mark.parametrize("replicas", [1, 2])
def test_cancelling_waits_until_the_state_is_saved(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any, replicas: int
) -> None:
    launch("kubernetes", f"--job={job_file(replicas=replicas)}")
    kubernetes_api.ending_s = 0.3
    assert launch("cancel", *NAMED) == (
        0,
        "",
        "cxr14-launch: research/quick-run is cancelled (its run goes on from its last checkpoint "
        "when the same job is submitted again)\n",
    )
    assert {JOB, f"{JOBSETS}/quick-run"}.isdisjoint(kubernetes_api.things)
    [(where, how)] = [(p, body) for m, p, body in kubernetes_api.requests if m == "DELETE"]
    assert where == (JOB if replicas == 1 else f"{JOBSETS}/quick-run")
    assert how["propagationPolicy"] == "Foreground" and how["preconditions"]["uid"]
    assert launch("kubernetes", f"--job={job_file(replicas=replicas)}")[0] == 0


def test_cancelling_what_is_over_leaves_it(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    kubernetes_api.condition(JOB, "Failed", "DeadlineExceeded")
    assert launch("cancel", *NAMED) == (
        0,
        "",
        "cxr14-launch: research/quick-run is failed (it took longer than timeout_hours) already: "
        "nothing to end\n",
    )
    assert JOB in kubernetes_api.things


def test_the_list_has_jobs_and_jobsets_and_nothing_of_others(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    kubernetes_api.put(f"{JOBS}/of-others", {"spec": {}})
    for number, replicas in enumerate([1, 2, 1]):
        path = job_file(name=f"run-{number}", replicas=replicas, output=f"gs://my-bucket/{number}")
        launch("kubernetes", f"--job={path}")
        where = f"{JOBS if replicas == 1 else JOBSETS}/run-{number}"
        made = f"2026-01-0{number + 1}T00:00:00Z"
        kubernetes_api.things[where]["metadata"]["creationTimestamp"] = made
    kubernetes_api.condition(f"{JOBSETS}/run-1", "Completed")
    code, out, _ = launch("list", "kubernetes", "--namespace=research")
    assert code == 0 and [line.split() for line in out.splitlines()] == [
        ["NAME", "STAGE", "STATE", "CREATED", "RESOURCE"],
        ["run-2", "train", "waiting", "2026-01-03T00:00:00Z", "research/run-2"],
        ["run-1", "train", "succeeded", "2026-01-02T00:00:00Z", "research/run-1"],
        ["run-0", "train", "waiting", "2026-01-01T00:00:00Z", "research/run-0"],
    ]


def test_a_login_that_runs_out_while_a_job_is_followed_is_renewed(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    kubernetes_api.pod("quick-run", "quick-run-a", "step 1")
    kubernetes_api.faults = [("GET", "quick-run-a/log", (401, "Unauthorized"))]
    assert launch("logs", *NAMED)[:2] == (0, "step 1\n")
    kubernetes_api.faults = [("GET", "quick-run-a/log", (401, "Unauthorized"))] * 2
    code, out, err = launch("logs", *NAMED)
    assert out == "" and code in (69, 78) and "Unauthorized" in err
    assert f"{PODS}/quick-run-a" in kubernetes_api.things


def test_credentials_that_are_not_taken_are_one_sentence(kubernetes_api: Any, launch: Any) -> None:
    kubernetes_api.faults = [("GET", "jobs", (401, "Unauthorized"))] * 3
    code, _, err = launch("list", "kubernetes", "--namespace=research")
    assert code == 78 and "until `kubectl auth whoami` works" in err and err.count("\n") == 1


def test_whoever_waits_for_a_job_does_so_while_the_cluster_is_away(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    script: Callable[[Callable[[], None]], None],
) -> None:
    launch("kubernetes", f"--job={job_file()}")

    def happen() -> None:
        kubernetes_api.wait_for("/jobs$", count=2)
        kubernetes_api.faults = [("GET", "/jobs$", (503, "starting"))] * 9
        kubernetes_api.condition(JOB, "Complete")

    script(happen)
    code, out, err = launch("status", *NAMED, "--follow")
    assert code == 0 and "state: succeeded\n" in out
    assert err == "cxr14-launch: research/quick-run is succeeded\n"
    assert not kubernetes_api.faults


def test_whoever_waits_for_a_job_that_is_deleted_is_told(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    script: Callable[[Callable[[], None]], None],
) -> None:
    launch("kubernetes", f"--job={job_file()}")

    def happen() -> None:
        kubernetes_api.wait_for("/jobs$", count=2)
        with kubernetes_api.changed:
            del kubernetes_api.things[JOB]

    script(happen)
    said = "cxr14-launch: quick-run is cancelled (somebody deleted it)\n"
    assert launch("status", *NAMED, "--follow") == (1, "", said)


SERVICE = "/api/v1/namespaces/research/services/quick-run-serve"
DEPLOYMENT = f"{DEPLOYMENTS}/quick-run-serve"


@pytest.fixture
def serve(job_file: Callable[..., str], launch: Any) -> Callable[..., tuple[int, str, str]]:
    """Runs a verb for the stage that serves."""

    def run(verb: str, *flags: str) -> tuple[int, str, str]:
        job = f"--job={job_file(serve={'replicas': 2})}"
        found: tuple[int, str, str] = launch(verb, "kubernetes", job, "--stage=serve", *flags)
        return found

    return run


def test_a_model_is_served_and_looked_at_and_taken_away(
    kubernetes_api: Any, serve: Callable[..., tuple[int, str, str]]
) -> None:
    assert serve("submit") == (0, "research/quick-run-serve\n", "")
    assert {DEPLOYMENT, SERVICE} <= set(kubernetes_api.things)
    code, out, err = serve("submit")
    assert (code, out) == (0, "research/quick-run-serve\n") and err.endswith(
        "cxr14-launch: research/quick-run-serve serves this output already and is waiting: sent "
        "nothing\n"
    )
    assert "`kubectl rollout restart deployment/quick-run-serve --namespace=research`" in err
    assert len(kubernetes_api.posted()) == 2
    kubernetes_api.things[DEPLOYMENT]["status"] = {"readyReplicas": 1}
    assert "state: running\n" in (out := serve("status")[1])
    assert "detail: 1 of 2 pods answer\n" in out
    assert serve("cancel") == (0, "", "cxr14-launch: research/quick-run-serve is cancelled\n")
    assert serve("list")[1].splitlines()[1:] == []
    assert {DEPLOYMENT, SERVICE}.isdisjoint(kubernetes_api.things)


def test_a_service_that_could_not_be_made_is_made_by_the_same_command(
    kubernetes_api: Any, serve: Callable[..., tuple[int, str, str]]
) -> None:
    kubernetes_api.faults = [("POST", "/services$", (503, "the server is starting"))] * 4
    code, out, _ = serve("submit")
    assert (code, out) == (69, "") and SERVICE not in kubernetes_api.things
    code, out, _ = serve("submit")
    assert (code, out) == (0, "research/quick-run-serve\n") and SERVICE in kubernetes_api.things


def test_a_model_that_cannot_be_fetched_is_shown_with_its_log(
    kubernetes_api: Any, serve: Callable[..., tuple[int, str, str]]
) -> None:
    serve("submit")
    ended = {"terminated": {"exitCode": 65, "reason": "Error"}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    fetch = {"name": "fetch", "restartCount": 3, "state": waiting, "lastState": ended}
    server = {"name": "server", "state": {"waiting": {"reason": "PodInitializing"}}}
    status = {"initContainerStatuses": [fetch], "containerStatuses": [server]}
    kubernetes_api.pod("quick-run-serve", "a", "no model there", phase="Pending", **status)
    assert "a ends again and again, at last with exit code 65 (unusable data" in serve("status")[1]
    assert "[a] no model there\n" in serve("logs")[1]


def test_preprocessing_has_a_name_of_its_own(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    args = {name: f"gs://my-bucket/{name}" for name in ("images", "labels", "test_list")}
    args["train_val_list"] = "gs://my-bucket/train"
    path = job_file(preprocess={"args": args, "image": "registry.example.com/preprocess:1.0"})
    made = "research/quick-run-preprocess"
    assert launch("kubernetes", f"--job={path}", "--stage=preprocess") == (0, f"{made}\n", "")
    assert launch("kubernetes", f"--job={path}") == (0, "research/quick-run\n", "")
    found = launch("status", *NAMED, "--stage=preprocess")[1]
    assert f"resource: {made}\n" in found and "output: gs://my-bucket/shards\n" in found
    assert launch("cancel", *NAMED, "--stage=preprocess")[0] == 0
    assert list(kubernetes_api.things).count(JOB) == 1
