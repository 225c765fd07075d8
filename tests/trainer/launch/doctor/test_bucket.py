# SPDX-License-Identifier: MIT
"""A bucket is tried with the rights of whoever asks, and nothing stays in it."""

from typing import Any

import pytest

from preprocessing.contract.files.google_storage import GoogleCloudStorage
from trainer.launch.doctor import bucket as buckets
from trainer.launch.doctor.sight import LOGIN

SA = "cxr14@my-project.iam.gserviceaccount.com"


def tried(output: str, account: str | None = SA, region: str | None = None) -> list[Any]:
    return list(buckets.findings(output, account, region))


def test_a_bucket_that_works_is_left_as_it_was(on_gcs: Any, bucket: str) -> None:
    mine, job = tried(f"{bucket}/runs/1")
    assert mine.ok and "with the rights of your login" in mine.said
    assert job.ok is None and SA in job.what
    assert f"add-iam-policy-binding {bucket} --member=serviceAccount:{SA} --role=roles/" in job.fix
    assert on_gcs.names(bucket) == []
    assert tried(f"{bucket}/runs/1", None)[1].ok is None


def test_the_rights_of_the_jobs_own_account_are_known(
    on_gcs: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GoogleCloudStorage, "account", SA)
    [own] = tried(f"{bucket}/runs/1")
    assert own.ok and SA in own.said
    on_gcs.spoil("^POST .*/upload/", "status", argument=403, times=9)
    [own] = tried(f"{bucket}/runs/1")
    assert own.ok is False and f"--member=serviceAccount:{SA}" in own.fix


@pytest.mark.parametrize("request_", ["POST .*/upload/", "GET .*alt=media", "DELETE "])
def test_a_refusal_of_another_account_is_unknown(on_gcs: Any, bucket: str, request_: str) -> None:
    on_gcs.spoil(f"^{request_}", "status", argument=403, times=100)
    mine, job = tried(f"{bucket}/runs/1")
    assert mine.ok is None and "storage.objects." in mine.said and mine.fix == LOGIN
    assert job.ok is None
    left = on_gcs.names(bucket)
    assert bool(left) == (request_ == "DELETE ")
    assert all(name in mine.said for name in left)


def test_a_bucket_that_is_not_there_is_wrong(on_gcs: Any) -> None:
    [found] = tried("gs://cxr14-no-such-bucket/runs/1")
    assert found.ok is False
    assert found.fix == "gcloud storage buckets create gs://cxr14-no-such-bucket"


def test_no_credentials_and_other_stores_are_unknown(
    on_gcs: Any, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    [found, place] = tried(f"{bucket}/runs/1", SA, "us-central1")
    assert found.ok is None and found.fix == LOGIN and place.ok is None
    [other] = tried("s3://bucket/runs/1", SA, "us-central1")
    assert other.ok is None


@pytest.mark.parametrize(
    ("place", "region", "fix"),
    [
        ("US-CENTRAL1", "us-central1", False),
        ("US", "us-east4", False),
        ("NAM4", "us-central1", False),
        ("EU", "us-central1", True),
        ("EUROPE-WEST4", "us-central1", True),
    ],
)
def test_a_bucket_far_away_is_named(
    on_gcs: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    region: str,
    fix: bool,
) -> None:
    monkeypatch.setattr(GoogleCloudStorage, "location", lambda self, path: place)
    found = tried(f"{bucket}/runs/1", SA, region)[-1]
    assert found.ok and place in found.said and bool(found.fix) is fix


def test_the_place_is_asked_of_the_store(on_gcs: Any, bucket: str) -> None:
    assert tried(f"{bucket}/runs/1", SA, "us-central1")[-1].said.startswith("US-CENTRAL1")
    on_gcs.spoil("^GET .*/b/[^/]*$|^GET .*/b/[^/]*[?]", "status", argument=403, times=9)
    hidden = tried(f"{bucket}/runs/1", SA, "us-central1")[-1]
    assert hidden.ok is None and "gcloud storage buckets describe" in hidden.fix
