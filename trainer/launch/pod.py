# SPDX-License-Identifier: MIT
"""The Job of Kubernetes that trains, alone or as part of a JobSet, and the pod that it makes."""

from collections.abc import Sequence
from typing import Any

from preprocessing.contract.errors import ConfigError, DataError, StoppedError, UsageError
from trainer.launch.job import Job, Kubernetes

Spec = dict[str, Any]

CONTAINER = "trainer"
LABELS = {"app.kubernetes.io/name": "cxr14", "app.kubernetes.io/component": "trainer"}
# Wrong input stays wrong: a run that ends with one of these is not tried again. 75 (stopped, or a
# peer was) is free; everything else, such as 74 (disk full, no memory), counts as a restart.
HOPELESS = sorted(error.exit_code for error in (UsageError, DataError, ConfigError))

# The image's user; the volumes must belong to it.
_USER = 10001


def metadata(job: Job, kubernetes: Kubernetes) -> Spec:
    """Returns the metadata of what is made for a job."""
    labels = {**LABELS, **job.labels}
    return {"name": job.name, "namespace": kubernetes.namespace, "labels": labels}


def job_spec(
    job: Job, kubernetes: Kubernetes, *, on_stop: str, restarts: int, env: Sequence[Spec] = ()
) -> Spec:
    """Returns the spec of a batch/v1 Job with one pod for each replica.

    Args:
        job: what runs in the pods.
        kubernetes: the job's section of that name.
        on_stop: action of the failure rules where a pod was taken away, or stopped after saving.
        restarts: how many failed pods are replaced.
        env: variables that the platform decides, before the job's own.
    """
    return {
        "completions": job.replicas,
        "parallelism": job.replicas,
        "activeDeadlineSeconds": job.timeout_seconds,
        "backoffLimit": restarts,
        # Never two writers on one checkpoint folder: the next pod waits for the last to end.
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": _failure_rules(on_stop)},
        "template": {
            "metadata": {"labels": {**LABELS, **job.labels}},
            "spec": _pod(job, kubernetes, env),
        },
    }


def _failure_rules(on_stop: str) -> list[Spec]:
    """Decides by exit code and cause what a failed pod means; the first match wins.

    Whatever matches none, as a crash or 74 for a full disk, counts against backoffLimit. A JobSet
    tells the rules apart by their order.
    """
    return [
        {"action": "FailJob", "onExitCodes": _on_exit_codes(HOPELESS)},
        {
            # Preempted, drained or evicted: not a fault of the program, and it resumes.
            "action": on_stop,
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
        {"action": on_stop, "onExitCodes": _on_exit_codes([StoppedError.exit_code])},
    ]


def _on_exit_codes(codes: list[int]) -> Spec:
    return {"containerName": CONTAINER, "operator": "In", "values": codes}


def _pod(job: Job, kubernetes: Kubernetes, env: Sequence[Spec]) -> Spec:
    pod: Spec = {
        "restartPolicy": "Never",  # what podFailurePolicy requires
        "terminationGracePeriodSeconds": kubernetes.grace_seconds,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if kubernetes.service_account is not None:
        pod["serviceAccountName"] = kubernetes.service_account
    if selector := _node_selector(job, kubernetes):
        pod["nodeSelector"] = selector
    if tolerations := _tolerations(job):
        pod["tolerations"] = tolerations
    pod["containers"] = [_container(job, kubernetes, env)]
    pod["volumes"] = [
        {"name": "tmp", "emptyDir": {"sizeLimit": kubernetes.scratch}},
        {
            "name": "shared-memory",
            "emptyDir": {"medium": "Memory", "sizeLimit": kubernetes.shared_memory},
        },
    ]
    return pod


def _container(job: Job, kubernetes: Kubernetes, env: Sequence[Spec]) -> Spec:
    limits: dict[str, str] = {"memory": kubernetes.memory}
    if job.accelerator is not None:
        limits["nvidia.com/gpu"] = str(job.accelerator.count)
    container: Spec = {
        "name": CONTAINER,
        "image": job.image,
        "args": job.arguments(),
        "resources": {
            "requests": {"cpu": kubernetes.cpu, "memory": kubernetes.memory},
            "limits": limits,
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "shared-memory", "mountPath": "/dev/shm"},
        ],
    }
    own = [{"name": name, "value": value} for name, value in job.env.items()]
    if env or own:
        container["env"] = [*env, *own]
    return container


def _node_selector(job: Job, kubernetes: Kubernetes) -> dict[str, str]:
    selector = dict(kubernetes.node_selector)
    if job.machine_type is not None:
        selector["node.kubernetes.io/instance-type"] = job.machine_type
    if job.spot:
        selector["cloud.google.com/gke-spot"] = "true"
    return selector


def _tolerations(job: Job) -> list[Spec]:
    """Lets the pod onto nodes that others are kept off: those with GPUs, and GKE's spot nodes."""
    tolerations: list[Spec] = []
    if job.accelerator is not None:
        tolerations.append({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"})
    if job.spot:
        tolerations.append(
            {
                "key": "cloud.google.com/gke-spot",
                "operator": "Equal",
                "value": "true",
                "effect": "NoSchedule",
            }
        )
    return tolerations
