# SPDX-License-Identifier: MIT
"""Renders a job for Kubernetes (1.33 or newer): a Job, or a JobSet of several pods.

The rendered YAML also serves `kubectl create -f -`. A worker that is taken away ends all others
(exit code 75, `distribution.agreement`), so the JobSet makes all of them again; they find each
other by the host names that JobSet gives (`distribution.cluster`).

JobSet has no time limit over all attempts and no bound on uncounted restarts. The time limit is one
of each attempt and ends the JobSet; the pods learn how often it restarted, and end it for good
after too many (`trainer.training.starts`).
"""

from preprocessing.contract.errors import (
    ConfigError,
    DataError,
    StoppedError,
    UsageError,
)
from trainer.launch import manifests, platform
from trainer.launch.description.job import Job
from trainer.launch.description.kubernetes import Kubernetes
from trainer.launch.manifests import Spec

LABELS = {"app.kubernetes.io/name": "cxr14", "app.kubernetes.io/component": "trainer"}
# Wrong input stays wrong: a run that ends with one of these is not tried again. 75 (stopped, or a
# peer was) is free; everything else, such as 74 (disk full, no memory), counts as a restart.
HOPELESS = sorted(error.exit_code for error in (UsageError, DataError, ConfigError))

JOBSET = "jobset.x-k8s.io/v1alpha2"
_WORKER = "worker"
# A part of a host name has at most 63 letters (RFC 1035), and JobSet keeps the six that Kubernetes
# adds to a pod's name within it.
_LONGEST = 57
# A run on spot machines may well be preempted dozens of times; a fault that ends every attempt as
# a preemption does gets here within hours.
_UNCOUNTED = 100


def render(job: Job) -> Spec:
    """Returns the batch/v1 Job of a job, or with several replicas its JobSet.

    Raises:
        ConfigError: the job has no section for Kubernetes, or a name too long for its pods.
    """
    if job.kubernetes is None:
        raise ConfigError("kubernetes is missing: the section names the namespace and the memory")
    alone = job.replicas == 1
    labels = {**LABELS, **job.labels, **platform.labels(job, "train", job.output)}
    spec = manifests.fill(
        "job",
        job=job,
        kubernetes=job.kubernetes,
        labels=labels,
        nodes=_node_selector(job, job.kubernetes),
        hopeless=HOPELESS,
        stopped=StoppedError.exit_code,
        uncounted=_UNCOUNTED,
    )
    if not alone:
        _check_host_names(job)
        spec = manifests.fill("jobset", restarts=job.restarts, worker=_WORKER, workers=spec)
    return {
        "apiVersion": "batch/v1" if alone else JOBSET,
        "kind": "Job" if alone else "JobSet",
        "metadata": {"name": job.name, "namespace": job.kubernetes.namespace, "labels": labels},
        "spec": spec,
    }


def _node_selector(job: Job, kubernetes: Kubernetes) -> dict[str, str]:
    selector = dict(kubernetes.node_selector)
    if job.machine_type is not None:
        selector["node.kubernetes.io/instance-type"] = job.machine_type
    if job.spot:
        selector["cloud.google.com/gke-spot"] = "true"
    return selector


def _check_host_names(job: Job) -> None:
    host = f"{job.name}-{_WORKER}-0-{job.replicas - 1}"
    if len(host) > _LONGEST:
        raise ConfigError(
            f"name is {job.name!r}, but the host {host} would have a name of {len(host)} "
            f"characters, and JobSet takes {_LONGEST}; choose a shorter name"
        )
