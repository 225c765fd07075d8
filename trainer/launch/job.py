# SPDX-License-Identifier: MIT
"""Describes a cloud training job: the typed form of a job file for `cxr14-launch`.

One description serves both platforms; what only one of them knows stands in its own section.
"""

import dataclasses

ArgumentValue = str | int | float | bool
# A key of the job file, and what is wrong with its value and what to do about it.
Problem = tuple[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Accelerator:
    """The GPUs of each replica.

    Attributes:
        type: name in Vertex AI's spelling, such as NVIDIA_L4; Kubernetes asks for `nvidia.com/gpu`
            and leaves the choice of the GPU model to `machine_type` and `kubernetes.node_selector`.
        count: GPUs per replica, at least 1.
    """

    type: str
    count: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vertex:
    """What only Vertex AI needs to know.

    Attributes:
        project: Google Cloud project that pays for the job.
        region: location of the job, such as us-central1; the bucket should lie in it too.
        service_account: e-mail that the containers act as; None takes Vertex AI's default.
        tensorboard: projects/P/locations/R/tensorboards/ID to stream to; needs `service_account`.
        boot_disk_type: disk type that the machine type allows, such as pd-ssd.
        boot_disk_gb: size of the boot disk in GiB; holds the image and /tmp.
    """

    project: str
    region: str
    service_account: str | None = None
    tensorboard: str | None = None
    boot_disk_type: str = "pd-ssd"
    boot_disk_gb: int = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kubernetes:
    """What only Kubernetes needs to know.

    Attributes:
        namespace: where the Job is made; it must exist.
        service_account: Kubernetes service account, on GKE bound to one that may use the bucket;
            None takes the namespace's default.
        cpu: CPU request, a Kubernetes quantity.
        memory: memory request and limit; `shared_memory` counts against it.
        shared_memory: size limit of /dev/shm, which NCCL needs between the GPUs of one host.
        scratch: size limit of /tmp, the only other place that the container can write to.
        grace_seconds: time between SIGTERM and SIGKILL; GKE Spot nodes give 15 s whatever it says.
        node_selector: labels that a node must have, such as cloud.google.com/gke-accelerator.
    """

    namespace: str = "default"
    service_account: str | None = None
    cpu: str = "4"
    memory: str = "16Gi"
    shared_memory: str = "2Gi"
    scratch: str = "20Gi"
    grace_seconds: int = 60
    node_selector: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """A run of the trainer's image on a cloud.

    Attributes:
        name: name of the job, and what a person looks for in a list of jobs.
        image: container image with a tag or, better, a digest.
        args: the trainer's flags but --output, as a list of `--flag=value` or as a mapping of flag
            names to values.
        output: folder of the run in a bucket, passed to the trainer as --output.
        machine_type: machine type of each replica; Vertex AI cannot do without.
        accelerator: GPUs of each replica; None trains on CPU.
        replicas: number of machines.
        spot: take spare machines, cheaper, that the cloud may reclaim at any time.
        restarts: how often a failed replica is started again; Vertex AI knows only never (0) or its
            own number. A reclaimed machine does not count on Kubernetes, where a JobSet ends after
            100 such restarts all the same.
        timeout_hours: the job is stopped and fails after this time, waiting for machines included.
            With several replicas on Kubernetes it counts for each attempt: a restart begins anew.
        labels: labels of the job, within the rules of both platforms.
        env: environment variables of the container; never secrets, anyone who sees the job sees
            them.
        vertex: what Vertex AI needs; required to launch there.
        kubernetes: what Kubernetes needs; required to launch there.
    """

    name: str
    image: str
    args: list[str] | dict[str, ArgumentValue]
    output: str
    machine_type: str | None = None
    accelerator: Accelerator | None = None
    replicas: int = 1
    spot: bool = False
    restarts: int = 6
    timeout_hours: float = 24.0
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    vertex: Vertex | None = None
    kubernetes: Kubernetes | None = None

    @property
    def timeout_seconds(self) -> int:
        """The time limit in whole seconds."""
        return round(self.timeout_hours * 3600)

    def arguments(self) -> list[str]:
        """Returns the trainer's command line without the program name, one `--flag=value` each."""
        if isinstance(self.args, dict):
            given = [f"--{name}={_spelled(value)}" for name, value in self.args.items()]
        else:
            given = list(self.args)
        return [*given, f"--output={self.output}"]


def _spelled(value: ArgumentValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
