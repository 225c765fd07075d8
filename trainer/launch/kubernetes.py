# SPDX-License-Identifier: MIT
"""Renders a job for Kubernetes (1.33 or newer) and sends it: a Job, or a JobSet of several pods.

The rendered YAML also serves `kubectl create -f -`. A worker that is taken away ends all others
(exit code 75, `distribution.agreement`), so the JobSet makes all of them again; they find each
other by the host names that JobSet gives (`distribution.cluster`).

JobSet has no time limit over all attempts and no bound on uncounted restarts. The time limit is one
of each attempt and ends the JobSet; the pods learn how often it restarted, and end it for good
after too many (`trainer.training.starts`).
"""

import logging
import os
from typing import Any

from preprocessing.contract.errors import (
    ConfigError,
    DataError,
    ServiceError,
    StoppedError,
    UsageError,
)
from preprocessing.contract.files import faults
from trainer.launch import manifests
from trainer.launch.job import Job, Kubernetes
from trainer.launch.manifests import Spec

LABELS = {"app.kubernetes.io/name": "cxr14", "app.kubernetes.io/component": "trainer"}
# Wrong input stays wrong: a run that ends with one of these is not tried again. 75 (stopped, or a
# peer was) is free; everything else, such as 74 (disk full, no memory), counts as a restart.
HOPELESS = sorted(error.exit_code for error in (UsageError, DataError, ConfigError))

JOBSET = "jobset.x-k8s.io/v1alpha2"
_WORKER = "worker"
# A part of a host name has at most 63 letters (RFC 1035), and JobSet keeps the six that Kubernetes
# adds to a pod's name within it.
_LONGEST = 57
# A run on spot machines may well be preempted dozens of times; a fault that ends every attempt as
# a preemption does gets here within hours.
_UNCOUNTED = 100

# As in the extra `launch` of setup.py. The package itself is in no index, so that asking for its
# extra by name finds nothing, or another project's package.
INSTALL = "pip install 'kubernetes>=33,<38' 'python-dateutil>=2.9,<3'"
# What the client raises where a file is YAML, but not what it expects in it.
_WRITTEN_WRONGLY = (AttributeError, LookupError, TypeError, ValueError)


def render(job: Job) -> Spec:
    """Returns the batch/v1 Job of a job, or with several replicas its JobSet.

    Raises:
        ConfigError: the job has no section for Kubernetes, or a name too long for its pods.
    """
    if job.kubernetes is None:
        raise ConfigError("kubernetes is missing: the section names the namespace and the memory")
    alone = job.replicas == 1
    labels = {**LABELS, **job.labels}
    spec = manifests.fill(
        "job",
        job=job,
        kubernetes=job.kubernetes,
        labels=labels,
        nodes=_node_selector(job, job.kubernetes),
        hopeless=HOPELESS,
        stopped=StoppedError.exit_code,
        uncounted=_UNCOUNTED,
    )
    if not alone:
        _check_host_names(job)
        spec = manifests.fill("jobset", restarts=job.restarts, worker=_WORKER, workers=spec)
    return {
        "apiVersion": "batch/v1" if alone else JOBSET,
        "kind": "Job" if alone else "JobSet",
        "metadata": {"name": job.name, "namespace": job.kubernetes.namespace, "labels": labels},
        "spec": spec,
    }


def _node_selector(job: Job, kubernetes: Kubernetes) -> dict[str, str]:
    selector = dict(kubernetes.node_selector)
    if job.machine_type is not None:
        selector["node.kubernetes.io/instance-type"] = job.machine_type
    if job.spot:
        selector["cloud.google.com/gke-spot"] = "true"
    return selector


def _check_host_names(job: Job) -> None:
    host = f"{job.name}-{_WORKER}-0-{job.replicas - 1}"
    if len(host) > _LONGEST:
        raise ConfigError(
            f"name is {job.name!r}, but the host {host} would have a name of {len(host)} "
            f"characters, and JobSet takes {_LONGEST}; choose a shorter name"
        )


def submit(job: Job) -> str:
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
    manifest = render(job)
    where = f"{manifest['metadata']['namespace']}/{job.name}"
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
    group, version = JOBSET.split("/")
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
            f"({JOBSET}) and make the namespace, or set replicas to 1"
        ) from error
    said = faults.line(error.body or error.reason)
    if 400 <= error.status < 500:
        raise ConfigError(f"the cluster refused the {kind} {where}: {said}") from error
    raise ServiceError(f"the cluster failed to make the {kind} {where}: {said}") from error
