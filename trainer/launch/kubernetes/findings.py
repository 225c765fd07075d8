# SPDX-License-Identifier: MIT
"""Looks at all that a job needs of a cluster before it is sent, by the manifests of the job."""

import re
from collections.abc import Callable, Iterator, Sequence

from preprocessing.contract.errors import ConfigError, ServiceError
from trainer.launch.kubernetes import connection, nodes, references, states
from trainer.launch.kubernetes import namespace as ns
from trainer.launch.kubernetes.namespace import Namespace, path
from trainer.launch.kubernetes.service import Refusal
from trainer.launch.manifests import Spec
from trainer.launch.platform import Finding, understood

_OLDEST = 33
_JOBSET = "https://github.com/kubernetes-sigs/jobset/releases/download/v0.12.0/manifests.yaml"
_IDENTITY = "iam.gke.io/gcp-service-account"


def findings(namespace: Namespace, manifests: Sequence[Spec]) -> Iterator[Finding]:
    """Yields what was found; stops early where nothing more can be known.

    Raises:
        ServiceError: the cluster does not answer at all.
    """
    reached = _cluster(namespace)
    yield reached
    if not reached.ok:
        return
    pod = ns.pod_spec(manifests[0])
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("namespace", lambda: _namespace(namespace)),
        ("permissions", lambda: _permissions(namespace, manifests)),
        ("service account", lambda: _service_account(namespace, pod, reached.said)),
        ("JobSet", lambda: _jobset(namespace, manifests[0])),
        ("queue", lambda: _queue(namespace, manifests[0])),
        ("what the pod names", lambda: references.findings(namespace, pod)),
        ("nodes", lambda: nodes.findings(namespace, pod)),
        ("quota", lambda: nodes.quotas(namespace, manifests[0])),
        ("the cluster's checks", lambda: _rehearsal(namespace, manifests)),
    ]
    for what, check in checks:
        try:
            with understood("the cluster"):
                yield from check()
        except Refusal as error:  # whoever sends jobs need not be allowed to look everywhere
            yield Finding(what, None, f"you may not look at it ({error.said})")
        except ServiceError as error:
            yield Finding(what, None, str(error))


def _cluster(namespace: Namespace) -> Finding:
    what = "cluster"
    try:
        version = namespace.api.read("/version") or {}
        context = connection.current_context()
    except ConfigError as error:
        return Finding(what, False, str(error))
    number = re.match(r"[0-9]+", str(version.get("minor", "")))
    said = f"context {context}, Kubernetes {version.get('gitVersion', 'of an unknown version')}"
    if number is None:
        return Finding(what, None, said)
    if int(number[0]) < _OLDEST and version.get("major") == "1":
        return Finding(what, False, said, f"take a cluster of 1.{_OLDEST} or newer, or upgrade it")
    return Finding(what, True, said)


def _namespace(namespace: Namespace) -> Iterator[Finding]:
    what = f"namespace {namespace.name}"
    found = namespace.api.read(path("v1", "Namespace", name=namespace.name))
    if found is None:
        yield Finding(what, False, "is missing", f"kubectl create namespace {namespace.name}")
    elif ns.is_ending(found):
        yield Finding(what, False, "is being deleted", "wait, or name another namespace")
    else:
        yield Finding(what, True, "is there")


def _permissions(namespace: Namespace, manifests: Sequence[Spec]) -> Iterator[Finding]:
    """Asks the cluster what whoever calls may do; the answer may be no for each."""
    wanted = [
        (verb, group.rpartition("/")[0] if "/" in group else "", f"{kind.lower()}s", "")
        for group, kind in dict.fromkeys((part["apiVersion"], part["kind"]) for part in manifests)
        for verb in ("create", "get", "list", "delete")
    ]
    wanted += [("list", "", "pods", ""), ("get", "", "pods", ""), ("get", "", "pods", "log")]
    wanted += [("list", "", "events", "")]
    lacking: dict[str, list[str]] = {}
    for verb, group, resource, part in wanted:
        asked = {"verb": verb, "group": group, "resource": resource, "namespace": namespace.name}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**asked, "subresource": part}},
        }
        where = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        if not namespace.api.ask(where, body).get("status", {}).get("allowed"):
            name = resource + (f".{group}" if group else "") + (f"/{part}" if part else "")
            lacking.setdefault(verb, []).append(name)
    if not lacking:
        yield Finding("permissions", True, "you may send, follow and cancel jobs")
        return
    said = "; ".join(f"{verb} {', '.join(names)}" for verb, names in lacking.items())
    resources = ",".join(dict.fromkeys(name for names in lacking.values() for name in names))
    role, within = "cxr14-launch", f"--namespace={namespace.name}"
    yield Finding(
        "permissions",
        False,
        f"you may not {said}",
        f"have an administrator run: kubectl create role {role} {within} "
        f"--verb={','.join(lacking)} --resource={resources} && kubectl create rolebinding {role} "
        f"{within} --role={role} --user={_user(namespace)}",
    )


