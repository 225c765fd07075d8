# SPDX-License-Identifier: MIT
"""Several replicas become a JobSet whose pods find each other and restart together."""

import re
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest

from preprocessing.contract import errors
from trainer import cluster
from trainer.launch import job_file, jobset, kubernetes, task

WORKERS = 3


@pytest.fixture
def manifest(job_file: Callable[..., str]) -> dict[str, Any]:
    return render(job_file(replicas=WORKERS))


def render(path: str) -> dict[str, Any]:
    rendered = kubernetes.render(job_file.load(path))
    assert rendered["apiVersion"] == jobset.API and rendered["kind"] == "JobSet"
    kubernetes_validate.validate(child(rendered), "1.33", strict=True)
    return rendered


def child(rendered: dict[str, Any]) -> dict[str, Any]:
    """The Job that the JobSet makes."""
    [replicated] = rendered["spec"]["replicatedJobs"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "child"},
        **replicated["template"],
    }


def rule_that_fails(rendered: dict[str, Any], exit_code: int) -> int | None:
    """The index of the child Job's first rule for an exit code."""
    rules = child(rendered)["spec"]["podFailurePolicy"]["rules"]
    for index, rule in enumerate(rules):
        if exit_code in rule.get("onExitCodes", {}).get("values", []):
            assert rule["action"] == "FailJob"
            return index
    return None


def action_on(rendered: dict[str, Any], exit_code: int) -> str:
    """What the JobSet does: first by rule, as its controller does, from the controllers' words."""
    index = rule_that_fails(rendered, exit_code)
    reason = "BackoffLimitExceeded" if index is None else "PodFailurePolicy"
    message = (
        f"Container trainer for pod a/b failed with exit code {exit_code} matching FailJob rule at "
        f"index {index}"
    )
    for rule in rendered["spec"]["failurePolicy"]["rules"]:
        patterns = rule.get("onJobFailureMessagePatterns", [""])
        if reason in rule["onJobFailureReasons"] and any(re.search(p, message) for p in patterns):
            return rule["action"]
    return "RestartJobSet"


@pytest.mark.parametrize(
    ("exit_code", "action"),
    [
        (errors.UsageError.exit_code, "FailJobSet"),
        (errors.DataError.exit_code, "FailJobSet"),
        (errors.ConfigError.exit_code, "FailJobSet"),
        (errors.StoppedError.exit_code, "RestartJobSetAndIgnoreMaxRestarts"),
        (1, "RestartJobSet"),
        (137, "RestartJobSet"),
    ],
)
def test_exit_codes_of_the_trainer_decide_about_restarts(
    manifest: dict[str, Any], exit_code: int, action: str
) -> None:
    assert action_on(manifest, exit_code) == action
    assert manifest["spec"]["failurePolicy"]["maxRestarts"] == 6


def test_a_preempted_pod_restarts_all_uncounted(manifest: dict[str, Any]) -> None:
    rules = child(manifest)["spec"]["podFailurePolicy"]["rules"]
    assert {"type": "DisruptionTarget", "status": "True"} in rules[1]["onPodConditions"]
    assert rules[1]["action"] == "FailJob"


def test_two_generations_never_write_one_folder(manifest: dict[str, Any]) -> None:
    assert manifest["spec"]["failurePolicy"]["restartStrategy"] == "BlockingRecreate"
    assert child(manifest)["spec"]["backoffLimit"] == 0


def test_the_trainer_finds_its_peers_in_the_variables(manifest: dict[str, Any]) -> None:
    spec = child(manifest)["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == WORKERS
    [container] = spec["template"]["spec"]["containers"]
    environ = {}
    for variable in container["env"]:
        path = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
        named = path == "metadata.annotations['jobset.sigs.k8s.io/jobset-name']"
        environ[variable["name"]] = manifest["metadata"]["name"] if named else variable["value"]
    for index in range(WORKERS):
        found = cluster.find({**environ, "JOB_COMPLETION_INDEX": str(index)})
        assert found.number == index
        assert found.hosts["worker"] == tuple(
            f"quick-run-worker-0-{at}.quick-run:2222" for at in range(WORKERS)
        )


def test_a_name_too_long_for_a_host_is_refused(
    job_file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = job_file(name="a" * 55, replicas=WORKERS)
    assert task.run(["cxr14-launch", "kubernetes", f"--job={path}", "--dry_run"]) == 78
    shown = capsys.readouterr()
    assert shown.out == "" and f"{path}: name is" in shown.err
