# SPDX-License-Identifier: MIT
"""Renders a job as a CustomJobSpec of Vertex AI and sends it.

The names are those of the REST API (google.cloud.aiplatform.v1.CustomJobSpec), so that the rendered
YAML also serves `gcloud ai custom-jobs create --config=FILE`.
"""

from typing import Any

from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.files import faults
from trainer.launch import manifests
from trainer.launch.job import Job, Vertex
from trainer.launch.manifests import Spec
from trainer.launch.service import VERTEX_PACKAGES, ServiceError, installing

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
        "labels": {**LABELS, **job.labels},
    }


def submit(job: Job, *, api_endpoint: str | None = None) -> str:
    """Sends a job to Vertex AI and returns its resource name, projects/P/locations/R/customJobs/N.

    Args:
        job: the job to send.
        api_endpoint: another server than the region's own; http:// is for a server on this machine
            and is sent no credentials.

    Raises:
        UsageError: google-cloud-aiplatform is not installed.
        ConfigError: Vertex AI or the credentials refuse the job.
        ServiceError: Vertex AI did not answer; the job may or may not have been made.
    """
    try:
        from google.api_core import exceptions
        from google.auth import exceptions as auth_exceptions
        from google.cloud import aiplatform_v1
        from google.protobuf import json_format
    except ImportError as error:
        raise UsageError(
            f"sending a job to Vertex AI needs more packages ({error}): "
            f"{installing(VERTEX_PACKAGES)}"
        ) from error
    message = _message(job, aiplatform_v1.CustomJob.pb()(), json_format)
    try:
        client = _client(aiplatform_v1, section(job).region, api_endpoint)
        made = client.create_custom_job(
            parent=envelope(job)["parent"], custom_job=aiplatform_v1.CustomJob.wrap(message)
        )
    except auth_exceptions.DefaultCredentialsError as error:
        raise ConfigError(
            f"there are no usable Google Cloud credentials ({faults.line(error)}): run `gcloud "
            "auth application-default login`, or name a key file in GOOGLE_APPLICATION_CREDENTIALS"
        ) from error
    except exceptions.ClientError as error:
        raise ConfigError(f"Vertex AI refused the job: {faults.line(error)}") from error
    except (exceptions.GoogleAPICallError, auth_exceptions.GoogleAuthError, OSError) as error:
        raise ServiceError(
            f"Vertex AI did not answer ({faults.line(error)}): see whether {job.name} is in "
            "`gcloud ai custom-jobs list` before sending it again"
        ) from error
    return str(made.name)


def _message(job: Job, empty: Any, json_format: Any) -> Any:
    """Fills a CustomJob message with a job; the parser knows every key and enumeration."""
    sent = envelope(job)
    values = {"displayName": sent["displayName"], "labels": sent["labels"], "jobSpec": render(job)}
    try:
        return json_format.ParseDict(values, empty)
    except json_format.ParseError as error:
        raise ConfigError(f"Vertex AI has no such setting: {faults.line(error)}") from error


def _client(aiplatform_v1: Any, region: str, api_endpoint: str | None) -> Any:
    """Connects over REST, which passes proxies and can be answered by a server on this machine."""
    options = {"api_endpoint": api_endpoint or f"{region}-aiplatform.googleapis.com"}
    if api_endpoint is not None and api_endpoint.startswith("http://"):
        from google.auth import credentials

        return aiplatform_v1.JobServiceClient(
            transport="rest",
            client_options=options,
            credentials=credentials.AnonymousCredentials(),
        )
    return aiplatform_v1.JobServiceClient(transport="rest", client_options=options)
