# SPDX-License-Identifier: MIT
"""`doctor` finds what would keep a job from running, and says how to fix it."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer.launch.description import job_file as reader
from trainer.launch.kubernetes import render
from trainer.launch.kubernetes.cluster import Cluster
from trainer.launch.kubernetes.findings import findings
from trainer.launch.kubernetes.namespace import Namespace
from trainer.launch.kubernetes.service import Api
from trainer.launch.platform import Finding

HERE = "/api/v1/namespaces/research"
SELECTED = {"node.kubernetes.io/instance-type": "g2-standard-24"}
TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


@pytest.fixture
def look(job_file: Callable[..., str], kubernetes_api: Any) -> Callable[..., dict[str, Finding]]:
    """Returns what is found by the word before it, for a job with changes, or for its manifest."""

    def run(change: Callable[[Any], None] | None = None, **changes: Any) -> dict[str, Finding]:
        manifest = render.render(reader.load(job_file(**changes)))
        if change:
            change(manifest)
        found = findings(Namespace(Api(), "research"), [manifest])
        return {finding.what: finding for finding in found}

    return run


def test_a_cluster_in_order(kubernetes_api: Any, look: Callable[..., dict[str, Finding]]) -> None:
    kubernetes_api.node("one", SELECTED, taints=[TAINT])
    found = look()
    assert {finding.ok for finding in found.values()} == {True}
    assert list(found) == [
        "cluster",
        "namespace research",
        "permissions",
        "service account default",
        "nodes with node.kubernetes.io/instance-type=g2-standard-24",
        "Job quick-run",
        "Pod quick-run",
    ]
    assert not [thing for thing in kubernetes_api.things if "quick-run" in thing]


def test_the_command_prints_each_with_its_fix(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    del kubernetes_api.things[f"{HERE}/serviceaccounts/default"]
    code, out, err = launch("doctor", "kubernetes", f"--job={job_file()}")
    assert code == 78 and "must be fixed before the job can run" in err
    assert "ok      cluster: context here, Kubernetes v1.34.1\n" in out
    assert (
        "WRONG   service account default: is missing: no pod can be made; "
        "kubectl create serviceaccount default --namespace=research\n"
    ) in out


def test_an_old_cluster(kubernetes_api: Any, look: Callable[..., dict[str, Finding]]) -> None:
    kubernetes_api.version = {"major": "1", "minor": "32+", "gitVersion": "v1.32.4-gke.1"}
    found = look()
    assert list(found) == ["cluster"] and found["cluster"].ok is False
    assert "1.33 or newer" in found["cluster"].fix


def test_no_cluster(
    kubernetes_api: Any, look: Callable[..., dict[str, Finding]], monkeypatch: Any
) -> None:
    from trainer.launch.kubernetes import service

    monkeypatch.setattr(service, "PAUSES", ())
    kubernetes_api.faults = [("GET", "/version", (401, "Unauthorized"))] * 2
    found = look()
    assert list(found) == ["cluster"] and "kubectl auth whoami" in found["cluster"].said


def test_a_cluster_that_does_not_answer_is_no_fault_of_the_job(
    kubernetes_api: Any, job_file: Callable[..., str], launch: Any
) -> None:
    kubernetes_api.faults = [("GET", "/version", (500, "etcdserver: no leader"))] * 4
    code, out, err = launch("doctor", "kubernetes", f"--job={job_file()}")
    assert "cluster:" not in out and code == 69 and "run the same command again" in err


def test_permissions_that_are_missing(
    kubernetes_api: Any, look: Callable[..., dict[str, Finding]]
) -> None:
    kubernetes_api.denied = {"jobs", "nodes"}
    found = look()
    assert found["permissions"].ok is False
    assert "create jobs.batch; get jobs.batch; list jobs.batch" in found["permissions"].said
    assert "--verb=create,get,list,delete --resource=jobs.batch" in found["permissions"].fix
    assert found["permissions"].fix.endswith("--role=cxr14-launch --user=me@example.com")
    assert found["nodes"].ok is None  # a user of one namespace need not see them
    assert found["Job quick-run"].ok is False


@pytest.mark.parametrize(
    ("groups", "ok", "said"),
    [
        ({}, False, "is not installed"),
        ({"jobset.x-k8s.io": ["v1"]}, False, "the cluster serves jobset.x-k8s.io/v1 of it"),
        ({"jobset.x-k8s.io": ["v1", "v1alpha2"]}, True, "jobset.x-k8s.io/v1alpha2 is served"),
    ],
)
def test_jobset(
    kubernetes_api: Any,
    look: Callable[..., dict[str, Finding]],
    groups: Any,
    ok: bool,
    said: str,
) -> None:
    kubernetes_api.groups = groups
    found = look(replicas=2)["JobSet"]
    assert (found.ok, found.said) == (ok, said)
    assert ok or "kubectl apply --server-side" in found.fix


def test_a_service_account_of_gke(
    kubernetes_api: Any, look: Callable[..., dict[str, Finding]]
) -> None:
    kubernetes_api.version["gitVersion"] = "v1.34.1-gke.1829001"
    found = look()["service account default"]
    assert found.ok is None and "kubectl annotate serviceaccount default" in found.fix
    annotations = {"iam.gke.io/gcp-service-account": "t@p.iam.gserviceaccount.com"}
    account = {"metadata": {"annotations": annotations}}
    kubernetes_api.put(f"{HERE}/serviceaccounts/default", account)
    assert look()["service account default"].said == "acts as t@p.iam.gserviceaccount.com"


def test_a_queue(kubernetes_api: Any, look: Callable[..., dict[str, Finding]]) -> None:
    def queued(manifest: Any) -> None:
        labels = manifest["metadata"]["labels"]
        labels["kueue.x-k8s.io/queue-name"] = "gpus"
        labels["kueue.x-k8s.io/priority-class"] = "night"

    base = "/apis/kueue.x-k8s.io/v1beta2"
    active = {"conditions": [{"type": "Active", "status": "True"}]}
    assert look(queued)["queue gpus"].said == "Kueue is not installed"
    kubernetes_api.groups["kueue.x-k8s.io"] = ["v1beta2"]
    assert "no such LocalQueue" in look(queued)["queue gpus"].said
    local = {"spec": {"clusterQueue": "all"}, "status": active}
    kubernetes_api.put(f"{base}/namespaces/research/localqueues/gpus", local)
    found = look(queued)["queue gpus"]
    assert found.said == "the ClusterQueue all is not active"
    assert found.fix == "kubectl describe clusterqueue all says why"
    local["status"] = {}
    found = look(queued)["queue gpus"]
    assert found.fix == "kubectl describe localqueue gpus --namespace=research says why"
    local["status"] = active
    kubernetes_api.put(f"{base}/clusterqueues/all", {"status": active})
    found = look(queued)
    assert (found["queue gpus"].ok, found["priority night"].ok) == (True, False)
    kubernetes_api.put(f"{base}/workloadpriorityclasses/night", {})
    assert "priority night" not in look(queued)


@pytest.mark.parametrize(
    ("fault", "what", "ok"),
    [
        (("POST", "/jobs$", (422, "spec.template: Invalid value")), "Job quick-run", False),
        (("POST", "/jobs$", (409, "exists")), "Job quick-run", True),
        (
            ("POST", "/jobs$", (400, 'admission webhook "a" does not support dry run')),
            "Job quick-run",
            None,
        ),
        (("POST", "/pods$", (403, "exceeded quota: gpus")), "Pod quick-run", False),
    ],
)
def test_the_clusters_own_checks(
    kubernetes_api: Any,
    look: Callable[..., dict[str, Finding]],
    fault: Any,
    what: str,
    ok: bool | None,
) -> None:
    kubernetes_api.faults = [fault]
    assert look()[what].ok is ok


def test_who_may_make_no_pods_may_still_send_jobs(
    kubernetes_api: Any, look: Callable[..., dict[str, Finding]]
) -> None:
    said = 'pods is forbidden: User "me" cannot create resource "pods"'
    kubernetes_api.faults = [("POST", "/pods$", (403, said))]
    assert "Pod quick-run" not in look()


def test_a_cluster_looks_at_its_own_namespace(
    kubernetes_api: Any, job_file: Callable[..., str]
) -> None:
    job = reader.load(job_file())
    found = {finding.what: finding for finding in Cluster("night").findings(job, "train")}
    assert found["namespace night"].fix == "kubectl create namespace night"
