# SPDX-License-Identifier: MIT
"""Renders a job as a CustomJobSpec of Vertex AI and sends it.

The names are those of the REST API (google.cloud.aiplatform.v1.CustomJobSpec), so that the rendered
YAML also serves `gcloud ai custom-jobs create --config=FILE`.
"""

from typing import Any

from preprocessing.contract.errors import ConfigError, ServiceError
from preprocessing.contract.files import faults
from trainer.launch import manifests
from trainer.launch.job import Job, Vertex
from trainer.launch.manifests import Spec

LABELS = {"app": "cxr14"}
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_ANSWER_S = 60.0


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

    One request, which is never repeated: a job made twice costs money.

    Args:
        job: the job to send.
        api_endpoint: another server than the region's own; http:// is for a server on this machine
            and is sent no credentials.

    Raises:
        ConfigError: Vertex AI or the credentials refuse the job.
        ServiceError: Vertex AI did not answer; the job may or may not have been made.
    """
    # Imported here because they take half a second that a dry run need not pay.
    import requests
    from google.auth import exceptions

    sent = envelope(job)
    body = {"displayName": sent["displayName"], "labels": sent["labels"], "jobSpec": render(job)}
    address = api_endpoint or f"{section(job).region}-aiplatform.googleapis.com"
    address = address if "://" in address else f"https://{address}"
    try:
        answer = _session(address).post(
            f"{address}/v1/{sent['parent']}/customJobs", json=body, timeout=_ANSWER_S
        )
        said = _message(answer)
        if 400 <= answer.status_code < 500:
            raise ConfigError(f"Vertex AI refused the job: {answer.status_code} {said}")
        answer.raise_for_status()
        return _name(answer.json())
    except exceptions.DefaultCredentialsError as error:
        raise ConfigError(
            f"there are no usable Google Cloud credentials ({faults.line(error)}): run `gcloud "
            "auth application-default login`, or name a key file in GOOGLE_APPLICATION_CREDENTIALS"
        ) from error
    except (exceptions.GoogleAuthError, OSError, ValueError) as error:
        said = said if isinstance(error, requests.HTTPError) else faults.line(error)
        raise ServiceError(
            f"Vertex AI did not answer ({said}): see whether {job.name} is in "
            "`gcloud ai custom-jobs list` before sending it again"
        ) from error


def _session(address: str) -> Any:
    """Returns what sends requests with the credentials of this machine; none in clear text."""
    import google.auth
    import requests
    from google.auth.transport.requests import AuthorizedSession

    if address.startswith("http://"):
        return requests.Session()
    credentials, _ = google.auth.default(scopes=[_SCOPE])
    return AuthorizedSession(credentials)


def _name(made: Any) -> str:
    name = made.get("name") if isinstance(made, dict) else None
    if not (isinstance(name, str) and name):
        raise ValueError("what it sent names no job")
    return name


def _message(answer: Any) -> str:
    """Returns what a service says of a failure, by Google's convention for errors if it can."""
    try:
        return faults.line(answer.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return faults.line(answer.text or answer.reason)
