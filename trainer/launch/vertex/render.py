# SPDX-License-Identifier: MIT
"""Renders a job as a CustomJobSpec of Vertex AI.

The names are those of the REST API (google.cloud.aiplatform.v1.CustomJobSpec), so that the rendered
YAML also serves `gcloud ai custom-jobs create --config=FILE`.
"""

from preprocessing.contract.errors import ConfigError
from trainer.launch import manifests, platform
from trainer.launch.description.job import Job
from trainer.launch.description.vertex import Vertex
from trainer.launch.manifests import Spec

LABELS = {"app": "cxr14"}


def render(job: Job) -> Spec:
    """Returns the CustomJobSpec of a job.

    Raises:
        ConfigError: the job lacks what Vertex AI needs.
    """
    vertex = section(job)
    if job.machine_type is None:
        raise ConfigError("machine_type is missing, and Vertex AI cannot do without it")
    if not job.output.startswith("gs://"):
        raise ConfigError(f"output is {job.output!r}, but Vertex AI writes to gs:// only")
    return manifests.fill("vertex", job=job, vertex=vertex)


def section(job: Job) -> Vertex:
    """Returns the job's `vertex` section.

    Raises:
        ConfigError: it has none.
    """
    if job.vertex is None:
        raise ConfigError("vertex is missing: the section names the project and the region")
    return job.vertex


def envelope(job: Job) -> Spec:
    """Returns what is sent beside the CustomJobSpec: where to, and the job's name and labels."""
    vertex = section(job)
    return {
        "parent": f"projects/{vertex.project}/locations/{vertex.region}",
        "displayName": job.name,
        "labels": {**LABELS, **job.labels, **platform.labels(job, "train", job.output)},
    }
