# SPDX-License-Identifier: MIT
"""The files for users of kustomize are what the launcher sends, and kubectl makes that of them."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml
from cxr14_kustomization import OVERLAYS, ROOT, files, manifest_of
from cxr14_schemas import VERSIONS, validate

from trainer.launch import manifests
from trainer.launch.description import job_file
from trainer.launch.kubernetes import render
from trainer.launch.platform import OUTPUT

FOLDER = ROOT / "configs/kubernetes"
KUBECTL = pathlib.Path(sys.executable).with_name("kubectl")


def built(folder: pathlib.Path) -> list[dict[str, Any]]:
    """What kubectl makes of a folder."""
    done = subprocess.run(
        [KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def by_kind(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in objects}


def test_the_files_are_what_the_code_makes() -> None:
    made = files()
    if os.environ.get("CXR14_REGENERATE_GOLDEN") == "1":
        for name, text in made.items():
            (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_text(text)
    found = {
        str(path.relative_to(FOLDER)): path.read_text()
        for path in FOLDER.rglob("*")
        if path.is_file()
    }
    assert found == made, "`make golden` writes the files again; remove what is left over"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_makes_what_the_launcher_sends(overlay: str) -> None:
    name, stage = OVERLAYS[overlay]
    sent = manifest_of(name, stage)
    objects = built(FOLDER / "overlays" / overlay)
    assert by_kind(objects) == by_kind(sent.get("items", [sent]))
    for one in objects:
        validate(one, VERSIONS[-1])


@pytest.mark.parametrize(
    ("file", "key"), [("kustomization.yaml", "patches"), ("job-patch.yaml", "op")]
)
def test_kubectl_refuses_a_misspelt_key(tmp_path: pathlib.Path, file: str, key: str) -> None:
    shutil.copytree(FOLDER, tmp_path / "copy")
    overlay = tmp_path / "copy/overlays/tpu-v5e"
    text = (overlay / file).read_text()
    assert f"{key}:" in text
    (overlay / file).write_text(text.replace(f"{key}:", f"{key}z:"))
    done = subprocess.run([KUBECTL, "kustomize", overlay], capture_output=True, check=False)
    assert done.returncode != 0 and not done.stdout


def test_every_shipped_job_file_has_an_overlay() -> None:
    names = {path.stem for path in (ROOT / "configs/jobs").glob("kubernetes_*.yaml")}
    assert {f"kubernetes_{name}" for name, _ in OVERLAYS.values()} == names


def test_a_component_changes_a_jobset_as_it_does_a_job(tmp_path: pathlib.Path) -> None:
    link = tmp_path / "kubernetes"
    link.symlink_to(FOLDER)
    values = {
        "resources": ["kubernetes/overlays/jobset"],
        "components": ["kubernetes/components/kueue", "kubernetes/components/spot"],
        "namespace": "elsewhere",
        "images": [
            {
                "name": "REGION-docker.pkg.dev/PROJECT/cxr14/trainer",
                "newName": "registry.example.com/cxr14",
                "newTag": "1.0",
            }
        ],
    }
    (tmp_path / "kustomization.yaml").write_text(manifests.dump(values))
    job = job_file.load(str(ROOT / "configs/jobs/kubernetes_jobset.yaml"))
    assert job.spot and job.kubernetes is not None
    section = dataclasses.replace(
        job.kubernetes, queue="cxr14", queue_priority="training", namespace="elsewhere"
    )
    image = "registry.example.com/cxr14:1.0"
    wanted = render.render(dataclasses.replace(job, kubernetes=section, image=image))
    [found] = built(tmp_path)
    labels = wanted["metadata"]["labels"]
    del labels[OUTPUT]
    assert found["metadata"] == wanted["metadata"]
    assert found["spec"]["suspend"] is True
    pods = [
        one["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
        for one in (found, wanted)
    ]
    assert pods[0]["nodeSelector"] == pods[1]["nodeSelector"]
    assert pods[0]["containers"] == pods[1]["containers"]
    validate(found)
