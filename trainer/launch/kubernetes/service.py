# SPDX-License-Identifier: MIT
"""Talks to a cluster by the Python client of Kubernetes."""

import logging
import os
from typing import Any

from preprocessing.contract.errors import ConfigError, ServiceError, UsageError
from preprocessing.contract.files import faults
from trainer.launch.kubernetes import render
from trainer.launch.manifests import Spec

# As in the extra `launch` of setup.py. The package itself is in no index, so that asking for its
# extra by name finds nothing, or another project's package.
INSTALL = "pip install 'kubernetes>=33,<38' 'python-dateutil>=2.9,<3'"
# What the client raises where a file is YAML, but not what it expects in it.
_WRITTEN_WRONGLY = (AttributeError, LookupError, TypeError, ValueError)


def create(manifest: Spec) -> str:
    """Makes it in the cluster of the current kubectl context; returns NAMESPACE/NAME.

    Raises:
        UsageError: the Python client of Kubernetes is not installed.
        ConfigError: there is no cluster configured, or it refuses the job.
        ServiceError: the cluster did not answer; the job may or may not have been made.
    """
    try:
        import urllib3
        from kubernetes import client, config
    except ImportError as error:
        raise UsageError(
            f"sending a job to Kubernetes needs more packages ({error}): "
            f"{INSTALL}, or pipe what --dry_run prints into `kubectl create -f -`"
        ) from error
    where = f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"
    kind = manifest["kind"]
    try:
        with _connection(config) as connection:
            _create(client, connection, manifest)
    except client.ApiException as error:
        _explain(error, kind, where)
    except urllib3.exceptions.HTTPError as error:
        raise ServiceError(
            f"the cluster did not answer ({faults.line(error)}): see whether {where} is there with "
            f"`kubectl get {kind.lower()}s` before sending it again"
        ) from error
    return where


def _connection(config: Any) -> Any:
    """Reads kubectl's configuration, in which a user may have written anything."""
    import yaml

    # The client only logs that a program for logging in failed, and goes on without credentials.
    # What it logs is part of one sentence below, and not printed beside it.
    said: list[str] = []
    listener = logging.Handler(logging.ERROR)
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, [listener]
    try:
        connection = config.new_client_from_config()
    except config.ConfigException as error:
        raise ConfigError(f"kubectl has no usable context: {faults.line(error)}") from error
    except (yaml.YAMLError, OSError, RuntimeError, *_WRITTEN_WRONGLY) as error:
        where = os.environ.get("KUBECONFIG") or "~/.kube/config"
        raise ConfigError(
            f"kubectl's configuration {where} is not usable ({faults.line(error)}): see whether "
            "`kubectl config view` can read it"
        ) from error
    finally:
        root.handlers = handlers
    if said:
        raise ConfigError(
            f"kubectl's credentials could not be had ({faults.line(said[0])}): see whether "
            "`kubectl get jobs` works"
        )
    return connection


def _create(client: Any, connection: Any, manifest: Spec) -> None:
    namespace = manifest["metadata"]["namespace"]
    if manifest["kind"] == "Job":
        client.BatchV1Api(connection).create_namespaced_job(namespace, manifest)
        return
    group, version = render.JOBSET.split("/")
    api = client.CustomObjectsApi(connection)
    api.create_namespaced_custom_object(group, version, namespace, "jobsets", manifest)


def _explain(error: Any, kind: str, where: str) -> None:
    """Raises what an answer other than success means; nothing was made."""
    if error.status == 409:
        raise ConfigError(
            f"there is a {kind} {where} already: change name, or delete it to resume its run"
        ) from error
    if error.status == 404 and kind == "JobSet":
        raise ConfigError(
            f"the cluster knows no JobSet, or no namespace for {where}: install JobSet "
            f"({render.JOBSET}) and make the namespace, or set replicas to 1"
        ) from error
    said = faults.line(error.body or error.reason)
    if 400 <= error.status < 500:
        raise ConfigError(f"the cluster refused the {kind} {where}: {said}") from error
    raise ServiceError(f"the cluster failed to make the {kind} {where}: {said}") from error
