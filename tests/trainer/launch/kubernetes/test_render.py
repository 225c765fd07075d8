# SPDX-License-Identifier: MIT
"""The rendered Kubernetes Job retries what can succeed and nothing else, and runs unprivileged."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml

from preprocessing.contract import errors
from trainer.launch.description import job_file as reader
from trainer.launch.description.kubernetes import Kubernetes
from trainer.launch.kubernetes import connection, render


@pytest.fixture
def manifest(job_file: Callable[..., str]) -> dict[str, Any]:
    return spec_of(job_file())


def spec_of(path: str) -> dict[str, Any]:
    rendered = render.render(reader.load(path))
    kubernetes_validate.validate(rendered, "1.33", strict=True)
    return rendered


def pod(rendered: dict[str, Any]) -> dict[str, Any]:
    return rendered["spec"]["template"]["spec"]


def action_on(rendered: dict[str, Any], exit_code: int) -> str:
    """What Kubernetes does: the first rule that matches wins, without one the failure counts."""
    for rule in rendered["spec"]["podFailurePolicy"]["rules"]:
        condition = rule.get("onExitCodes")
        if condition and condition["containerName"] == pod(rendered)["containers"][0]["name"]:
            assert condition["operator"] == "In"
            if exit_code in condition["values"]:
                return rule["action"]
    return "Count"


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (errors.UsageError, "FailJob"),
        (errors.DataError, "FailJob"),
        (errors.ConfigError, "FailJob"),
        (errors.StoppedError, "Ignore"),
        (errors.ResourceError, "Count"),
        (errors.JobError, "Count"),
    ],
)
def test_exit_codes_of_the_trainer_decide_about_retries(
    manifest: dict[str, Any], error: type[errors.JobError], action: str
) -> None:
    assert action_on(manifest, error.exit_code) == action


@pytest.mark.parametrize("exit_code", [1, 137, 139])
def test_crashes_count_against_the_limit(manifest: dict[str, Any], exit_code: int) -> None:
    assert action_on(manifest, exit_code) == "Count"
    assert manifest["spec"]["backoffLimit"] == 6


def test_pods_that_do_not_count_end_with_the_time_of_the_job(manifest: dict[str, Any]) -> None:
    assert manifest["spec"]["activeDeadlineSeconds"] == 24 * 3600
    assert "activeDeadlineSeconds" not in pod(manifest)  # which would begin anew with each pod


def test_a_preempted_pod_is_replaced_uncounted_unless_it_is_hopeless(
    manifest: dict[str, Any],
) -> None:
    hopeless, preempted, _ = manifest["spec"]["podFailurePolicy"]["rules"]
    assert hopeless["action"] == "FailJob"
    assert preempted == {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }


def test_two_pods_never_write_one_folder(manifest: dict[str, Any]) -> None:
    assert manifest["spec"]["podReplacementPolicy"] == "Failed"
    assert manifest["spec"]["parallelism"] == 1
    assert pod(manifest)["restartPolicy"] == "Never"  # which podFailurePolicy requires


def test_the_container_is_unprivileged_and_writes_to_its_volumes_only(
    manifest: dict[str, Any],
) -> None:
    [container] = pod(manifest)["containers"]
    assert pod(manifest)["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"tmp": "/tmp", "shared-memory": "/dev/shm"}
    assert {volume["name"] for volume in pod(manifest)["volumes"]} == set(mounts)


def test_the_pod_runs_as_the_user_of_the_image(manifest: dict[str, Any]) -> None:
    dockerfile = (pathlib.Path(__file__).parents[4] / "Dockerfile").read_text()
    security = pod(manifest)["securityContext"]
    assert f"\nUSER {security['runAsUser']}:{security['runAsGroup']}\n" in dockerfile


def test_gpus_are_requested_and_their_nodes_tolerated(manifest: dict[str, Any]) -> None:
    assert pod(manifest)["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert [toleration["key"] for toleration in pod(manifest)["tolerations"]] == ["nvidia.com/gpu"]


def test_without_accelerator_no_gpu_is_asked_for(job_file: Callable[..., str]) -> None:
    rendered = pod(spec_of(job_file(accelerator=..., machine_type=...)))
    assert list(rendered["containers"][0]["resources"]["limits"]) == ["memory"]
    assert "tolerations" not in rendered


def test_spot_selects_and_tolerates_spot_nodes(job_file: Callable[..., str]) -> None:
    rendered = pod(spec_of(job_file(spot=True)))
    assert rendered["nodeSelector"] == {
        "node.kubernetes.io/instance-type": "g2-standard-24",
        "cloud.google.com/gke-spot": "true",
    }
    assert "cloud.google.com/gke-spot" in [item["key"] for item in rendered["tolerations"]]


def test_every_setting_of_the_section_reaches_the_manifest(job_file: Callable[..., str]) -> None:
    section = Kubernetes(
        namespace="elsewhere",
        service_account="somebody",
        cpu="7",
        memory="77Gi",
        shared_memory="3Gi",
        scratch="9Gi",
        grace_seconds=99,
        node_selector={"pool": "training"},
    )
    manifest = spec_of(job_file(kubernetes=dataclasses.asdict(section), env={"LEVEL": "1e3"}))
    text = yaml.safe_dump(manifest)
    for word in ("elsewhere", "somebody", "77Gi", "3Gi", "9Gi", "99", "training", "1e3"):
        assert word in text
    assert pod(manifest)["containers"][0]["resources"]["requests"]["cpu"] == "7"


@pytest.mark.parametrize("changes", [{}, {"spot": True}, {"accelerator": ..., "machine_type": ...}])
def test_one_pod_serves_both(job_file: Callable[..., str], changes: dict[str, object]) -> None:
    alone = render.render(reader.load(job_file(env={"LEVEL": "1"}, **changes)))
    several = render.render(reader.load(job_file(env={"LEVEL": "1"}, replicas=2, **changes)))
    first = alone["spec"]["template"]["spec"]
    second = several["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    own, added = (spec["containers"][0].pop("env") for spec in (first, second))
    assert first == second
    assert own == [{"name": "LEVEL", "value": "1"}]
    assert added[-1] == own[0]
    assert {entry["name"] for entry in added[:-1]} == {
        "CXR14_MOST_RESTARTS",
        "CXR14_PORT",
        "CXR14_RESTARTS",
        "CXR14_WORKERS",
        "JOBSET_NAME",
    }


def test_an_exit_code_is_hopeless_or_worth_another_try() -> None:
    assert errors.StoppedError.exit_code not in render.HOPELESS
    assert render.HOPELESS == [3, 64, 65, 78]


def test_the_packages_to_install_are_those_of_the_extra() -> None:
    text = (pathlib.Path(__file__).parents[4] / "setup.py").read_text()
    extra = text[text.index('"launch": [') : text.index('"tensorflow-io": [')]
    packages = connection.INSTALL.removeprefix("pip install ").split()
    assert len(packages) == 2
    for package in packages:
        assert package.replace("'", '"') in extra


def test_a_cluster_searches_no_settings(job_file: Callable[..., str]) -> None:
    with pytest.raises(errors.UsageError, match="--stage=tune is for vertex"):
        render.render(reader.load(job_file()), "tune")
