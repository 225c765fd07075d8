# SPDX-License-Identifier: MIT
"""The section `kubernetes` of a job file."""

import dataclasses

from preprocessing.contract.settings.declaration import FREE, setting
from trainer.launch.description import patterns
from trainer.launch.description.volumes import Volume


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toleration:
    """A taint of nodes that keeps other pods off, and not these."""

    key: str = setting("", FREE)
    """Key of the taint; empty with `operator: Exists` for every taint."""
    operator: str = setting("Exists", FREE, choices=("Exists", "Equal"))
    """Whether the taint's value counts."""
    value: str | None = setting(None, FREE)
    """Value of the taint, for Equal."""
    effect: str | None = setting(
        None, FREE, choices=("NoSchedule", "PreferNoSchedule", "NoExecute")
    )
    """Effect of the taint; none for every effect."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kubernetes:
    """What only Kubernetes needs to know."""

    namespace: str = setting(
        "default",
        FREE,
        pattern=patterns.LABEL,
        form=f"a namespace's name, {patterns.LABEL_FORM}",
    )
    """Where the Job is made; it must exist."""
    service_account: str | None = setting(
        None,
        FREE,
        pattern=patterns.SUBDOMAIN,
        form="a service account's name in the namespace, not an e-mail",
    )
    """Kubernetes service account, on GKE bound to one that may use the bucket; none takes the
    namespace's default."""
    cpu: str = setting("4", FREE, pattern=patterns.CPU, form=patterns.CPU_FORM)
    """CPU request, a Kubernetes quantity."""
    memory: str = setting("16Gi", FREE)
    """Memory request and limit; `shared_memory` counts against it."""
    shared_memory: str = setting("2Gi", FREE)
    """Size limit of /dev/shm, which NCCL needs between the GPUs of one host."""
    scratch: str = setting("20Gi", FREE)
    """Size limit of /tmp, the only other place beside `volumes` that the container can write to."""
    ephemeral_storage: str | None = setting(None, FREE)
    """Request and limit of the node's disk, for `scratch` and the log together; none asks for
    nothing and takes what is there. Preprocessing asks for its own /tmp and 1 GiB instead."""
    grace_seconds: int = setting(
        60, FREE, ge=15, le=86_400, unit="seconds, which the trainer needs to save"
    )
    """Time between SIGTERM and SIGKILL; GKE Spot nodes give 15 s whatever it says."""
    node_selector: dict[str, str] = setting({}, FREE)
    """Labels that the nodes of training must have, such as cloud.google.com/gke-accelerator."""
    tolerations: list[Toleration] = setting([], FREE)
    """Taints that the pods tolerate beside those of GPU, TPU and spot nodes: mappings of key,
    operator (Exists, Equal), value and effect."""
    queue: str | None = setting(None, FREE, pattern=patterns.LABEL, form=patterns.LABEL_FORM)
    """Kueue's LocalQueue in the namespace: the job is made suspended, and Kueue starts it when the
    quota allows. Waiting in the queue does not count towards `timeout_hours`."""
    queue_priority: str | None = setting(
        None, FREE, pattern=patterns.LABEL, form=patterns.LABEL_FORM
    )
    """Kueue's WorkloadPriorityClass; it must exist, or the job waits and nothing says why."""
    priority_class: str | None = setting(
        None, FREE, pattern=patterns.SUBDOMAIN, form=patterns.SUBDOMAIN_FORM
    )
    """PriorityClass of the pods, which must exist."""
    ttl_seconds: int | None = setting(None, FREE, ge=60, le=2**31 - 1, unit="seconds")
    """The job and its log are deleted so long after its end; none keeps them."""
    volumes: list[Volume] = setting([], FREE)
    """Folders that the pods share with others: mappings of name, mount and one of claim, nfs and
    bucket, with options and read_only."""
    secret_env: dict[str, str] = setting({}, FREE)
    """Environment variables whose values are in Secrets of the namespace, as NAME: SECRET/KEY."""
    env_from: list[str] = setting([], FREE)
    """Secrets and ConfigMaps whose every key becomes an environment variable, as secret/NAME or
    config_map/NAME; `env` counts over them."""
    image_pull_secrets: list[str] = setting([], FREE)
    """Secrets with which the images are pulled from a private registry."""
