# SPDX-License-Identifier: MIT
"""What a serving pod begins with is executed here, with the rights that its manifest leaves it."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cxr14_executed import Execution
from cxr14_pods import Machine

from trainer.launch.description import job_file
from trainer.launch.kubernetes import render

pytestmark = [pytest.mark.slow, pytest.mark.distributed]
_PATIENCE = 120  # seconds to the end
_FILES = {"saved_model.pb": "graph", "assets.extra/export.json": "{}"}


def first_container(path: pathlib.Path) -> dict[str, Any]:
    """Returns a Job of what comes before the server, with the server's copy of the model kept."""
    job = {
        "name": "chest",
        "image": "example.com/cxr14:1.0",
        "output": "gs://clinic/run",
        "args": {"data": "gs://clinic/data"},
        "serve": {},
        "kubernetes": {},
    }
    path.write_text(yaml.safe_dump(job))
    [deployment, _] = render.render(job_file.load(str(path)), "serve")["items"]
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"] = pod.pop("initContainers")
    pod["restartPolicy"] = "Never"
    [model] = [volume for volume in pod["volumes"] if volume["name"] == "model"]
    del model["emptyDir"]
    model["persistentVolumeClaim"] = {"claimName": "model"}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "chest"}, "spec": spec}


def test_the_model_is_copied_into_the_folder_of_the_server_once_it_is_whole(
    execute: Callable[..., Execution], machine: Machine, tmp_path: pathlib.Path
) -> None:
    manifest = first_container(tmp_path / "job.yaml")
    execution = execute(manifest)
    assert execution.finish(_PATIENCE).type == "Failed" and execution.codes == [65]
    assert "holds no SavedModel that is whole" in execution.text()
    for name, text in _FILES.items():
        file = machine.bucket("clinic") / "run/saved_model" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    execution = execute(manifest)
    assert execution.finish(_PATIENCE).type == "Complete", execution.text()
    folder = machine.volume("model") / "1"
    assert {name: (folder / name).read_text() for name in _FILES} == _FILES
