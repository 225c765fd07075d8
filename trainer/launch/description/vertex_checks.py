# SPDX-License-Identifier: MIT
"""Says what is wrong with a job for Vertex AI before it is sent."""

import difflib
from collections.abc import Iterator

from trainer.launch.description import machines
from trainer.launch.description.job import Job
from trainer.launch.description.vertex import Vertex


def problems(job: Job, vertex: Vertex) -> Iterator[str]:
    """Yields what Vertex AI would refuse of a job, or accept and never run."""
    if vertex.tensorboard is not None:
        region = vertex.tensorboard.split("/")[3]
        if region != vertex.region:
            yield (
                f"vertex.tensorboard is in {region}, but must be in the job's region, "
                f"{vertex.region}"
            )
        if vertex.service_account is None:
            yield "vertex.service_account is missing, but vertex.tensorboard needs it"
    if job.accelerator is not None and job.accelerator.is_tpu:
        if job.accelerator.type != machines.VERTEX_TPU:
            yield (
                f"accelerator.type is {job.accelerator.type}, on which Vertex AI does not run "
                f"TensorFlow: use {machines.VERTEX_TPU}"
            )
    elif job.accelerator is not None and job.accelerator.type not in machines.VERTEX:
        near = difflib.get_close_matches(job.accelerator.type, machines.VERTEX)
        yield (
            f"accelerator.type is {job.accelerator.type}, which Vertex AI does not have: use "
            f"{' or '.join(near or machines.VERTEX)}"
        )
    yield from machines.problems(job.machine_type, job.accelerator, all_of_them=True)