def _user(namespace: Namespace) -> str:
    """Returns what the cluster calls whoever calls."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        found = namespace.api.ask("/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
        return str(found["status"]["userInfo"]["username"])
    except (Refusal, ServiceError, LookupError):
        return "USER"


def _service_account(namespace: Namespace, pod: Spec, cluster: str) -> Iterator[Finding]:
    name = pod.get("serviceAccountName") or "default"
    what = f"service account {name}"
    found = namespace.api.read(path("v1", "ServiceAccount", namespace.name, name))
    if found is None:
        fix = f"kubectl create serviceaccount {name} --namespace={namespace.name}"
        yield Finding(what, False, "is missing: no pod can be made", fix)
    elif "-gke." not in cluster:
        yield Finding(what, True, "is there")
    elif identity := (found["metadata"].get("annotations") or {}).get(_IDENTITY):
        yield Finding(what, True, f"acts as {identity}")
    else:
        yield Finding(
            what,
            None,
            "acts as no account of Google Cloud, which is right where the bucket's role is given "
            "to itself",
            f"else: kubectl annotate serviceaccount {name} --namespace={namespace.name} "
            f"{_IDENTITY}=NAME@PROJECT.iam.gserviceaccount.com",
        )


def _jobset(namespace: Namespace, manifest: Spec) -> Iterator[Finding]:
    if manifest["kind"] != "JobSet":
        return
    found = namespace.api.read(f"/apis/{manifest['apiVersion'].partition('/')[0]}")
    served = [version["groupVersion"] for version in (found or {}).get("versions", [])]
    if manifest["apiVersion"] in served:
        yield Finding("JobSet", True, f"{manifest['apiVersion']} is served")
    else:
        has = f"the cluster serves {', '.join(served)} of it" if served else "is not installed"
        yield Finding("JobSet", False, has, f"kubectl apply --server-side -f {_JOBSET}")


def _queue(namespace: Namespace, manifest: Spec) -> Iterator[Finding]:
    queue = ns.label(manifest, states.QUEUE)
    if not queue:
        return
    what, version = f"queue {queue}", namespace.queue_version()
    if not version:
        yield Finding(what, False, "Kueue is not installed", "install it, or drop kubernetes.queue")
        return
    local = namespace.api.read(path(version, "LocalQueue", namespace.name, queue))
    if local is None:
        yield Finding(
            what,
            False,
            f"the namespace {namespace.name} has no such LocalQueue",
            f"kubectl get localqueues --namespace={namespace.name} shows those it has",
        )
        return
    above = local["spec"]["clusterQueue"]
    for part, thing in (
        (f"LocalQueue {queue}", local),
        (f"ClusterQueue {above}", namespace.api.read(path(version, "ClusterQueue", name=above))),
    ):
        if thing is None or not ns.condition(thing, "Active"):
            kind, name = part.split()
            within = f" --namespace={namespace.name}" if thing is local else ""
            see = f"kubectl describe {kind.lower()} {name}{within}"
            yield Finding(what, False, f"the {part} is not active", f"{see} says why")
            return
    yield Finding(what, True, f"is active, in the ClusterQueue {above}")
    priority = ns.label(manifest, "kueue.x-k8s.io/priority-class")
    where = path(version, "WorkloadPriorityClass", name=priority)
    if priority and namespace.api.read(where) is None:
        see = "kubectl get workloadpriorityclasses shows those there are"
        yield Finding(f"priority {priority}", False, "is missing: the job would never start", see)


def _rehearsal(namespace: Namespace, manifests: Sequence[Spec]) -> Iterator[Finding]:
    """Sends the job and its pod as dry runs: the cluster's own checks, its quotas and webhooks."""
    name = manifests[0]["metadata"]["name"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace.name},
        "spec": ns.pod_spec(manifests[0]),
    }
    for manifest in (*manifests, pod):
        what = f"{manifest['kind']} {manifest['metadata']['name']}"
        where = namespace.path(manifest).rpartition("/")[0]
        try:
            namespace.api.ask(where, manifest, dryRun="All")
        except Refusal as error:
            if error.status == 409:
                yield Finding(what, True, "is there already: submit looks at it first")
            elif "does not support dry run" in error.said:
                yield Finding(what, None, f"the cluster cannot try it: {error.said}")
            elif manifest is not pod:
                yield Finding(what, False, f"the cluster would refuse it: {error.said}")
            elif "cannot create resource" not in error.said:  # the cluster makes it, not the user
                yield Finding(what, False, f"the cluster would make none: {error.said}")
            continue
        yield Finding(what, True, "passes the cluster's own checks")
