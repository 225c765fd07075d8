# SPDX-License-Identifier: MIT
"""The section `vertex` of a job file."""

import dataclasses

from preprocessing.contract.settings.declaration import FREE, REQUIRED, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vertex:
    """What only Vertex AI needs to know."""

    project: str = setting(
        REQUIRED,
        FREE,
        # Also as a number, or within a domain as example.com:my-project.
        pattern=r"([a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]|[0-9]{6,}",
        form="a project's ID, 6 to 30 lower-case letters, digits and inner hyphens, or its number; "
        "`gcloud projects list` shows them",
    )
    """Google Cloud project that pays for the job."""
    region: str = setting(
        REQUIRED,
        FREE,
        pattern=r"[a-z]+(-[a-z]+)+[0-9]{1,2}",
        form="a region such as us-central1, without the letter of a zone",
    )
    """Location of the job; the bucket should lie in it too."""
    service_account: str | None = setting(
        None,
        FREE,
        pattern=r"[^@\s]+@[^@\s]+\.gserviceaccount\.com",
        form="a service account's e-mail, NAME@PROJECT.iam.gserviceaccount.com",
    )
    """E-mail that the containers act as; none takes Vertex AI's default."""
    tensorboard: str | None = setting(
        None,
        FREE,
        pattern=r"projects/[^/]+/locations/[^/]+/tensorboards/[^/]+",
        form="projects/PROJECT/locations/REGION/tensorboards/ID",
    )
    """TensorBoard to stream to; needs `service_account`."""
    flex_start: bool = setting(False, FREE)
    """Wait until all machines are there (Dynamic Workload Scheduler, FLEX_START); of GPUs for L4,
    A100, H100, H200 and B200, and up to 168 hours. Not together with `spot`."""
    max_wait_hours: float | None = setting(None, FREE, ge=0, le=8760, unit="hours")
    """How long `flex_start` waits; 0 for as long as it takes, none for Vertex AI's own, a day."""
    network: str | None = setting(
        None,
        FREE,
        pattern=r"projects/[0-9]+/global/networks/[a-z]([-a-z0-9]*[a-z0-9])?",
        form="projects/NUMBER/global/networks/NAME, with the project's number, not its ID",
    )
    """VPC network to which the job is peered; none for none."""
    network_attachment: str | None = setting(
        None,
        FREE,
        pattern=r"(projects/[^/]+/regions/[^/]+/networkAttachments/)?[a-z]([-a-z0-9]*[a-z0-9])?",
        form="NAME, or projects/PROJECT/regions/REGION/networkAttachments/NAME",
    )
    """Network attachment by which the job reaches a VPC network over Private Service Connect,
    in the place of `network`."""
    kms_key: str | None = setting(
        None,
        FREE,
        pattern=r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+",
        form="projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY",
    )
    """Your own key, with which the disks of the job are encrypted; the bucket has its own."""
    boot_disk_type: str | None = setting(
        None, FREE, choices=("pd-ssd", "pd-standard", "hyperdisk-balanced")
    )
    """Disk type, of those that the machine type allows; none takes the one that Vertex AI has for
    it."""
    boot_disk_gb: int = setting(200, FREE, ge=100, le=64_000, unit="GiB")
    """Size of the boot disk in GiB; holds the image and /tmp."""

    @property
    def max_wait_seconds(self) -> int:
        """How long `flex_start` waits; at least 1 unless it is to be for ever, which 0 means."""
        hours = self.max_wait_hours or 0
        return max(1, round(hours * 3600)) if hours else 0
