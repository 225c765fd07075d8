# SPDX-License-Identifier: MIT
"""The pod that trains, as a Job and a JobSet of Kubernetes have it: what it may, needs and gets."""

from typing import Any

from preprocessing.contract.errors import ConfigError, DataError, UsageError
from trainer.launch.job import Job, Kubernetes

Spec = dict[str, Any]

CONTAINER = "trainer"
LABELS = {"app.kubernetes.io/name": "cxr14", "app.kubernetes.io/component": "trainer"}
# Wrong input stays wrong: a run that ends with one of these is not tried again. 75 (stopped, or a
# peer was) is free; everything else, such as 74 (disk full, no memory), counts as a restart.
HOPELESS = sorted(error.exit_code for error in (UsageError, DataError, ConfigError))

# The image's user; the volumes must belong to it.
_USER = 10001


def on_exit_codes(codes: list[int]) -> Spec:
    """Returns the condition of a failure rule that the trainer ended with one of some codes."""
    return {"containerName": CONTAINER, "operator": "In", "values": codes}


def spec(job: Job, kubernetes: Kubernetes, env: list[Spec] | None = None) -> Spec:
    """Returns the spec of a pod.

    Args:
        job: what runs in it.
        kubernetes: the job's section of that name.
        env: variables that the platform decides, before the job's own.
    """
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
    pod["containers"] = [_container(job, kubernetes, env or [])]
    pod["volumes"] = [
        {"name": "tmp", "emptyDir": {"sizeLimit": kubernetes.scratch}},
        {
            "name": "shared-memory",
            "emptyDir": {"medium": "Memory", "sizeLimit": kubernetes.shared_memory},
        },
    ]
    return pod


def _container(job: Job, kubernetes: Kubernetes, env: list[Spec]) -> Spec:
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
