# SPDX-License-Identifier: MIT
"""A manifest of which something would not be executed is refused; the shipped ones are not."""

import pathlib
import re
from typing import Any

import pytest
import yaml
from cxr14_fields import check

from preprocessing.contract.errors import ConfigError
from trainer.launch import task

ROOT = pathlib.Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "configs" / "jobs").glob("kubernetes_*.yaml"))


def rendered(path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert task.run(["cxr14-launch", "kubernetes", f"--job={path}", "--dry_run"]) == 0
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_the_shipped_job_files_render_is_executed_whole(
    path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(rendered(path, capsys))


@pytest.fixture
def manifest(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return rendered(ROOT / "configs" / "jobs" / "kubernetes_jobset.yaml", capsys)


@pytest.mark.parametrize(
    ("where", "key", "value", "named"),
    [
        ((), "kind", "Deployment", "no Deployment of jobset"),
        (("spec",), "successPolicy", {}, "execute spec.successPolicy:"),
        (
            ("spec", "failurePolicy"),
            "restartStrategy",
            "InPlaceRestart",
            "spec.failurePolicy.restartStrategy: 'InPlaceRestart'",
        ),
        (
            ("spec", "replicatedJobs", 0, "template", "spec"),
            "podFailurePolicy",
            {"rules": [{"action": "Count"}, {"action": "Retry"}]},
            "template.spec.podFailurePolicy.rules[1].action: 'Retry'",
        ),
        (
            ("spec", "replicatedJobs", 0, "template", "spec", "template", "spec"),
            "initContainers",
            [],
            "spec.replicatedJobs[0].template.spec.template.spec.initContainers:",
        ),
        (
            ("spec", "replicatedJobs", 0, "template", "spec", "template", "spec", "volumes", 0),
            "secret",
            {"secretName": "key"},
            "volumes[0].secret",
        ),
        (
            ("spec", "replicatedJobs", 0, "template", "spec", "template", "spec"),
            "containers",
            {"name": "trainer"},
            "spec.containers: {'name': 'trainer'}",
        ),
    ],
)
def test_what_would_not_be_executed_is_refused_by_name(
    manifest: dict[str, Any], where: tuple[Any, ...], key: str, value: Any, named: str
) -> None:
    place: Any = manifest
    for step in where:
        place = place[step]
    place[key] = value
    with pytest.raises(ConfigError, match=re.escape(named)):
        check(manifest)
