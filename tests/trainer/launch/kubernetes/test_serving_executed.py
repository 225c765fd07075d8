# SPDX-License-Identifier: MIT
"""A pod of this project's server is executed here, with the rights that its manifest leaves it."""

import pathlib
import shutil
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from cxr14_executed import Execution
from cxr14_pods import Machine

from trainer.launch.description import job_file as reader
from trainer.launch.kubernetes import render

pytestmark = [pytest.mark.slow, pytest.mark.distributed]
_PATIENCE = 300  # seconds until it is ready, and to the end


def test_a_pod_is_ready_when_its_model_is_and_ends_well(
    job_file: Callable[..., str],
    finished_run: Any,
    execute: Callable[..., Execution],
    machine: Machine,
) -> None:
    model = pathlib.Path(finished_run.output) / "saved_model"
    shutil.copytree(model, machine.bucket("my-bucket") / "runs/quick/saved_model")
    serve = {"server": "cxr14", "image": "registry.example.com/serve:1.0"}
    deployment, _ = render.render(reader.load(job_file(serve=serve)), "serve")["items"]
    template = deployment["spec"]["template"]
    [server] = template["spec"]["containers"]
    # What a node does itself is done below.
    probes = [
        server.pop(f"{name}Probe")["httpGet"] for name in ("startup", "readiness", "liveness")
    ]
    del server["lifecycle"]
    [port] = [port["containerPort"] for port in server.pop("ports")]
    template["spec"]["restartPolicy"] = "Never"
    execution = execute(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "serve"},
            "spec": {"backoffLimit": 0, "template": template},
        }
    )
    execution.until(lambda: execution.pods, _PATIENCE)
    pod = execution.pod()
    [path] = {probe["path"] for probe in probes}

    def ready() -> bool:
        time.sleep(1)  # as a node does, which leaves the cores to the pod meanwhile
        return pod.asked(path, port) == 200

    execution.until(ready, _PATIENCE)
    pod.signal(signal.SIGTERM)
    assert execution.finish(_PATIENCE).type == "Complete", execution.text()
    assert execution.codes == [0]
