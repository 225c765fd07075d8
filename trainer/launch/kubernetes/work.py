# SPDX-License-Identifier: MIT
"""What one pod of a stage runs, and what it needs of a node."""

import dataclasses
import math
from typing import Any

from preprocessing.contract.errors import ConfigError
from trainer.launch.description.job import Accelerator, Job
from trainer.launch.description.kubernetes import Kubernetes
from trainer.launch.description.kubernetes_checks import GKE_TPUS

TRAINER, PREPROCESSING = "trainer", "preprocessing"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """One container and its node; quantities are those of Kubernetes.

    Attributes:
        component: name of the container, and label of the pod.
        command: in the place of the image's; empty to keep that.
        workers: pods that do this together.
        disk: request and limit of the node's disk; None for none.
        scratch: size limit of /tmp.
        shared_memory: of /dev/shm; None for what the runtime gives.
        nodes: labels that the node must have.
    """

    component: str
    image: str
    command: tuple[str, ...] = ()
    arguments: list[str]
    workers: int = 1
    accelerator: Accelerator | None = None
    cpu: str
    memory: str
    disk: str | None
    scratch: str
    shared_memory: str | None = None
    nodes: dict[str, str]


def of(job: Job, kubernetes: Kubernetes, stage: str) -> Work:
    """Returns the work of a stage that comes to an end.

    Raises:
        ConfigError: the job describes no such stage.
    """
    return _preprocessing(job, kubernetes) if stage == "preprocess" else _training(job, kubernetes)


def _training(job: Job, kubernetes: Kubernetes) -> Work:
    accelerator, selector = job.accelerator, dict(kubernetes.node_selector)
    if accelerator is not None and accelerator.is_tpu:
        selector.setdefault("cloud.google.com/gke-tpu-accelerator", GKE_TPUS[accelerator.type])
        selector.setdefault("cloud.google.com/gke-tpu-topology", str(accelerator.topology))
    return Work(
        component=TRAINER,
        image=job.image,
        arguments=job.arguments(),
        workers=job.replicas,
        accelerator=accelerator,
        cpu=kubernetes.cpu,
        memory=kubernetes.memory,
        disk=kubernetes.ephemeral_storage,
        scratch=kubernetes.scratch,
        shared_memory=kubernetes.shared_memory,
        nodes={**selector, **_machine(job.machine_type, spot=job.spot)},
    )


def _preprocessing(job: Job, kubernetes: Kubernetes) -> Work:
    section = job.preprocess
    if section is None:
        raise ConfigError("preprocess is missing: the section says what the data set is made from")
    # Beam would start a process for each core of the node, whatever the pod may use of it.
    processes = max(1, math.floor(_cores(section.cpu)))
    beam = [
        "--runner=DirectRunner",
        "--direct_running_mode=multi_processing",
        f"--direct_num_workers={processes}",
    ]
    asks = kubernetes.ephemeral_storage is not None
    return Work(
        component=PREPROCESSING,
        image=job.preprocess_image,
        command=("cxr14-preprocess",),
        arguments=[*job.preprocess_arguments(), *beam],
        cpu=section.cpu,
        memory=section.memory,
        disk=f"{section.disk_gb + 1}Gi" if asks else None,
        scratch=f"{section.disk_gb}Gi",
        nodes=_machine(section.machine_type, spot=job.spot),
    )


def _machine(machine_type: str | None, *, spot: bool) -> dict[str, str]:
    selector = {}
    if machine_type is not None:
        selector["node.kubernetes.io/instance-type"] = machine_type
    if spot:
        selector["cloud.google.com/gke-spot"] = "true"
    return selector


def _cores(quantity: str) -> float:
    """Returns what a quantity of cores means.

    >>> _cores("7500m"), _cores("8")
    (7.5, 8.0)
    """
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def tolerations(job: Job, kubernetes: Kubernetes, work: Work) -> list[dict[str, Any]]:
    """Returns the taints that the pods tolerate.

    These keep other pods off nodes with accelerators and off GKE's spot nodes; the job file may add
    some.
    """
    found: list[dict[str, Any]] = []
    if work.accelerator is not None:
        kind = "google.com/tpu" if work.accelerator.is_tpu else "nvidia.com/gpu"
        found.append({"key": kind, "operator": "Exists", "effect": "NoSchedule"})
    if job.spot:
        spot = {"key": "cloud.google.com/gke-spot", "operator": "Equal", "value": "true"}
        found.append({**spot, "effect": "NoSchedule"})
    given = map(dataclasses.asdict, kubernetes.tolerations)
    return found + [{key: value for key, value in one.items() if value} for one in given]
