# SPDX-License-Identifier: MIT
"""The section `kubernetes` of a job file."""

import dataclasses

from preprocessing.contract.settings.declaration import FREE, setting
from trainer.launch.description import patterns

_WORD = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kubernetes:
    """What only Kubernetes needs to know."""

    namespace: str = setting(
        "default",
        FREE,
        pattern=rf"(?=.{{1,63}}\Z){_WORD}",
        form="a namespace's name, at most 63 lower-case letters, digits and inner hyphens",
    )
    """Where the Job is made; it must exist."""
    service_account: str | None = setting(
        None,
        FREE,
        pattern=rf"(?=.{{1,253}}\Z){_WORD}(\.{_WORD})*",
        form="a service account's name in the namespace, not an e-mail",
    )
    """Kubernetes service account, on GKE bound to one that may use the bucket; none takes the
    namespace's default."""
    cpu: str = setting("4", FREE, pattern=patterns.CPU, form=patterns.CPU_FORM)
    """CPU request, a Kubernetes quantity."""
    memory: str = setting("16Gi", FREE)
    """Memory request and limit; `shared_memory` counts against it."""
    shared_memory: str = setting("2Gi", FREE)
    """Size limit of /dev/shm, which NCCL needs between the GPUs of one host."""
    scratch: str = setting("20Gi", FREE)
    """Size limit of /tmp, the only other place that the container can write to."""
    grace_seconds: int = setting(60, FREE, ge=15, unit="seconds, which the trainer needs to save")
    """Time between SIGTERM and SIGKILL; GKE Spot nodes give 15 s whatever it says."""
    node_selector: dict[str, str] = setting({}, FREE)
    """Labels that a node must have, such as cloud.google.com/gke-accelerator."""
