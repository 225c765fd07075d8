# SPDX-License-Identifier: MIT
"""The pod of a Job and that of a JobSet are the same but for what names the workers."""

from collections.abc import Callable

import pytest

from preprocessing.contract import errors
from trainer.launch import job_file as reader
from trainer.launch import kubernetes, pod


@pytest.mark.parametrize("changes", [{}, {"spot": True}, {"accelerator": ..., "machine_type": ...}])
def test_one_pod_serves_both(job_file: Callable[..., str], changes: dict[str, object]) -> None:
    alone = kubernetes.render(reader.load(job_file(env={"LEVEL": "1"}, **changes)))
    several = kubernetes.render(reader.load(job_file(env={"LEVEL": "1"}, replicas=2, **changes)))
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
    assert errors.StoppedError.exit_code not in pod.HOPELESS
    assert pod.HOPELESS == [64, 65, 78]
