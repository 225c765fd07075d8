# SPDX-License-Identifier: MIT
"""Renders a job as a batch/v1 Job of Kubernetes (1.33 or newer) and sends it.

The rendered YAML also serves `kubectl create -f -`.
"""

from typing import Any

from preprocessing.contract.errors import (
    ConfigError,
    DataError,
    StoppedError,
    UsageError,
)
from trainer.launch.job import Job, Kubernetes
from trainer.launch.service import ServiceError, first_line

Spec = dict[str, Any]

CONTAINER = "trainer"
LABELS = {"app.kubernetes.io/name": "cxr14", "app.kubernetes.io/component": "trainer"}

# The image's user; the volumes must belong to it.
_USER = 10001


def render(job: Job) -> Spec:
    """Returns the batch/v1 Job of a job.

    Raises:
        ConfigError: the job is not one that a single pod can run.
    """
    kubernetes = section(job)
    if job.replicas != 1:
        raise ConfigError(
            f"replicas is {job.replicas}, but a Kubernetes Job trains in one pod; set it to 1 and "
            "give the pod more GPUs with accelerator.count, or launch on Vertex AI"
        )
    labels = {**LABELS, **job.labels}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job.name, "namespace": kubernetes.namespace, "labels": labels},
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": job.timeout_seconds,
            "backoffLimit": job.restarts,
            # Never two writers on one checkpoint folder: the next pod waits for the last to end.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            "template": {"metadata": {"labels": labels}, "spec": _pod(job, kubernetes)},
        },
    }


def section(job: Job) -> Kubernetes:
    """Returns the job's `kubernetes` section.

    Raises:
        ConfigError: it has none.
    """
    if job.kubernetes is None:
        raise ConfigError("kubernetes is missing: the section names the namespace and the memory")
    return job.kubernetes


def submit(job: Job) -> str:
    """Makes the Job in the cluster of the current kubectl context; returns NAMESPACE/NAME.

    Raises:
        UsageError: the Python client of Kubernetes is not installed.
        ConfigError: there is no cluster configured, or it refuses the Job.
        ServiceError: the cluster did not answer; the Job may or may not have been made.
    """
    try:
        import urllib3
        from kubernetes import client, config
    except ImportError as error:
        raise UsageError(
            f"sending a job to Kubernetes needs more packages ({error}): "
            "pip install 'cxr14[launch]', or pipe what --dry_run prints into `kubectl create -f -`"
        ) from error
    manifest = render(job)
    where = f"{manifest['metadata']['namespace']}/{job.name}"
    try:
        with config.new_client_from_config() as connection:
            api = client.BatchV1Api(connection)
            api.create_namespaced_job(manifest["metadata"]["namespace"], manifest)
    except config.ConfigException as error:
        raise ConfigError(f"kubectl has no usable context: {first_line(error)}") from error
    except client.ApiException as error:
        _explain(error, where)
    except urllib3.exceptions.HTTPError as error:
        raise ServiceError(
            f"the cluster did not answer ({first_line(error)}): see whether {where} is there with "
            "`kubectl get jobs` before sending it again"
        ) from error
    return where


def _explain(error: Any, where: str) -> None:
    """Raises what an answer other than success means; the Job was not made."""
    if error.status == 409:
        raise ConfigError(
            f"there is a Job {where} already: change name, or delete it to resume its run"
        ) from error
    said = first_line(error.body or error.reason)
    if 400 <= error.status < 500:
        raise ConfigError(f"the cluster refused the Job {where}: {said}") from error
    raise ServiceError(f"the cluster failed to make the Job {where}: {said}") from error


def _failure_rules() -> list[Spec]:
    """Decides by exit code and cause whether a failed pod is tried again; the first match wins.

    Whatever matches none, a crash or running out of memory, counts against backoffLimit.
    """
    hopeless = sorted(error.exit_code for error in (UsageError, DataError, ConfigError))
    return [
        {"action": "FailJob", "onExitCodes": _exit_codes(hopeless)},
        {
            # Preempted, drained or evicted: no fault of the program, and it resumes.
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
        {"action": "Ignore", "onExitCodes": _exit_codes([StoppedError.exit_code])},
    ]


def _exit_codes(codes: list[int]) -> Spec:
    return {"containerName": CONTAINER, "operator": "In", "values": codes}


def _pod(job: Job, kubernetes: Kubernetes) -> Spec:
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
    pod["containers"] = [_container(job, kubernetes)]
    pod["volumes"] = [
        {"name": "tmp", "emptyDir": {"sizeLimit": kubernetes.scratch}},
        {
            "name": "shared-memory",
            "emptyDir": {"medium": "Memory", "sizeLimit": kubernetes.shared_memory},
        },
    ]
    return pod


def _container(job: Job, kubernetes: Kubernetes) -> Spec:
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
    if job.env:
        container["env"] = [{"name": name, "value": value} for name, value in job.env.items()]
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
