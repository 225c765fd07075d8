# SPDX-License-Identifier: MIT
"""Says what is wrong with a job for Vertex AI before it is sent."""

import difflib
import re
from collections.abc import Iterator

from trainer.launch.description import machines
from trainer.launch.description.job import Accelerator, Job
from trainer.launch.description.vertex import Vertex

# GPUs that flex_start waits for, and the longest that it may then have them.
_FLEXIBLE = re.compile("NVIDIA_(L4|TESLA_A100|A100_80GB|H100_.*|H200_.*|B200)")
_FLEXIBLE_HOURS = 7 * 24
# Machine types that take no other boot disk.
_HYPERDISK = re.compile(r"(a3-ultragpu|a4|a4x|g4|c4|c4a|c4d|n4|n4d|n4a)-.*")


def problems(job: Job, vertex: Vertex) -> Iterator[str]:
    """Yields what Vertex AI would refuse of a job, or accept and never run."""
    yield from _regions(job, vertex)
    if vertex.tensorboard is not None and vertex.service_account is None:
        yield "vertex.service_account is missing, but vertex.tensorboard needs it"
    if vertex.network is not None and vertex.network_attachment is not None:
        yield (
            "vertex.network_attachment and vertex.network are two ways into a network, of which a "
            "job takes one: leave one out"
        )
    machine, disk = job.machine_type or "", vertex.boot_disk_type
    if disk not in (None, "hyperdisk-balanced") and _HYPERDISK.fullmatch(machine):
        yield (
            f"vertex.boot_disk_type is {disk}, but {machine} takes hyperdisk-balanced only: leave "
            "it out"
        )
    if vertex.flex_start:
        yield from _flex_start(job)
    elif vertex.max_wait_hours is not None:
        yield "vertex.max_wait_hours is for vertex.flex_start, which is not set: set it to true"
    if job.accelerator is not None and not job.accelerator.is_tpu:
        yield from _gpu(job.accelerator)
    elif job.accelerator is not None and job.accelerator.type != machines.VERTEX_TPU:
        yield (
            f"accelerator.type is {job.accelerator.type}, on which Vertex AI does not run "
            f"TensorFlow: use {machines.VERTEX_TPU}"
        )
    yield from machines.problems(job.machine_type, job.accelerator, all_of_them=True)


def _regions(job: Job, vertex: Vertex) -> Iterator[str]:
    """Finds what belongs to the job and lies in another region."""
    keys = ("tensorboard", "network_attachment", "kms_key")
    names = {f"vertex.{key}": getattr(vertex, key) for key in keys}
    if job.preprocess is not None:
        names["preprocess.subnetwork"] = job.preprocess.subnetwork
    for key, name in names.items():
        found = re.search("(?:locations|regions)/([^/]+)/", name or "")
        if found and found[1] != vertex.region:
            yield f"{key} is in {found[1]}, but must be in the job's region, {vertex.region}"


def _flex_start(job: Job) -> Iterator[str]:
    kind = job.accelerator.type if job.accelerator is not None else ""
    if job.spot:
        yield "vertex.flex_start and spot are two ways to get machines: leave one of them out"
    elif not _FLEXIBLE.fullmatch(kind):
        yield (
            f"vertex.flex_start waits for L4, A100, H100, H200 and B200, not for "
            f"{kind or 'machines without accelerator'}: leave it out"
        )
    elif job.timeout_hours > _FLEXIBLE_HOURS:
        yield (
            f"timeout_hours is {job.timeout_hours:g}, but with vertex.flex_start you get machines "
            f"for at most {_FLEXIBLE_HOURS}: lower it"
        )


def _gpu(accelerator: Accelerator) -> Iterator[str]:
    if accelerator.type not in machines.VERTEX:
        near = difflib.get_close_matches(accelerator.type, machines.VERTEX)
        yield (
            f"accelerator.type is {accelerator.type}, which Vertex AI does not have: use "
            f"{' or '.join(near or machines.VERTEX)}"
        )
