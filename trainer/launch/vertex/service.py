# SPDX-License-Identifier: MIT
"""Talks to the REST API of Vertex AI."""

from typing import Any

from preprocessing.contract.errors import ConfigError, ServiceError
from preprocessing.contract.files import faults
from trainer.launch.description.job import Job
from trainer.launch.manifests import Spec
from trainer.launch.vertex import render

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_ANSWER_S = 60.0


def create(job: Job, spec: Spec, *, api_endpoint: str | None = None) -> str:
    """Sends a job to Vertex AI and returns its resource name, projects/P/locations/R/customJobs/N.

    One request, which is never repeated: a job made twice costs money.

    Args:
        job: the job to send.
        spec: what it is to Vertex AI.
        api_endpoint: another server than the region's own; http:// is for a server on this machine
            and is sent no credentials.

    Raises:
        ConfigError: Vertex AI or the credentials refuse the job.
        ServiceError: Vertex AI did not answer; the job may or may not have been made.
    """
    # Imported here because they take half a second that a dry run need not pay.
    import requests
    from google.auth import exceptions

    sent = render.envelope(job)
    body = {"displayName": sent["displayName"], "labels": sent["labels"], "jobSpec": spec}
    address = api_endpoint or f"{render.section(job).region}-aiplatform.googleapis.com"
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
