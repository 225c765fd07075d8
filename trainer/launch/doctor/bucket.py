# SPDX-License-Identifier: MIT
"""Tries out the bucket that a job writes to, and says whose rights that were and where it lies."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from preprocessing.contract.errors import JobError, ResourceError
from preprocessing.contract.files import buckets, probe, storage
from trainer.launch.doctor.sight import LOGIN
from trainer.launch.platform import Finding

if TYPE_CHECKING:
    from preprocessing.contract.files.google_storage import GoogleCloudStorage

_ROLE = "roles/storage.objectUser"
# Regions that a location of several has, by the start of their names.
_PARTS = {"US": ("us-",), "EU": ("europe-",), "ASIA": ("asia-",)}


def findings(output: str, account: str | None, region: str | None) -> Iterator[Finding]:
    """Writes, reads, renames and deletes a small object, and asks where the bucket lies.

    Args:
        output: folder that the job writes to.
        account: e-mail that the job acts as; None if that is not known.
        region: of the job; None if that is not known.
    """
    if storage.scheme_of(output) != "gs":
        said = "only gs:// can be tried from here: the first start of the job tries it"
        yield Finding(f"output {output}", None, said)
        return
    yield from _rights(output, account)
    if region is not None:
        yield _place(output, region)


def _rights(output: str, account: str | None) -> Iterator[Finding]:
    what, bucket = f"output {output}", _bucket(output)
    try:
        mine = _store().account
    except JobError as error:
        yield Finding(what, None, str(error), LOGIN)
        return
    try:
        probe.check(output)
    except ResourceError as error:
        yield Finding(what, None, str(error))
    except JobError as error:
        # Nobody finds a bucket that is not there; all else is about the rights of these
        # credentials, which need not be the job's.
        if _is_absence(error):
            yield Finding(what, False, str(error), f"gcloud storage buckets create {bucket}")
            return
        ok = False if mine and mine == account else None
        yield Finding(what, ok, str(error), _grant(bucket, mine) if mine else LOGIN)
    else:
        said = f"written, read, renamed and deleted with the rights of {mine or 'your login'}"
        yield Finding(what, True, said)
    if not mine or mine != account:
        yield _other(bucket, account)


def _other(bucket: str, account: str | None) -> Finding:
    """Says that the job has an account of its own, whose rights nobody else can try."""
    what = f"rights of {account or 'the account that the job acts as'} on {bucket}"
    said = "not tried, they are not yours"
    if account is None:
        return Finding(what, None, said, f"see that it has {_ROLE} on the bucket")
    return Finding(what, None, said, f"{_grant(bucket, account)} (does no harm twice)")


def _grant(bucket: str, account: str) -> str:
    kind = "serviceAccount" if account.endswith("gserviceaccount.com") else "user"
    return (
        f"gcloud storage buckets add-iam-policy-binding {bucket} --member={kind}:{account} "
        f"--role={_ROLE}"
    )


def _place(output: str, region: str) -> Finding:
    bucket = _bucket(output)
    what = f"place of {bucket}"
    try:
        place = _store().location(output)
    except JobError:
        command = f"gcloud storage buckets describe {bucket} --format='value(location)'"
        return Finding(what, None, "not shown to you (storage.buckets.get)", command)
    if not place:
        return Finding(what, None, "the store does not say")
    pair = "-" not in place and place not in _PARTS  # two regions by one name, as NAM4
    if pair or place.lower() == region or region.startswith(_PARTS.get(place, ())):
        return Finding(what, True, f"{place}, and the job runs in {region}")
    said = f"{place}, and the job runs in {region}: reading is slow there, and is paid for"
    return Finding(what, True, said, f"gcloud storage buckets create gs://... --location={region}")


def _store() -> "GoogleCloudStorage":
    return cast("GoogleCloudStorage", buckets.of("gs"))


def _is_absence(error: JobError) -> bool:
    from google.api_core import exceptions  # a dry run need not wait for it

    return isinstance(error.__cause__, exceptions.NotFound)


def _bucket(path: str) -> str:
    return f"gs://{path.removeprefix('gs://').partition('/')[0]}"
