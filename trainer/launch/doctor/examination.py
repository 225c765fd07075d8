# SPDX-License-Identifier: MIT
"""What `doctor` looks at on every platform, and what is looked at before a job is sent."""

from collections.abc import Iterator

from preprocessing.contract.files import storage
from trainer.launch.description.job import Job
from trainer.launch.description.vertex import Vertex
from trainer.launch.doctor import bucket, image, preprocessing, sight, training
from trainer.launch.platform import Finding


def findings(job: Job, stage: str, place: Vertex | None) -> Iterator[Finding]:
    """Looks at everything; tries the bucket with a small object that does not stay.

    Args:
        job: the job.
        stage: of the job.
        place: where it will run, None if not on Google Cloud's own platform.
    """
    yield from before_sending(job, stage)
    if stage != "serve":
        output = job.output_of(stage)
        account, region = (place.service_account, place.region) if place else (None, None)
        if reason := sight.hidden(job, output):
            yield Finding(f"output {output}", None, reason)
        else:
            yield from bucket.findings(output, account, region)
    yield image.finding(*_run_by(job, stage))


def before_sending(job: Job, stage: str) -> Iterator[Finding]:
    """Looks at what is read within seconds and decides about paid hours; writes nothing."""
    if stage in ("train", "tune"):  # every trial of a search is a training
        yield from training.findings(job)
    elif stage == "preprocess" and job.preprocess is not None:
        yield from preprocessing.findings(job)
    elif stage == "serve" and job.serve is not None:
        model = job.served_model
        yield sight.there(job, "SavedModel", storage.join(model, "saved_model.pb"))


def _run_by(job: Job, stage: str) -> tuple[str, str | None]:
    """Returns the image of a stage, and the type of the machine that runs it, if that is known."""
    if stage == "preprocess" and job.preprocess is not None:
        return job.preprocess_image, job.preprocess.machine_type
    if stage == "serve" and job.serve is not None:
        return job.serve.server_image, None
    return job.image, job.machine_type
