# SPDX-License-Identifier: MIT
"""Renders a job of several replicas as a JobSet: pods that train together and restart together.

A worker that is taken away ends all others (exit code 75, `distribution.agreement`), so the JobSet
makes all of them again; they find each other by the host names that JobSet gives
(`distribution.cluster`).

JobSet has no time limit over all attempts and no bound on uncounted restarts. The time limit is one
of each attempt and ends the JobSet; the pods learn how often it restarted, and end it for good
after too many (`trainer.distribution.platform_restarts`).
"""

from preprocessing.contract.errors import ConfigError
from trainer.launch import pod
from trainer.launch.job import Job, Kubernetes
from trainer.launch.pod import Spec

API = "jobset.x-k8s.io/v1alpha2"
_WORKER = "worker"
_PORT = 2222
# A part of a host name has at most 63 letters (RFC 1035), and JobSet keeps the six that Kubernetes
# adds to a pod's name within it.
_LONGEST = 57
# A run on spot machines may well be pre-empted dozens of times; a fault that ends every attempt as
# a pre-emption does gets here within hours.
_UNCOUNTED = 100


def render(job: Job, kubernetes: Kubernetes) -> Spec:
    """Returns the JobSet of a job.

    Args:
        job: with more than one replica.
        kubernetes: its section of that name.

    Raises:
        ConfigError: the job's name is too long for the host names of its pods.
    """
    host = f"{job.name}-{_WORKER}-0-{job.replicas - 1}"
    if len(host) > _LONGEST:
        raise ConfigError(
            f"name is {job.name!r}, but the host {host} would have a name of {len(host)} "
            f"characters, and JobSet takes {_LONGEST}; choose a shorter name"
        )
    # The child Job: one pod a worker; the first that fails fails it.
    workers = pod.job_spec(job, kubernetes, on_stop="FailJob", restarts=0, env=_environment(job))
    return {
        "apiVersion": API,
        "kind": "JobSet",
        "metadata": pod.metadata(job, kubernetes),
        "spec": {
            # Workers look each other up before any of them is ready.
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "failurePolicy": {
                "maxRestarts": job.restarts,
                # Never two generations of workers on one checkpoint folder.
                "restartStrategy": "BlockingRecreate",
                "rules": _restart_rules(),
            },
            "replicatedJobs": [
                {
                    "name": _WORKER,
                    "replicas": 1,
                    "template": {"spec": {"completionMode": "Indexed", **workers}},
                }
            ],
        },
    }


def _environment(job: Job) -> list[Spec]:
    """What `trainer.distribution.cluster` and `trainer.distribution.platform_restarts` read.

    JOB_COMPLETION_INDEX comes from Kubernetes itself, the annotations from JobSet.
    """
    return [
        {"name": "CXR14_WORKERS", "value": str(job.replicas)},
        {"name": "CXR14_PORT", "value": str(_PORT)},
        {"name": "CXR14_MOST_RESTARTS", "value": str(job.restarts + _UNCOUNTED)},
        _from_annotation("CXR14_RESTARTS", "restart-attempt"),
        _from_annotation("JOBSET_NAME", "jobset-name"),
    ]


def _from_annotation(name: str, key: str) -> Spec:
    path = f"metadata.annotations['jobset.sigs.k8s.io/{key}']"
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _restart_rules() -> list[Spec]:
    """Whether all start again; the first match wins, and what matches none counts as a restart.

    The pattern is of the message that the Job controller of Kubernetes writes.
    """
    return [
        {
            "name": "hopeless",
            "action": "FailJobSet",
            "onJobFailureReasons": ["PodFailurePolicy"],
            "onJobFailureMessagePatterns": [".*matching FailJob rule at index 0$"],
        },
        {
            # Without this rule the next attempt would get the whole time again.
            "name": "deadline",
            "action": "FailJobSet",
            "onJobFailureReasons": ["DeadlineExceeded"],
        },
        {
            # Pre-empted, or stopped after saving: not a fault of the program, and it goes on.
            "name": "disruption",
            "action": "RestartJobSetAndIgnoreMaxRestarts",
            "onJobFailureReasons": ["PodFailurePolicy"],
        },
    ]
