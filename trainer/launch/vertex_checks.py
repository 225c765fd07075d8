# SPDX-License-Identifier: MIT
"""Says what Vertex AI would refuse in a job, or accept and fail."""

import re
from collections.abc import Iterator

from trainer.launch import machines
from trainer.launch.job import Job, Problem, Vertex

# Also as a number, or within a domain as example.com:my-project.
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]|[0-9]{6,}")
_REGION = re.compile(r"[a-z]+(-[a-z]+)+[0-9]{1,2}")
_ZONE = re.compile(rf"({_REGION.pattern})-[a-z]")
_ACCOUNT = re.compile(r"[^@\s]+@[^@\s]+\.gserviceaccount\.com")
_TENSORBOARD = re.compile(r"projects/[^/]+/locations/(?P<region>[^/]+)/tensorboards/[^/]+")
_DISKS = ("pd-ssd", "pd-standard", "pd-balanced", "hyperdisk-balanced")


def problems(job: Job, vertex: Vertex) -> Iterator[Problem]:
    """Yields what is wrong, each as the key in the job file and what to do about it."""
    yield from _place(vertex)
    yield from _account(vertex)
    if job.accelerator is not None and job.accelerator.type in machines.ELSEWHERE:
        yield (
            "accelerator.type",
            f"is {job.accelerator.type}, which Vertex AI does not have: "
            f"{', '.join(machines.VERTEX)}",
        )
    yield from machines.problems(job.machine_type, job.accelerator, all_of_them=True)
    if vertex.boot_disk_type not in _DISKS:
        yield (
            "vertex.boot_disk_type",
            f"is {vertex.boot_disk_type!r}: use one of {', '.join(_DISKS)}",
        )
    if not 100 <= vertex.boot_disk_gb <= 64_000:
        yield (
            "vertex.boot_disk_gb",
            f"is {vertex.boot_disk_gb}, but Vertex AI gives 100 to 64000",
        )


def _place(vertex: Vertex) -> Iterator[Problem]:
    for key in ("project", "region"):
        if not getattr(vertex, key):
            yield f"vertex.{key}", "is empty"
            return
    if not _PROJECT.fullmatch(vertex.project):
        yield (
            "vertex.project",
            f"is {vertex.project!r}, but must be a project's ID, 6 to 30 lower-case letters, "
            "digits and inner hyphens, or its number; `gcloud projects list` shows them",
        )
    if zone := _ZONE.fullmatch(vertex.region):
        yield (
            "vertex.region",
            f"is {vertex.region!r}, a zone, but must be its region, {zone[1]}",
        )
    elif not _REGION.fullmatch(vertex.region):
        yield "vertex.region", f"is {vertex.region!r}, but must be a region such as us-central1"


def _account(vertex: Vertex) -> Iterator[Problem]:
    account, board = vertex.service_account, vertex.tensorboard
    if account is not None and not _ACCOUNT.fullmatch(account):
        yield (
            "vertex.service_account",
            f"is {account!r}, but must be a service account's e-mail, "
            "NAME@PROJECT.iam.gserviceaccount.com",
        )
    if board is None:
        return
    parts = _TENSORBOARD.fullmatch(board)
    if parts is None:
        yield (
            "vertex.tensorboard",
            f"is {board!r}, but must read projects/PROJECT/locations/REGION/tensorboards/ID",
        )
    elif parts["region"] != vertex.region:
        yield (
            "vertex.tensorboard",
            f"is in {parts['region']}, but must be in the job's region, {vertex.region}",
        )
    if account is None:
        yield "vertex.service_account", "is missing, but vertex.tensorboard needs it"
