# SPDX-License-Identifier: MIT
"""Registers what a run has exported in the model registry of Vertex AI, once."""

import time

from preprocessing.contract.errors import ConfigError, ServiceError
from preprocessing.contract.files import faults, patience
from trainer.launch import platform
from trainer.launch.description import placeholders
from trainer.launch.description import serve as section
from trainer.launch.description.serve import Serve
from trainer.launch.manifests import Spec
from trainer.launch.vertex import service
from trainer.launch.vertex.exported import MOST_LABELS, Exported
from trainer.launch.vertex.refusals import RefusedError
from trainer.launch.vertex.service import Google

# Serves SavedModels by the contract of Vertex AI; of its own images the newest with TensorFlow.
IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
# Label of a version: the report of its network, of which the first digits are an alias.
_REPORT = "cxr14-report"
# On which a container is asked for answers by Vertex AI, as it says itself in AIP_HTTP_PORT.
_PORT = 8080
POLL_S = 5.0
_DIGITS = 32
# Vertex AI copies the model, of about 100 MB.
_LONGEST_S = 1800.0


def container(image: str | None, serve: Serve | None) -> Spec:
    """Returns what serves a model, a ModelContainerSpec.

    Args:
        image: that counts over the job file's.
        serve: the job file's section, if there is one.

    Raises:
        ConfigError: the image's name is still to be filled in.
    """
    if serve is None or not serve.is_own:
        return {"imageUri": image or IMAGE}
    if words := ", ".join(placeholders.find(image or serve.server_image)):
        raise ConfigError(f"serve.image holds {words}: replace that by your own")
    return {
        "imageUri": image or serve.server_image,
        "predictRoute": section.PREDICT,
        "healthRoute": section.READY,
        "ports": [{"containerPort": _PORT}],
    }


def register(
    google: Google, name: str, labels: dict[str, str], exported: Exported, container: Spec
) -> tuple[str, bool]:
    """Registers an export as a model, or as the next version of the model of that name.

    Args:
        google: where to.
        name: of the job; models are found by it.
        labels: of the job.
        exported: what to register.
        container: what serves it, as `container` says.

    Returns:
        The version's name, projects/P/locations/R/models/M@V, and whether it is new; a version of
        the same report is not.

    Raises:
        RefusedError: Vertex AI does not take it.
        ServiceError: there was no answer, or the registration took too long.
    """
    mark = exported.digest[:_DIGITS]
    body = {
        "displayName": name,
        "description": f"cxr14 {name}: findings in chest radiographs",
        "versionDescription": exported.words,
        "versionAliases": [f"report-{mark[:12]}"],
        "artifactUri": exported.folder,
        "containerSpec": container,
        "labels": _labels({**labels, platform.NAME: name, _REPORT: mark}, exported.labels),
    }
    path = f"v1/{google.place}/models:upload"

    def once() -> tuple[str, Spec]:
        """Looks first: a request without an answer may have been heard."""
        model = _model(google, name)
        if made := _version(google, model, mark):
            return made, {}
        more = {"parentModel": model} if model else {}
        return "", google.once("POST", "aiplatform", path, body={"model": body, **more})

    there, operation = patience.insist(once, service.passes)
    if there:
        return there, False
    done = _wait(google, operation)
    return f"{done.get('model')}@{done.get('modelVersionId')}", True


def _labels(ours: dict[str, str], figures: dict[str, str]) -> dict[str, str]:
    """Returns as many labels as a model may have; those of the job come first."""
    every = {**figures, **ours}
    left = [key for key in figures if key not in ours][: MOST_LABELS - len(ours)]
    return {key: every[key] for key in (*ours, *left)}


def _model(google: Google, name: str) -> str:
    """Returns the resource name of the model with a job's name; empty if there is none."""
    query = {"filter": f'labels.{platform.NAME}="{name}"', "pageSize": 100}
    found = google.every("aiplatform", f"v1/{google.place}/models", "models", query=query)
    first = min(found, key=lambda model: model.get("createTime", ""), default={})
    return str(first.get("name", "")).partition("@")[0]


def _version(google: Google, model: str, mark: str) -> str:
    """Returns the version of a model that was made of a report; empty if there is none."""
    path = f"v1/{model}:listVersions"
    for version in google.every("aiplatform", path, "models") if model else ():
        if (version.get("labels") or {}).get(_REPORT) == mark:
            return f"{model}@{version.get('versionId')}"
    return ""


def _wait(google: Google, operation: Spec) -> Spec:
    """Waits for the end of an operation and returns what it made."""
    name, deadline = operation.get("name"), time.monotonic() + _LONGEST_S
    while not operation.get("done"):
        if time.monotonic() > deadline:
            raise ServiceError(
                f"Vertex AI has not finished {name} within {_LONGEST_S / 60:g} minutes: run the "
                "same command again, which finds what was made"
            )
        time.sleep(POLL_S)
        operation = google.insist("GET", "aiplatform", f"v1/{name}")
    if error := operation.get("error"):
        said = faults.line(error.get("message", "no reason given"))
        raise RefusedError(
            f"Vertex AI could not register the model ({said}): its service agent must be able to "
            "read the bucket"
        )
    made: Spec = operation.get("response") or {}
    return made
