# SPDX-License-Identifier: MIT
"""Whatever Google refuses, one sentence says why and what to do."""

from collections.abc import Callable
from typing import Any

import pytest
from cxr14_google_apis import info

Launch = Callable[..., tuple[int, str, str]]
CREATE = "^POST .*/customJobs$"


REFUSALS: list[tuple[int, dict[str, Any], str]] = [
    (401, {"message": "Request had invalid authentication credentials."}, "auth application-def"),
    (
        403,
        {"details": info("SERVICE_DISABLED", service="aiplatform.googleapis.com")},
        "`gcloud services enable aiplatform.googleapis.com --project=my-project`",
    ),
    (
        403,
        {"details": info("SERVICE_DISABLED", consumer="projects/764086051850")},
        "`gcloud auth application-default set-quota-project my-project`",
    ),
    (
        403,
        {"details": info("IAM_PERMISSION_DENIED", permission="aiplatform.customJobs.create")},
        "aiplatform.customJobs.create is missing in my-project (403: it is said why): let an owner "
        "of my-project run `gcloud projects add-iam-policy-binding my-project "
        "--member=user:EMAIL --role=roles/aiplatform.user`",
    ),
    (
        403,
        {"message": "You do not have permission to act as service account: a@b"},
        "--role=roles/iam.serviceAccountUser",
    ),
    (403, {"message": "no"}, "--role=roles/aiplatform.user"),
    (
        429,
        {
            "message": "The following quota metrics exceed quota limits: "
            "aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus"
        },
        "ask for more of aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus at https:",
    ),
    (400, {"message": "Machine type is not supported."}, "400: Machine type is not supported."),
    (404, {"message": "gone"}, "check the project, the region and the name"),
]


@pytest.mark.parametrize(("status", "error", "named"), REFUSALS)
def test_a_refusal_is_one_sentence_with_what_to_do_and_is_final(
    launch: Launch,
    google_apis: Any,
    job_file: Callable[..., str],
    status: int,
    error: dict[str, Any],
    named: str,
) -> None:
    google_apis.fail(CREATE, status, times=1000, **error)
    code, out, err = launch("submit", f"--job={job_file()}")
    assert (code, out) == (78, "")
    assert named in err.splitlines()[-1]
    assert len(google_apis.made(CREATE)) == 1
