# SPDX-License-Identifier: MIT
"""What `doctor` looks at in a project of Google Cloud; it changes nothing."""

from collections.abc import Callable, Iterator

from preprocessing.contract.errors import ServiceError
from trainer.launch import platform
from trainer.launch.description.job import Job
from trainer.launch.platform import Finding
from trainer.launch.vertex import jobs, quota, refusals
from trainer.launch.vertex.dataflow_jobs import DataflowJobs
from trainer.launch.vertex.refusals import RefusedError
from trainer.launch.vertex.service import Google
from trainer.launch.vertex.training_jobs import TrainingJobs

_APIS = {
    "train": ("aiplatform", "logging", "storage"),
    "preprocess": ("dataflow", "compute", "logging", "storage"),
}
_VERTEX = [
    f"aiplatform.{kind}.{verb}"
    for kind in ("customJobs", "hyperparameterTuningJobs")
    for verb in ("create", "list", "cancel")
]
# What this program does, each with the role that brings it.
_PERMISSIONS = {
    "train": {
        **dict.fromkeys(_VERTEX, "roles/aiplatform.user"),
        "logging.logEntries.list": "roles/logging.viewer",
    },
    "preprocess": {
        "dataflow.jobs.create": "roles/dataflow.developer",
        "dataflow.jobs.list": "roles/dataflow.developer",
        "dataflow.jobs.cancel": "roles/dataflow.developer",
        "dataflow.messages.list": "roles/dataflow.developer",
    },
}


def look(google: Google, job: Job, stage: str) -> Iterator[Finding]:
    """Looks at everything that a job needs, in the order in which it would be missed.

    Raises:
        ServiceError: nothing answered.
    """
    try:
        yield Finding("login", True, google.login())
    except RefusedError as error:
        # Without one nothing else can be seen.
        yield Finding("login", False, str(error))
        return
    kind = "preprocess" if stage == "preprocess" else "train"
    checks: list[tuple[str, Callable[[], Finding]]] = [
        (f"project {google.project}", lambda: _project(google)),
        ("APIs", lambda: _apis(google, job, kind)),
        ("permissions", lambda: _permissions(google, kind)),
    ]
    account = job.vertex.service_account if job.vertex is not None else None
    if account is not None:
        checks.append((f"service account {account}", lambda: _account(google, account)))
    else:
        fix = "name one in vertex.service_account, so that its rights are known"
        yield Finding("service account", None, "none is named: it acts as the default one", fix)
    if kind == "train":
        at_once = job.tune.parallel_trials if stage == "tune" and job.tune is not None else 1
        checks.append(("quota", lambda: quota.finding(google, job, at_once)))
        checks.append((f"machine {job.machine_type}", lambda: quota.machine(google, job)))
    checks.append(("writers", lambda: _writers(google, job, stage)))
    lost: list[ServiceError] = []
    for what, check in checks:
        try:
            with platform.understood("Google Cloud"):
                found = check()
        except (RefusedError, ServiceError) as error:
            # Each says what is in the way; it may be a right that the job itself does not need.
            found = Finding(what, None, f"cannot be seen: {error}")
            lost += [error] if isinstance(error, ServiceError) else []
        yield found
    if len(lost) == len(checks):
        raise lost[0]


def _project(google: Google) -> Finding:
    what = f"project {google.project}"
    found = google.insist("GET", "cloudresourcemanager", f"v1/projects/{google.project}")
    state = found.get("lifecycleState", "ACTIVE")
    if state != "ACTIVE":
        fix = f"run `gcloud projects undelete {google.project}`, or name another project"
        return Finding(what, False, f"it is {state}", fix)
    return Finding(what, True, f"is there, with the number {found.get('projectNumber')}")


def _apis(google: Google, job: Job, kind: str) -> Finding:
    names = [f"{name}.googleapis.com" for name in _APIS[kind]]
    if ".pkg.dev/" in (job.preprocess_image if kind == "preprocess" else job.image):
        names.append("artifactregistry.googleapis.com")
    parent = f"projects/{google.project}"
    found = google.insist(
        "GET",
        "serviceusage",
        f"v1/{parent}/services:batchGet",
        query={"names": [f"{parent}/services/{name}" for name in names]},
    )
    on = {
        service.get("name", "").rpartition("/")[2]
        for service in found.get("services") or ()
        if service.get("state") == "ENABLED"
    }
    off = [name for name in names if name not in on]
    if off:
        fix = refusals.enable(google.project, *off)
        return Finding("APIs", False, f"{', '.join(off)} not enabled", fix)
    return Finding("APIs", True, f"{', '.join(names)} are enabled")


def _permissions(google: Google, kind: str) -> Finding:
    needed = _PERMISSIONS[kind]
    found = google.insist(
        "POST",
        "cloudresourcemanager",
        f"v1/projects/{google.project}:testIamPermissions",
        body={"permissions": list(needed)},
    )
    missing = [name for name in needed if name not in (found.get("permissions") or ())]
    if missing:
        roles = dict.fromkeys(needed[name] for name in missing)
        fix = "; ".join(refusals.grant(google.project, role) for role in roles)
        return Finding("permissions", False, f"{', '.join(missing)} are missing", fix)
    return Finding("permissions", True, f"to {', '.join(needed)}")


def _account(google: Google, account: str) -> Finding:
    what = f"service account {account}"
    path = f"v1/projects/-/serviceAccounts/{account}"
    try:
        if google.insist("GET", "iam", path).get("disabled"):
            fix = f"run `gcloud iam service-accounts enable {account}`"
            return Finding(what, False, "is disabled", fix)
    except RefusedError as error:
        if error.status == 404:
            name, _, domain = account.partition("@")
            fix = (
                f"run `gcloud iam service-accounts create {name} "
                f"--project={domain.partition('.')[0]}`"
            )
            return Finding(what, False, "is not there", fix)
        if error.status != 403:
            raise
    body = {"permissions": ["iam.serviceAccounts.actAs"]}
    found = google.insist("POST", "iam", f"{path}:testIamPermissions", body=body)
    if not found.get("permissions"):
        fix = refusals.let_act_as(account)
        return Finding(what, False, "you may not let a job act as it", fix)
    return Finding(what, True, "is there, and you may let a job act as it")


def _writers(google: Google, job: Job, stage: str) -> Finding:
    of_stage: jobs.Jobs
    of_stage = DataflowJobs(google) if stage == "preprocess" else TrainingJobs(google)
    output = job.output_of(stage)
    label = platform.labels(job, stage, output)[platform.OUTPUT]
    found = jobs.writer(of_stage, label)
    what = f"writers of {output}"
    if found is not None:
        fix = "a job that is sent now would not be made: follow that one, or cancel it"
        return Finding(what, True, str(found), fix)
    return Finding(what, True, "there is none, and jobs can be listed")
