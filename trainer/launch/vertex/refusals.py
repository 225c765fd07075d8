# SPDX-License-Identifier: MIT
"""Says in one sentence what an error of a Google Cloud API means, and what to do about it."""

import re
from typing import Any

from preprocessing.contract.errors import ConfigError, JobError, ServiceError
from preprocessing.contract.files import faults

NAMES = {
    "aiplatform": "Vertex AI",
    "compute": "Compute Engine",
    "dataflow": "Dataflow",
    "iam": "IAM",
    "logging": "Cloud Logging",
    "cloudresourcemanager": "the Resource Manager",
    "serviceusage": "Service Usage",
}
# A role that has a permission, by what the permission begins with; the first one that fits.
_ROLES = {
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
    "iam": "roles/iam.serviceAccountViewer",
    "aiplatform": "roles/aiplatform.user",
    "dataflow": "roles/dataflow.developer",
    "logging": "roles/logging.viewer",
    "compute": "roles/compute.viewer",
    "resourcemanager": "roles/browser",
    "serviceusage": "roles/serviceusage.serviceUsageConsumer",
}
# The project of gcloud itself, in whose name a login is used that names no project of its own.
_OF_GCLOUD = "projects/764086051850"
_METRIC = re.compile(r"[a-z]+\.googleapis\.com/[a-z0-9_]+")
_USED_UP = re.compile(r"exceed quota limits|exceeds the allowed|Quota failure", re.IGNORECASE)
_ACT_AS = re.compile("actAs|act as")
_PERMISSION = re.compile(r"\b[a-z]+\.[A-Za-z]+\.[A-Za-z]+\b")


class RefusedError(JobError):
    """A service, or a login, refuses for good what is not the job file's fault (exit 78).

    Attributes:
        status: of the answer, by HTTP; 0 if nothing was asked.
        reason: Google's word for it, such as SERVICE_DISABLED; empty if it gives none.
    """

    exit_code = ConfigError.exit_code

    def __init__(self, text: str, status: int = 0, reason: str = "") -> None:
        super().__init__(text)
        self.status, self.reason = status, reason


def meaning(api: str, project: str, status: int, error: dict[str, Any]) -> JobError:
    """Returns what an answer other than success means.

    Args:
        api: one of `NAMES`.
        project: that the request was about.
        status: of the answer, by HTTP.
        error: by Google's convention, with `message` and `details` where they are known.

    Returns:
        ServiceError: the same request may succeed later. RefusedError: it will not.
    """
    said = f"{status}: {faults.line(error.get('message') or 'no reason given')}"
    info = _info(error)
    reason = str(info.get("reason", ""))
    name = NAMES[api]
    used_up = _USED_UP.search(said) or "custom_model_training" in said
    if status in (408, 425) or status >= 500 or (status == 429 and not used_up):
        return ServiceError(f"{name} did not answer ({said}): run the same command again")
    if status == 401:
        text = f"{name} did not take the login ({said}): {faults.LOGIN}"
    elif status == 429:
        text = f"a quota of {project} is used up ({said}): {_more_quota(project, said)}"
    elif status == 403:
        text = _forbidden(api, project, said, reason, info.get("metadata") or {})
    elif status == 404:
        text = (
            f"{name} does not find what was asked for in {project} ({said}): check the project, "
            "the region and the name"
        )
    else:
        text = f"{name} refused the request ({said}{_fields(error)}): change what it names"
    return RefusedError(text, status, reason)


def enable(project: str, *services: str) -> str:
    """Returns what to do about APIs that are not enabled."""
    names = " ".join(services)
    return f"run `gcloud services enable {names} --project={project}` and wait a minute"


def grant(project: str, role: str) -> str:
    """Returns what to do about a role that is missing."""
    return (
        f"let an owner of {project} run `gcloud projects add-iam-policy-binding {project} "
        f"--member=user:EMAIL --role={role}`"
    )


def let_act_as(account: str) -> str:
    """Returns what to do about a service account that a person may not use."""
    return (
        f"let an owner of it run `gcloud iam service-accounts add-iam-policy-binding {account} "
        "--member=user:EMAIL --role=roles/iam.serviceAccountUser`"
    )


def _more_quota(project: str, said: str) -> str:
    metric = _METRIC.search(said)
    which = f" of {metric[0]}" if metric else ""
    return (
        f"ask for more{which} at https://console.cloud.google.com/iam-admin/quotas?project="
        f"{project}, or change machine_type, replicas, spot or region"
    )


def _forbidden(api: str, project: str, said: str, reason: str, facts: dict[str, Any]) -> str:
    if reason == "SERVICE_DISABLED":
        if facts.get("consumer") == _OF_GCLOUD:
            return (
                f"the login of this machine names no project ({said}): run `gcloud auth "
                f"application-default set-quota-project {project}`"
            )
        service = facts.get("service", f"{api}.googleapis.com")
        return f"{service} is not enabled in {project} ({said}): {enable(project, service)}"
    found = _PERMISSION.search(said)
    permission = str(facts.get("permission") or (found[0] if found else ""))
    if _ACT_AS.search(f"{permission} {said}"):
        return f"you may not let a job act as its service account ({said}): {let_act_as('ACCOUNT')}"
    if not permission:
        return f"{NAMES[api]} refused the request ({said}): {grant(project, _ROLES[_key(api)])}"
    role = _ROLES[_key(permission)]
    return f"{permission} is missing in {project} ({said}): {grant(project, role)}"


def _key(permission: str) -> str:
    """Returns the key of `_ROLES` that fits a permission or an API."""
    permission = permission.removeprefix("cloud")
    return next((key for key in _ROLES if permission.startswith(key)), "aiplatform")


def _info(error: dict[str, Any]) -> dict[str, Any]:
    for detail in _details(error):
        if str(detail.get("@type", "")).endswith("google.rpc.ErrorInfo"):
            return detail
    return {}


def _fields(error: dict[str, Any]) -> str:
    """Returns which fields of a request are wrong, where the answer says so."""
    wrong = [
        f"{one.get('field')}: {one.get('description')}"
        for detail in _details(error)
        for one in detail.get("fieldViolations") or ()
    ]
    return f"; {faults.line('; '.join(wrong))}" if wrong else ""


def _details(error: dict[str, Any]) -> list[dict[str, Any]]:
    details = error.get("details")
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
