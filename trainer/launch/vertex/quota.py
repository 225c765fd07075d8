# SPDX-License-Identifier: MIT
"""Compares a job with the quotas of its project, and says which regions have its machines."""

import re
from collections.abc import Iterator
from typing import Any

from trainer.launch.description.job import Job
from trainer.launch.manifests import Spec
from trainer.launch.platform import Finding
from trainer.launch.vertex.refusals import RefusedError
from trainer.launch.vertex.service import Google

_SERVICE = "aiplatform.googleapis.com"


def finding(google: Google, job: Job, at_once: int = 1) -> Finding:
    """Looks at the quota of the job's accelerators, or else of its CPUs.

    No API says how much of it other jobs use now.

    Args:
        google: where to look.
        job: the job.
        at_once: how many such jobs run at a time.
    """
    needed = at_once * job.replicas * (job.accelerator.count if job.accelerator else 1)
    # Machines that are waited for have the same quota as those that may be reclaimed.
    spare = job.spot or (job.vertex is not None and job.vertex.flex_start)
    metric = f"custom_model_training_{'preemptible_' if spare else ''}{_of(job)}"
    limits = (
        f"v1beta1/projects/{google.project}/services/{_SERVICE}/consumerQuotaMetrics/"
        f"{_SERVICE}%2F{metric}"
    )
    what = f"quota {metric} in {google.region}"
    console = f"https://console.cloud.google.com/iam-admin/quotas?project={google.project}"
    try:
        limit = _limit(google.insist("GET", "serviceusage", limits), google.region)
    except RefusedError as error:
        if error.status != 404:
            raise
        limit = None
    if limit is None:
        return Finding(what, None, "Google does not say", f"look for it at {console}")
    if limit < 0:
        return Finding(what, True, "unlimited")
    said = f"{limit}, of which other jobs may use some, and this one needs {needed}"
    if job.accelerator is None:
        said = f"{limit} CPUs, of which other jobs may use some"
    if limit < needed:
        fix = f"ask for more at {console}, or change machine_type, replicas, spot or region"
        return Finding(what, False, said, fix)
    return Finding(what, True, said)


def machine(google: Google, job: Job) -> Finding:
    """Looks whether a machine type is there at all in the region.

    That Compute Engine has it does not mean that Vertex AI has, or that one is free.
    """
    what = f"machine {job.machine_type} in {google.region}"
    zones = sorted(_zones(google, job.machine_type or ""))
    here = [zone for zone in zones if zone.rpartition("-")[0] == google.region]
    if here:
        return Finding(what, True, f"in {', '.join(here)}; whether one is free, nobody can say")
    if not zones:
        fix = "check machine_type"
        return Finding(what, False, "Google Cloud has no machine type of that name", fix)
    regions = sorted({zone.rpartition("-")[0] for zone in zones})
    fix = f"take one of {', '.join(regions)} as vertex.region, with a bucket there"
    return Finding(what, False, "there is none", fix)


def _of(job: Job) -> str:
    """Returns what a quota is called, without what all of them begin with.

    GPUs are named without their maker's word for the series, and with their memory only where there
    are two kinds.
    """
    if job.accelerator is None:
        return "cpus"
    kind = job.accelerator.type.lower().replace("nvidia_tesla_", "nvidia_")
    if kind.startswith("tpu"):
        return kind
    return f"{kind if kind == 'nvidia_a100_80gb' else re.sub('_[0-9]+gb$', '', kind)}_gpus"


def _limit(found: Spec, region: str) -> int | None:
    """Returns the limit of a region: of its own, or else the one of all regions; -1 for none."""
    general: int | None = None
    for bucket in _buckets(found):
        dimensions = bucket.get("dimensions") or {}
        value = int(bucket.get("effectiveLimit", "0"))
        if dimensions.get("region") == region:
            return value
        if not dimensions:
            general = value
    return general


def _buckets(found: Spec) -> Iterator[dict[str, Any]]:
    for limit in found.get("consumerQuotaLimits") or ():
        # Those of whole organisations count otherwise.
        if "region" in str(limit.get("unit", "{region}")):
            yield from limit.get("quotaBuckets") or ()


def _zones(google: Google, machine_type: str) -> Iterator[str]:
    path = f"compute/v1/projects/{google.project}/aggregated/machineTypes"
    query = {"filter": f'name="{machine_type}"', "returnPartialSuccess": "true"}
    for found in google.pages("compute", path, query=query):
        for place, there in (found.get("items") or {}).items():
            if there.get("machineTypes"):
                yield place.rpartition("/")[2]
