# SPDX-License-Identifier: MIT
"""What all objects of a job in a cluster are called, and how they are labelled."""

from typing import Any

from preprocessing.contract.errors import ConfigError
from trainer.launch import platform
from trainer.launch.description.job import Job
from trainer.launch.description.kubernetes import Kubernetes

LABELS = {"app.kubernetes.io/name": "cxr14"}
_LONGEST = 63


def name(job: Job, stage: str) -> str:
    """Returns the name of a stage's object: training's is the job's own.

    Raises:
        ConfigError: the job's name is too long for it.
    """
    made = job.name if stage == "train" else f"{job.name}-{stage}"
    if len(made) > _LONGEST:
        raise ConfigError(
            f"name is {job.name!r}, but {made} would have {len(made)} characters, and Kubernetes "
            f"takes {_LONGEST}; choose a shorter name"
        )
    return made


def labels(job: Job, stage: str, component: str) -> dict[str, str]:
    """Returns the labels of a stage's objects."""
    own = {**LABELS, "app.kubernetes.io/component": component}
    return {**own, **job.labels, **platform.labels(job, stage, job.output_of(stage))}


def metadata(
    job: Job, kubernetes: Kubernetes, stage: str, labels: dict[str, str]
) -> dict[str, Any]:
    """Returns the metadata of an object of a stage. Raises ConfigError: see `name`."""
    return {"name": name(job, stage), "namespace": kubernetes.namespace, "labels": labels}


def pod_metadata(kubernetes: Kubernetes, labels: dict[str, str]) -> dict[str, Any]:
    """Returns the metadata of a stage's pods."""
    if any(one.bucket is not None for one in kubernetes.volumes):
        # By this GKE adds the container that shows a bucket as files.
        return {"labels": labels, "annotations": {"gke-gcsfuse/volumes": "true"}}
    return {"labels": labels}
