# SPDX-License-Identifier: MIT
"""Several replicas become a JobSet whose pods find each other and restart together."""

import re
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest

from preprocessing.contract import errors
from trainer.distribution import cluster
from trainer.launch import task
from trainer.launch.description import job_file
from trainer.launch.kubernetes import render
from trainer.training import starts

WORKERS = 3


@pytest.fixture
def manifest(job_file: Callable[..., str]) -> dict[str, Any]:
    return spec_of(job_file(replicas=WORKERS))


def spec_of(path: str) -> dict[str, Any]:
    rendered = render.render(job_file.load(path))
    assert rendered["apiVersion"] == render.JOBSET and rendered["kind"] == "JobSet"
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


def action_on(rendered: dict[str, Any], reason: str, message: str = "") -> str:
    """What the JobSet does about a failed Job: the first rule that matches counts."""
    for rule in rendered["spec"]["failurePolicy"]["rules"]:
        patterns = rule.get("onJobFailureMessagePatterns", [""])
        if reason in rule["onJobFailureReasons"] and any(re.search(p, message) for p in patterns):
            return rule["action"]
    return "RestartJobSet"


def action_on_code(rendered: dict[str, Any], exit_code: int) -> str:
    """What the JobSet does when a pod ends so, from the words of the Job controller."""
    index = rule_that_fails(rendered, exit_code)
    if index is None:
        return action_on(rendered, "BackoffLimitExceeded")
    return action_on(
        rendered,
        "PodFailurePolicy",
        f"Container trainer for pod a/b failed with exit code {exit_code} matching FailJob rule at "
        f"index {index}",
    )


@pytest.mark.parametrize(
    ("exit_code", "action"),
    [
        (errors.UsageError.exit_code, "FailJobSet"),
        (errors.DataError.exit_code, "FailJobSet"),
        (errors.ConfigError.exit_code, "FailJobSet"),
        (errors.StoppedError.exit_code, "RestartJobSetAndIgnoreMaxRestarts"),
        (errors.ResourceError.exit_code, "RestartJobSet"),
        (1, "RestartJobSet"),
        (137, "RestartJobSet"),
    ],
)
def test_exit_codes_of_the_trainer_decide_about_restarts(
    manifest: dict[str, Any], exit_code: int, action: str
) -> None:
    assert action_on_code(manifest, exit_code) == action
    assert manifest["spec"]["failurePolicy"]["maxRestarts"] == 6


def test_an_attempt_that_takes_all_the_time_is_the_last(manifest: dict[str, Any]) -> None:
    assert child(manifest)["spec"]["activeDeadlineSeconds"] == 24 * 3600
    assert action_on(manifest, "DeadlineExceeded") == "FailJobSet"


@pytest.mark.parametrize(("attempt", "ends"), [("0", False), ("102", False), ("103", True)])
def test_uncounted_restarts_are_bounded(
    job_file: Callable[..., str], attempt: str, ends: bool
) -> None:
    environ = environment(spec_of(job_file(replicas=WORKERS, restarts=2)), attempt)
    if not ends:
        starts.check_platform(environ)
        return
    with pytest.raises(errors.ConfigError) as caught:
        starts.check_platform(environ)
    assert action_on_code(spec_of(job_file(replicas=WORKERS)), caught.value.exit_code) == (
        "FailJobSet"
    )


def environment(rendered: dict[str, Any], attempt: str = "0") -> dict[str, str]:
    """The variables of a pod, with the annotations that JobSet gives it."""
    annotations = {"jobset-name": rendered["metadata"]["name"], "restart-attempt": attempt}
    paths = {f"metadata.annotations['jobset.sigs.k8s.io/{k}']": v for k, v in annotations.items()}
    [container] = child(rendered)["spec"]["template"]["spec"]["containers"]
    return {
        variable["name"]: paths[variable["valueFrom"]["fieldRef"]["fieldPath"]]
        if "valueFrom" in variable
        else variable["value"]
        for variable in container["env"]
    }


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
    environ = environment(manifest)
    for index in range(WORKERS):
        found = cluster.find({**environ, "JOB_COMPLETION_INDEX": str(index)})
        assert found.number == index
        assert found.hosts["worker"] == tuple(
            f"quick-run-worker-0-{at}.quick-run:2222" for at in range(WORKERS)
        )


@pytest.mark.parametrize(("letters", "code"), [(46, 0), (47, 78)])
def test_a_name_too_long_for_a_host_is_refused(
    job_file: Callable[..., str], capsys: pytest.CaptureFixture[str], letters: int, code: int
) -> None:
    # With -worker-0-2 a host has 57 characters, and its pod's name, with six more, 63.
    path = job_file(name="a" * letters, replicas=WORKERS)
    assert task.run(["cxr14-launch", "kubernetes", f"--job={path}", "--dry_run"]) == code
    shown = capsys.readouterr()
    assert (f"{path}, line 1: name is" in shown.err) == (code == 78)
    assert bool(shown.out) == (code == 0)


def test_a_dry_run_says_what_the_time_limit_counts(
    job_file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    for replicas, said in ((1, False), (WORKERS, True)):
        path = job_file(replicas=replicas)
        assert task.run(["cxr14-launch", "kubernetes", f"--job={path}", "--dry_run"]) == 0
        assert ("24 hours count for each attempt" in capsys.readouterr().err) == said
