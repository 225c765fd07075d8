# SPDX-License-Identifier: MIT
"""Renders a job for Vertex AI, or its preprocessing for Dataflow.

The names are those of the REST API (google.cloud.aiplatform.v1.CustomJobSpec and
HyperparameterTuningJobSpec), so that the rendered YAML also serves `gcloud ai custom-jobs create
--config=FILE` and `gcloud ai hp-tuning-jobs create --config=FILE`.
"""

from preprocessing.contract.errors import ConfigError, UsageError
from trainer.launch import manifests, platform
from trainer.launch.description.arguments import spelled
from trainer.launch.description.job import Job
from trainer.launch.description.tuning import Tuning
from trainer.launch.description.vertex import Vertex
from trainer.launch.manifests import Spec
from trainer.launch.platform import Rendered
from trainer.launch.vertex import dataflow, study

LABELS = {"app": "cxr14"}


def render(job: Job, stage: str = "train") -> Spec:
    """Returns what a stage of a job is.

    Args:
        job: the job.
        stage: train for a CustomJobSpec, tune for a HyperparameterTuningJobSpec, preprocess for
            `command`, which sends the job to Dataflow.

    Raises:
        ConfigError: the job lacks what Vertex AI needs.
        UsageError: Vertex AI has no such stage.
    """
    vertex = section(job)
    if stage == "serve":
        raise UsageError(
            "--stage=serve is for kubernetes: Vertex AI serves what is in its model registry"
        )
    if stage == "preprocess":
        return {"command": dataflow.command(job, vertex, labels(job, stage))}
    if job.machine_type is None:
        raise ConfigError("machine_type is missing, and Vertex AI cannot do without it")
    if not job.output.startswith("gs://"):
        raise ConfigError(f"output is {job.output!r}, but Vertex AI writes to gs:// only")
    if stage == "train":
        return manifests.fill("vertex", job=job, vertex=vertex, arguments=job.arguments())
    if job.tune is None:
        raise ConfigError("tune is missing: the section says which settings to try")
    spec = manifests.fill("vertex", job=job, vertex=vertex, arguments=_of_trials(job, job.tune))
    return study.render(job.tune, spec)


def rendered(job: Job, stage: str) -> Rendered:
    """Returns the same with all that is sent beside it, and what it is for people."""
    spec, vertex = render(job, stage), section(job)
    place = f"projects/{vertex.project}/locations/{vertex.region}"
    if stage == "preprocess":
        return Rendered(spec, spec, f"the command that sends {job.name} to Dataflow, in {place}")
    labelled = ", ".join(f"{key}={value}" for key, value in labels(job, stage).items())
    kind = "jobSpec" if stage == "train" else "tuning"
    about = f"the {kind} of {job.name} (labels {labelled}) for {place}"
    return Rendered(spec, [*request(job, stage), place], about)


def request(job: Job, stage: str) -> tuple[str, Spec]:
    """Returns the collection of Vertex AI in which a training or a search is made, and the body."""
    spec, key = render(job, stage), section(job).kms_key
    body: Spec = {"displayName": job.name, "labels": labels(job, stage)}
    if key is not None:
        body["encryptionSpec"] = {"kmsKeyName": key}
    if stage == "train":
        return "customJobs", {**body, "jobSpec": spec}
    return "hyperparameterTuningJobs", {**body, **spec}


def section(job: Job) -> Vertex:
    """Returns the job's `vertex` section.

    Raises:
        ConfigError: it has none.
    """
    if job.vertex is None:
        raise ConfigError("vertex is missing: the section names the project and the region")
    return job.vertex


def labels(job: Job, stage: str) -> dict[str, str]:
    """Returns the labels of a stage of a job: its own, and those by which it is found."""
    found = platform.labels(job, stage, job.output_of(stage))
    return {**LABELS, **job.labels, **found}


def _of_trials(job: Job, tuning: Tuning) -> list[str]:
    """Returns the arguments that all trials have in common.

    Vertex AI adds those of each trial, and says in AIP_MODEL_DIR which folder is the trial's own:
    an --output here would make all of them write to one.
    """
    tuned = tuple(f"--config.{name}=" for name in tuning.parameters)
    return [argument for argument in spelled(job.args) if not argument.startswith(tuned)]
