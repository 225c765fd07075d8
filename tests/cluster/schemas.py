# SPDX-License-Identifier: MIT
"""Whether a cluster knows every field of a manifest, and takes its value there."""

from typing import Any

import kubernetes_validate

VERSIONS = tuple(f"1.{minor}" for minor in range(33, 38))


def validate(manifest: dict[str, Any], version: str = VERSIONS[0]) -> None:
    """Checks a manifest, or each object of a List, against the schemas of a Kubernetes version.

    Raises:
        ValueError: an unknown field, which is named, or a value of the wrong type.
    """
    if manifest["kind"] == "List":
        assert set(manifest) == {"apiVersion", "kind", "items"}
        for item in manifest["items"]:
            validate(item, version)
        return
    if manifest["kind"] == "JobSet":
        _validate_jobset(manifest)
        for part in manifest["spec"]["replicatedJobs"]:
            names = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": part["name"]}}
            validate(names | part["template"], version)
        return
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        raise ValueError(str(error)) from error


def _validate_jobset(manifest: dict[str, Any]) -> None:
    # Imported late: its models are slow to import, and most tests need none.
    from kubeflow_trainer_api.models import jobset_v1alpha2_job_set

    read = jobset_v1alpha2_job_set.JobsetV1alpha2JobSet.from_dict(manifest)
    if lost := _lost(manifest, read.to_dict(), ""):
        raise ValueError(f"unknown to JobSet: {', '.join(lost)}")


def _lost(given: Any, kept: Any, path: str) -> list[str]:
    """Returns what the models dropped or changed: they take unknown fields and forget them."""
    if isinstance(given, dict) and isinstance(kept, dict):
        pairs = [(f"{path}.{key}".lstrip("."), value, key) for key, value in given.items()]
        return [
            line
            for name, value, key in pairs
            for line in (_lost(value, kept[key], name) if key in kept else [name])
        ]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return [
            line
            for at, (one, other) in enumerate(zip(given, kept, strict=True))
            for line in _lost(one, other, f"{path}[{at}]")
        ]
    return [] if given == kept else [path]
