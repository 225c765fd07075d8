# SPDX-License-Identifier: MIT
"""Serving becomes a Deployment whose server finds a whole model, and a Service."""

import pathlib
from collections.abc import Callable
from typing import Any

from trainer.launch.description import job_file as reader
from trainer.launch.kubernetes import render
from trainer.serving import fetch


def rendered(path: str, stage: str) -> dict[str, Any]:
    return render.render(reader.load(path), stage)


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest["spec"]["template"]["spec"]


def test_the_server_finds_a_numbered_version_that_was_fetched_whole(
    job_file: Callable[..., str],
) -> None:
    deployment, service = rendered(job_file(serve={"replicas": 3}), "serve")["items"]
    spec = pod(deployment)
    [first], [server] = spec["initContainers"], spec["containers"]
    assert first["command"] == ["python", "-m", fetch.__name__]
    source, target = first["args"]
    assert source == "gs://my-bucket/runs/quick/saved_model"
    base, model = pathlib.PurePosixPath(target).parent, "cxr14"
    assert pathlib.PurePosixPath(target).name == "1"
    assert f"--model_base_path={base}" in server["args"]
    assert f"--model_name={model}" in server["args"]
    for container in (first, server):
        assert str(base) in [mount["mountPath"] for mount in container["volumeMounts"]]
    ports = {port["name"]: port["containerPort"] for port in server["ports"]}
    assert f"--rest_api_port={ports['http']}" in server["args"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server[probe]["httpGet"] == {"path": f"/v1/models/{model}", "port": "http"}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"]):
        assert selector.items() <= labels.items()
        assert "cxr14-output" not in selector  # it may not change, and the output may
    assert {port["port"] for port in service["spec"]["ports"]} == set(ports.values())
    assert deployment["spec"]["replicas"] == 3


def test_a_mounted_model_is_only_read(job_file: Callable[..., str]) -> None:
    kubernetes = {"volumes": [{"name": "runs", "mount": "/mnt/runs", "claim": "c"}]}
    serve = {"model": "/mnt/runs/1/saved_model", "fetch_image": "registry.example.com/small:1.0"}
    path = job_file(serve=serve, kubernetes=kubernetes, vertex=...)
    spec = pod(rendered(path, "serve")["items"][0])
    assert spec["initContainers"][0]["args"][0] == "/mnt/runs/1/saved_model"
    assert {"name": "runs", "mountPath": "/mnt/runs", "readOnly": True} in spec["initContainers"][
        0
    ]["volumeMounts"]
    assert "/mnt/runs" not in str(spec["containers"])
    assert spec["initContainers"][0]["image"] == serve["fetch_image"]
