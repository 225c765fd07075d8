# SPDX-License-Identifier: MIT
"""What `doctor` looks at on every platform, and what is looked at before a job is sent."""

from collections.abc import Iterator

from trainer.launch.description.job import Job
from trainer.launch.doctor import bucket, image, training
from trainer.launch.platform import Finding, Place


def findings(job: Job, stage: str, place: Place) -> Iterator[Finding]:
    """Looks at everything; tries the bucket with a small object that does not stay."""
    yield from before_sending(job, stage)
    yield from bucket.findings(job.output, place.account, place.region)
    yield image.finding(job.image, job.machine_type)


def before_sending(job: Job, stage: str) -> Iterator[Finding]:
    """Looks at what is read within seconds and decides about paid hours; writes nothing."""
    if stage == "train":
        yield from training.findings(job)
