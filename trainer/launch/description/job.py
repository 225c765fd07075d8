# SPDX-License-Identifier: MIT
"""Describes a cloud training job: the typed form of a job file for `cxr14-launch`.

One description serves both platforms; what only one of them knows has its own section. Where one
key serves both, the stricter rule holds: a name is a Kubernetes object name (RFC 1123 label), a
label is a Google Cloud label that Kubernetes takes too.
"""

import dataclasses

from preprocessing.contract.settings.declaration import FREE, REQUIRED, setting
from trainer.launch.description import patterns
from trainer.launch.description.arguments import Arguments, spelled, value_of
from trainer.launch.description.estimate import Estimate
from trainer.launch.description.kubernetes import Kubernetes
from trainer.launch.description.preprocess import Preprocess
from trainer.launch.description.serve import Serve
from trainer.launch.description.tuning import Parameter, Tuning
from trainer.launch.description.vertex import Vertex


@dataclasses.dataclass(frozen=True, kw_only=True)
class Accelerator:
    """The GPUs or TPU chips of each replica; leave the section out to train on CPU."""

    type: str = setting(
        REQUIRED,
        FREE,
        pattern="NVIDIA_[A-Z0-9_]+|TPU_V[0-9]+[A-Z]*",
        form="a GPU in Vertex AI's spelling such as NVIDIA_L4, or a TPU such as TPU_V5E",
    )
    """Name in Vertex AI's spelling, such as NVIDIA_L4, or TPU_V5E. Kubernetes asks for
    `nvidia.com/gpu` and leaves the choice of the GPU model to `machine_type` and
    `kubernetes.node_selector`; of TPUs it chooses GKE's nodes by type and topology."""
    count: int = setting(REQUIRED, FREE, ge=1, le=1000)
    """GPUs or TPU chips per replica."""
    topology: str | None = setting(
        None, FREE, pattern="[0-9]+x[0-9]+(x[0-9]+)?", form="chips by chips, such as 2x4"
    )
    """How the chips of a TPU are connected, such as 2x4; none for GPUs."""

    @property
    def is_tpu(self) -> bool:
        """Whether these are chips of a TPU, not GPUs."""
        return self.type.startswith("TPU_")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """A run of the trainer's image on a cloud."""

    name: str = setting(
        REQUIRED,
        FREE,
        pattern=r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
        form="at most 63 lower-case letters, digits and inner hyphens, a letter first",
    )
    """Name of the job, and what a person looks for in a list of jobs."""
    image: str = setting(REQUIRED, FREE, pattern=patterns.IMAGE, form=patterns.IMAGE_FORM)
    """Container image with a tag or, better, a digest."""
    args: Arguments = setting(REQUIRED, FREE)
    """The trainer's flags but --output, as a list of `--flag=value` or as a mapping of flag names
    to values."""
    output: str = setting(REQUIRED, FREE)
    """Folder of the run in a bucket, or on one of `kubernetes.volumes`; the trainer's --output."""
    machine_type: str | None = setting(
        None, FREE, pattern=patterns.MACHINE, form=patterns.MACHINE_FORM
    )
    """Machine type of each replica; Vertex AI cannot do without."""
    accelerator: Accelerator | None = None
    replicas: int = setting(1, FREE, ge=1, le=10_000)
    """Number of machines."""
    spot: bool = setting(False, FREE)
    """Take spare machines, cheaper, that the cloud may reclaim at any time."""
    restarts: int = setting(6, FREE, ge=0, le=1_000_000)
    """How often a failed replica is started again, 0 for never; Vertex AI knows only never or its
    own number. A reclaimed machine does not count on Kubernetes, where a JobSet ends after 100 such
    restarts all the same."""
    timeout_hours: float = setting(24.0, FREE, ge=0.017, le=28 * 24, unit="hours, from a minute on")
    """The job is stopped and fails after this time, waiting for machines included. With several
    replicas on Kubernetes it counts for each attempt: a restart begins again."""
    labels: dict[str, str] = setting({}, FREE)
    """Labels of the job, within the rules of both platforms."""
    env: dict[str, str] = setting({}, FREE)
    """Environment variables of the container; never secrets, anyone who sees the job sees them."""
    vertex: Vertex | None = None
    kubernetes: Kubernetes | None = None
    preprocess: Preprocess | None = None
    serve: Serve | None = None
    tune: Tuning | None = None
    estimate: Estimate | None = None

    @property
    def timeout_seconds(self) -> int:
        """The time limit in whole seconds."""
        return round(self.timeout_hours * 3600)

    @property
    def data_set(self) -> str:
        """Folder of the data set: what preprocessing writes; empty if the job names none."""
        chosen = self.preprocess.output if self.preprocess is not None else None
        return chosen or value_of("data", self.args)

    @property
    def preprocess_image(self) -> str:
        """Container image of the preprocessing job."""
        chosen = self.preprocess.image if self.preprocess is not None else None
        return chosen or self.image

    @property
    def served_model(self) -> str:
        """Folder of the SavedModel that is served."""
        chosen = self.serve.model if self.serve is not None else None
        return chosen or f"{self.output.rstrip('/')}/saved_model"

    def arguments(self) -> list[str]:
        """Returns the trainer's command line without the program name, one `--flag=value` each."""
        return [*spelled(self.args), f"--output={self.output}"]

    def preprocess_arguments(self) -> list[str]:
        """Returns the command line of cxr14-preprocess, likewise, without Beam's own flags."""
        given = spelled(self.preprocess.args) if self.preprocess is not None else []
        return [*given, f"--output={self.data_set}"]

    def output_of(self, stage: str) -> str:
        """Returns the folder that a stage writes to."""
        return self.data_set if stage == "preprocess" else self.output


EXAMPLE = Job(
    name="chest-1",
    image="REGION-docker.pkg.dev/PROJECT/cxr14/trainer@sha256:DIGEST",
    args={"data": "gs://BUCKET/chestxray14"},
    output="gs://BUCKET/runs/1",
    machine_type="g2-standard-12",
    accelerator=Accelerator(type="NVIDIA_L4", count=1),
    vertex=Vertex(project="PROJECT", region="REGION"),
    kubernetes=Kubernetes(),
    preprocess=Preprocess(
        args={"images": "gs://BUCKET/nih/images", "labels": "gs://BUCKET/nih/Data_Entry_2017.csv"}
    ),
    serve=Serve(),
    tune=Tuning(parameters={"optimizer.learning_rate": Parameter(min=1e-5, max=1e-2, scale="log")}),
    estimate=Estimate(),
)
