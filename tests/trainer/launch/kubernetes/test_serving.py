# SPDX-License-Identifier: MIT
"""Serving becomes a Deployment whose server finds a whole model, and a Service."""

import pathlib
from collections.abc import Callable
from typing import Any

from cxr14_schemas import validate

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


def test_this_projects_server_reads_the_model_itself_on_the_same_port(
    job_file: Callable[..., str],
) -> None:
    kubernetes = {
        "volumes": [{"name": "runs", "mount": "/mnt/runs", "claim": "c"}],
        "secret_env": {"TOKEN": "a/b"},
        "env_from": ["config_map/c"],
    }
    theirs, own = (
        rendered(job_file(serve=serve, kubernetes=kubernetes, env={"A": "b"}, vertex=...), "serve")
        for serve in ({}, {"server": "cxr14", "image": "registry.example.com/serve:1.0"})
    )
    validate(own)
    spec = pod(own["items"][0])
    [before], [server] = pod(theirs["items"][0])["containers"], spec["containers"]
    assert "initContainers" not in spec
    assert server["image"] == "registry.example.com/serve:1.0"
    assert server["command"] == ["cxr14-predict", "--serve"]
    assert "--model=gs://my-bucket/runs/quick/saved_model" in server["args"]
    [port] = server["ports"]
    assert port in before["ports"] and f"--port={port['containerPort']}" in server["args"]
    mounted = {mount["mountPath"]: mount.get("readOnly") for mount in server["volumeMounts"]}
    assert mounted == {"/mnt/runs": True, "/tmp": None}
    assert {volume["name"] for volume in spec["volumes"]} == {"runs", "tmp"}
    [fetch] = pod(theirs["items"][0])["initContainers"]
    assert (server["env"], server["envFrom"]) == (fetch["env"], fetch["envFrom"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server[probe]["httpGet"] == before[probe]["httpGet"]
    service, known = own["items"][1], theirs["items"][1]
    assert service["metadata"] == known["metadata"]
    assert service["spec"]["ports"] == [
        one for one in known["spec"]["ports"] if one["port"] == 8501
    ]
