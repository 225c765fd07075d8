# SPDX-License-Identifier: MIT
"""The section `preprocess` of a job file: how the data set is made that the trainer reads."""

import dataclasses

from preprocessing.contract.settings.declaration import FREE, REQUIRED, setting
from trainer.launch.description import patterns
from trainer.launch.description.arguments import Arguments, ArgumentValue


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preprocess:
    """The job that makes the data set: `--stage=preprocess`, on Dataflow or in one pod."""

    args: Arguments = setting(REQUIRED, FREE)
    """The flags of cxr14-preprocess but --output, as a list of `--flag=value` or as a mapping; of
    Beam's own flags none, see `beam`."""
    output: str | None = setting(None, FREE)
    """Folder of the data set; none takes the trainer's --data."""
    image: str | None = setting(None, FREE, pattern=patterns.IMAGE, form=patterns.IMAGE_FORM)
    """Container image; none takes the job's, but Dataflow needs one that is built with
    FLAVOR=preprocess."""
    machine_type: str | None = setting(
        None, FREE, pattern=patterns.MACHINE, form=patterns.MACHINE_FORM
    )
    """Machine type of Dataflow's workers, or of the pod's node; none leaves the choice to them."""
    max_workers: int = setting(20, FREE, ge=1, le=1000, unit="machines")
    """Most workers of Dataflow; a pod is one, with as many processes as it has cores."""
    disk_gb: int = setting(50, FREE, ge=30, le=64_000, unit="GiB")
    """Disk of each worker, or of the pod's /tmp, in GiB; archives are unpacked there."""
    cpu: str = setting("8", FREE, pattern=patterns.CPU, form=patterns.CPU_FORM)
    """CPU request of the pod, a Kubernetes quantity."""
    memory: str = setting("32Gi", FREE)
    """Memory request and limit of the pod; 2 GiB a core are enough."""
    subnetwork: str | None = setting(
        None,
        FREE,
        pattern=r"(https://www\.googleapis\.com/compute/v1/projects/[^/]+/)?"
        r"regions/[^/]+/subnetworks/[^/]+",
        form="regions/REGION/subnetworks/NAME, of a shared VPC with "
        "https://www.googleapis.com/compute/v1/projects/PROJECT/ in front",
    )
    """Subnetwork of Dataflow's workers; none takes the project's default network."""
    public_ips: bool = setting(False, FREE)
    """Give Dataflow's workers addresses on the internet; without, the subnetwork must have Private
    Google Access."""
    beam: dict[str, ArgumentValue] = setting({}, FREE)
    """More of Beam's own flags for Dataflow, such as flexrs_goal: COST_OPTIMIZED."""
