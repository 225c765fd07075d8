# SPDX-License-Identifier: MIT
"""Looks at whether a pod fits the nodes, the quotas and the limits of a cluster."""

from collections.abc import Iterator
from decimal import Decimal

from trainer.launch.kubernetes import namespace as ns
from trainer.launch.kubernetes import service
from trainer.launch.kubernetes.namespace import Namespace, path
from trainer.launch.manifests import Spec
from trainer.launch.platform import Finding

_KEEP_OFF = ("NoSchedule", "NoExecute")


def findings(namespace: Namespace, pod: Spec) -> Iterator[Finding]:
    """Yields whether there are nodes for a pod now; an autoscaler may make others."""
    selector = pod.get("nodeSelector") or {}
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    found = namespace.api.every(path("v1", "Node"), labelSelector=labels or None)
    wanted, what = _asked(pod), f"nodes with {labels}" if labels else "nodes"
    if not found:
        yield Finding(
            what,
            None,
            "there are none now, which is right where an autoscaler makes them",
            "else: kubectl get nodes --show-labels shows what there is",
        )
        return
    open_ = [node for node in found if _is_open(node, pod.get("tolerations") or [])]
    fitting = [node for node in open_ if not _lacking(node, wanted)]
    if fitting:
        yield Finding(what, True, f"{len(fitting)} of {len(found)} can take a pod of this job")
    elif not open_:
        taints = sorted({taint["key"] for node in found for taint in _taints(node)})
        yield Finding(
            what,
            False if labels else None,
            f"all {len(found)} keep this pod off by taints ({', '.join(taints)})",
            "add kubernetes.tolerations, or select others",
        )
    else:
        best = min((_lacking(node, wanted) for node in open_), key=len)
        fix = "lower it, or select larger nodes"
        if any("/" in name for name in best):
            fix = "see whether the driver and the device plugin run there, or select other nodes"
        yield Finding(
            what,
            False if labels else None,
            f"none of {len(found)} is large enough: {'; '.join(best.values())}",
            fix,
        )


def quotas(namespace: Namespace, manifest: Spec) -> Iterator[Finding]:
    """Yields whether the namespace's quotas and limits leave room for a job; none if it has any."""
    pod, count = ns.pod_spec(manifest), ns.pods_at_once(manifest)
    asked = _asked(pod)
    limits = _amounts(pod["containers"][0].get("resources", {}).get("limits") or {})
    total = {f"requests.{key}": value * count for key, value in asked.items()}
    total |= {key: value * count for key, value in asked.items() if "/" not in key}
    total |= {f"limits.{key}": value * count for key, value in limits.items()}
    total["pods"] = Decimal(count)
    defaults = _defaults(namespace)
    for quota in namespace.api.every(path("v1", "ResourceQuota", namespace.name)):
        if quota["spec"].get("scopes") or quota["spec"].get("scopeSelector"):
            continue  # it is for some pods, and need not be for these
        yield _quota(namespace, quota, total, defaults)


def _quota(namespace: Namespace, quota: Spec, total: dict[str, Decimal], defaults: Spec) -> Finding:
    name = quota["metadata"]["name"]
    hard = _amounts(quota.get("status", {}).get("hard") or quota["spec"].get("hard") or {})
    used = _amounts(quota.get("status", {}).get("used") or {})
    what, see = f"quota {name}", f"kubectl describe quota {name} --namespace={namespace.name}"
    for key, most in hard.items():
        kind, _, resource = key.rpartition(".")
        if kind == "limits" and key not in total and resource not in defaults:
            said = f"it takes no pod without a limit of {resource}, which this job does not set"
            return Finding(what, False, said, "have a LimitRange with a default made for it")
        asked = total.get(key, Decimal(0))
        if not asked:
            continue
        if asked > most:
            said = f"the job asks for {asked:f} {key}, and it allows {most:f}"
            return Finding(what, False, said, f"ask for less, or for more quota; {see}")
        if asked + used.get(key, Decimal(0)) > most:
            said = f"{used[key]:f} of {most:f} {key} are in use, and the job asks for {asked:f}"
            return Finding(what, None, said, f"it waits until others end; {see}")
    return Finding(what, True, "has room for the job")


def _defaults(namespace: Namespace) -> Spec:
    """Returns the limits that containers get which set none."""
    found: Spec = {}
    for limits in namespace.api.every(path("v1", "LimitRange", namespace.name)):
        for entry in limits["spec"].get("limits") or []:
            if entry["type"] == "Container":
                found |= entry.get("default") or {}
    return found


def _asked(pod: Spec) -> dict[str, Decimal]:
    """Returns what a pod's containers request; a limit alone is a request too."""
    asked: dict[str, Decimal] = {}
    for container in pod["containers"]:
        resources = container.get("resources", {})
        both = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        for key, value in _amounts(both).items():
            asked[key] = asked.get(key, Decimal(0)) + value
    return asked


def _amounts(quantities: Spec) -> dict[str, Decimal]:
    return {key: service.quantity(value) for key, value in quantities.items()}


def _lacking(node: Spec, wanted: dict[str, Decimal]) -> dict[str, str]:
    """Returns what a node cannot give even when it is empty, in words."""
    has = _amounts(node.get("status", {}).get("allocatable") or {})
    return {
        key: f"the job asks for {value:f} {key}, and the largest has {has.get(key, Decimal(0)):f}"
        for key, value in wanted.items()
        if value > has.get(key, Decimal(0))
    }


def _taints(node: Spec) -> list[Spec]:
    return [
        taint
        for taint in node.get("spec", {}).get("taints") or []
        if taint.get("effect") in _KEEP_OFF
    ]


def _is_open(node: Spec, tolerations: list[Spec]) -> bool:
    return not node.get("spec", {}).get("unschedulable") and all(
        any(_tolerates(toleration, taint) for toleration in tolerations) for taint in _taints(node)
    )


def _tolerates(toleration: Spec, taint: Spec) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("value", "") == taint.get("value", ""))
