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
    RequirementError,
    StoppedError,
    UsageError,
)
from trainer.launch import manifests
from trainer.launch.description.job import Job
from trainer.launch.description.kubernetes import Kubernetes
from trainer.launch.kubernetes import objects, serving
from trainer.launch.kubernetes import work as works
from trainer.launch.kubernetes.work import Work
from trainer.launch.manifests import Spec

# Wrong input stays wrong, a report as it is: what ends with one of these is not tried again. 75
# (stopped, or a peer was) is free; all else, such as 74 (disk full, no memory), counts as restart.
_HOPELESS = (RequirementError, UsageError, DataError, ConfigError)
HOPELESS = sorted(error.exit_code for error in _HOPELESS)

JOBSET = "jobset.x-k8s.io/v1alpha2"
_WORKER = "worker"
# A part of a host name has at most 63 letters (RFC 1035), and JobSet keeps the six that Kubernetes
# adds to a pod's name within it.
_LONGEST = 57
# A run on spot machines may well be preempted dozens of times; a fault that ends every attempt as
# a preemption does gets here within hours.
_UNCOUNTED = 100


def render(job: Job, stage: str = "train") -> Spec:
    """Returns what a stage of a job is to a cluster.

    That is a batch/v1 Job, with several replicas a JobSet, or for serving a List of a Deployment
    and its Service.

    Raises:
        ConfigError: the job lacks the section for Kubernetes or that of the stage, or has a name
            too long for its pods.
        UsageError: a cluster has no such stage.
    """
    if job.kubernetes is None:
        raise ConfigError("kubernetes is missing: the section names the namespace and the memory")
    if stage == "tune":
        raise UsageError("--stage=tune is for vertex: a cluster has no search over settings")
    if stage == "serve":
        return serving.render(job, job.kubernetes)
    work = works.of(job, job.kubernetes, stage)
    alone = work.workers == 1
    labels = objects.labels(job, stage, work.component)
    spec = _spec(job, job.kubernetes, work, labels)
    if not alone:
        _check_host_names(job)
        spec = manifests.fill(
            "jobset", job=job, kubernetes=job.kubernetes, worker=_WORKER, workers=spec
        )
    metadata = objects.metadata(job, job.kubernetes, stage, {**labels, **_queue(job.kubernetes)})
    kind, version = ("Job", "batch/v1") if alone else ("JobSet", JOBSET)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _spec(job: Job, kubernetes: Kubernetes, work: Work, labels: dict[str, str]) -> Spec:
    pod = manifests.fill(
        "pod",
        job=job,
        kubernetes=kubernetes,
        work=work,
        tolerations=works.tolerations(job, kubernetes, work),
        uncounted=_UNCOUNTED,
    )
    return manifests.fill(
        "job",
        job=job,
        kubernetes=kubernetes,
        work=work,
        hopeless=HOPELESS,
        stopped=StoppedError.exit_code,
        pods={"metadata": objects.pod_metadata(kubernetes, labels), "spec": pod},
    )


def _queue(kubernetes: Kubernetes) -> dict[str, str]:
    """Returns the labels by which Kueue knows a job, also where they are not the pods'."""
    found = {"queue-name": kubernetes.queue, "priority-class": kubernetes.queue_priority}
    return {f"kueue.x-k8s.io/{key}": value for key, value in found.items() if value is not None}


def _check_host_names(job: Job) -> None:
    host = f"{job.name}-{_WORKER}-0-{job.replicas - 1}"
    if len(host) > _LONGEST:
        raise ConfigError(
            f"name is {job.name!r}, but the host {host} would have a name of {len(host)} "
            f"characters, and JobSet takes {_LONGEST}; choose a shorter name"
        )
