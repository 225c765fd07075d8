# SPDX-License-Identifier: MIT
"""Whether a pod fits the nodes, the quotas and the limits of a cluster."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer.launch.description import job_file as reader
from trainer.launch.kubernetes import nodes, render
from trainer.launch.kubernetes.namespace import Namespace
from trainer.launch.kubernetes.service import Api

HERE = "/api/v1/namespaces/research"
SELECTED = {"node.kubernetes.io/instance-type": "g2-standard-24"}
TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("changes", "ok", "said"),
    [
        ([], None, "there are none now, which is right where an autoscaler makes them"),
        ([{}, {"gpus": 0}], True, "1 of 2 can take a pod of this job"),
        ([{"gpus": 0}], False, "asks for 2 nvidia.com/gpu, and the largest has 0"),
        ([{"cpu": "3920m"}], False, "asks for 4 cpu, and the largest has 3.92"),
        ([{"taints": [TAINT]}], True, "1 of 1"),
        ([{"taints": [{"key": "team", "effect": "NoExecute"}]}], False, "by taints (team)"),
        ([{"taints": [{"key": "team", "effect": "PreferNoSchedule"}]}], True, "1 of 1"),
    ],
)
def test_nodes(
    kubernetes_api: Any,
    job_file: Callable[..., str],
    changes: list[Any],
    ok: bool | None,
    said: str,
) -> None:
    for number, change in enumerate(changes):
        kubernetes_api.node(f"node-{number}", SELECTED, **change)
    pod = render.render(reader.load(job_file()))["spec"]["template"]["spec"]
    [found] = nodes.findings(Namespace(Api(), "research"), pod)
    assert found.what == "nodes with node.kubernetes.io/instance-type=g2-standard-24"
    assert found.ok is ok and said in found.said


@pytest.mark.parametrize(
    ("hard", "used", "ok", "said"),
    [
        ({"requests.nvidia.com/gpu": "8"}, {"requests.nvidia.com/gpu": "4"}, True, "has room"),
        ({"requests.nvidia.com/gpu": "8"}, {"requests.nvidia.com/gpu": "6"}, None, "6 of 8"),
        ({"requests.nvidia.com/gpu": "3"}, {}, False, "asks for 4 requests.nvidia.com/gpu"),
        ({"limits.cpu": "64"}, {}, False, "takes no pod without a limit of cpu"),
        ({"requests.cpu": "7"}, {}, False, "asks for 8 requests.cpu, and it allows 7"),
        ({"pods": "1"}, {}, False, "asks for 2 pods"),
        ({"configmaps": "1"}, {"configmaps": "1"}, True, "has room"),
    ],
)
def test_quotas(
    kubernetes_api: Any,
    job_file: Callable[..., str],
    hard: Any,
    used: Any,
    ok: bool | None,
    said: str,
) -> None:
    status = {"hard": hard, "used": used}
    kubernetes_api.put(f"{HERE}/resourcequotas/team", {"spec": {"hard": hard}, "status": status})
    manifest = render.render(reader.load(job_file(replicas=2)))
    [found] = nodes.quotas(Namespace(Api(), "research"), manifest)
    assert found.ok is ok and said in found.said


def test_a_default_limit_makes_up_for_one_that_the_job_does_not_set(
    kubernetes_api: Any, job_file: Callable[..., str]
) -> None:
    kubernetes_api.put(f"{HERE}/resourcequotas/team", {"spec": {"hard": {"limits.cpu": "64"}}})
    limits = [{"type": "Container", "default": {"cpu": "8"}}]
    kubernetes_api.put(f"{HERE}/limitranges/defaults", {"spec": {"limits": limits}})
    manifest = render.render(reader.load(job_file()))
    [found] = nodes.quotas(Namespace(Api(), "research"), manifest)
    assert found.ok is True
