# SPDX-License-Identifier: MIT
"""Every job file that is shipped renders to what its cloud accepts and the trainer understands."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cxr14_schemas import VERSIONS, validate

from trainer import flags
from trainer.launch import task
from trainer.launch.description import job_file, placeholders
from trainer.launch.kubernetes import render as kubernetes_render
from trainer.launch.platform import STAGES
from trainer.launch.vertex import render as vertex_render

ROOT = pathlib.Path(__file__).parents[3]
# A job file's name begins with its platform.
CASES = [(path.name.split("_")[0], path) for path in sorted((ROOT / "configs/jobs").iterdir())]
JOBS = [path for platform, path in CASES if platform == "vertex"]
KUBERNETES_JOBS = [path for platform, path in CASES if platform == "kubernetes"]
# What a dry run needs nothing of, and takes time to import.
HEAVY = {
    *(
        "apache_beam",
        "cv2",
        "google.auth",
        "google.cloud.aiplatform_v1",
        "google.protobuf",
        "keras",
    ),
    *("kubernetes", "numpy", "pandas", "requests", "tensorflow"),
}
EACH_JOB = pytest.mark.parametrize(("platform", "path"), CASES, ids=lambda case: str(case)[-24:])


def dry_run(platform: str, path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert task.run(["cxr14-launch", platform, f"--job={path}", "--dry_run"]) == 0
    return capsys.readouterr().out


def made_job(manifest: dict[str, Any]) -> dict[str, Any]:
    """The Job itself, or the one that a JobSet makes."""
    if manifest["kind"] == "Job":
        return manifest
    [replicated] = manifest["spec"]["replicatedJobs"]
    names = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "child"}}
    return names | replicated["template"]


def rendered_arguments(platform: str, spec: dict[str, Any]) -> list[str]:
    if platform == "kubernetes":
        return made_job(spec)["spec"]["template"]["spec"]["containers"][0]["args"]
    arguments, *others = [pool["containerSpec"]["args"] for pool in spec["workerPoolSpecs"]]
    assert all(other == arguments for other in others)
    return arguments


def mounts(path: pathlib.Path) -> list[str]:
    """The folders of the volumes of a job file, with a slash at the end."""
    section = job_file.load(str(path)).kubernetes
    return [f"{volume.mount}/" for volume in section.volumes] if section is not None else []


def test_there_is_a_job_for_each_platform() -> None:
    assert {"vertex_gpu1", "kubernetes_gpu1", "kubernetes_jobset"} <= {p.stem for _, p in CASES}
    assert {platform for platform, _ in CASES} == {"vertex", "kubernetes"}


@EACH_JOB
def test_dry_run_prints_the_golden_text(
    platform: str,
    path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    golden: Callable[[str, str], None],
) -> None:
    name = path.stem.removeprefix(f"{platform}_")
    golden(f"launch_{platform}_{name}.yaml", dry_run(platform, path, capsys))


@EACH_JOB
def test_dry_run_prints_exactly_what_would_be_sent(
    platform: str, path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = yaml.safe_load(dry_run(platform, path, capsys))
    render = vertex_render.render if platform == "vertex" else kubernetes_render.render
    assert printed == render(job_file.load(str(path)))


@EACH_JOB
def test_the_trainer_parses_the_rendered_arguments(
    platform: str, path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = rendered_arguments(platform, yaml.safe_load(dry_run(platform, path, capsys)))
    parsed = flags.parse(["cxr14-train", *arguments], environ={})
    assert parsed.mode == "all"
    assert parsed.config.runtime.accelerator == "gpu" or parsed.config.runtime.tpu == "local"
    for place in (parsed.data, parsed.output):
        assert place.startswith(("gs://BUCKET/", *mounts(path)))


@EACH_JOB
def test_every_path_lies_in_a_bucket_or_on_a_volume(
    platform: str, path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = rendered_arguments(platform, yaml.safe_load(dry_run(platform, path, capsys)))
    values = [argument.partition("=")[2] for argument in arguments]
    paths = [value for value in values if "/" in value or value.startswith(".")]
    assert len(paths) >= 2
    assert [value for value in paths if not value.startswith(("gs://", *mounts(path)))] == []


@pytest.mark.parametrize("verb", ["submit", "doctor"])
@EACH_JOB
def test_is_not_sent_while_placeholders_stand(
    platform: str, path: pathlib.Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert task.run(["cxr14-launch", verb, platform, f"--job={path}"]) == 78
    message = capsys.readouterr().err
    assert all(word in message for word in placeholders.WORDS)
    assert str(path) in message and message.count("\n") == 1


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.name)
def test_vertex_knows_every_rendered_key(
    path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aiplatform = pytest.importorskip(
        "google.cloud.aiplatform_v1", reason="google-cloud-aiplatform is not installed"
    )
    json_format = pytest.importorskip("google.protobuf.json_format")
    spec = yaml.safe_load(dry_run("vertex", path, capsys))
    message = json_format.ParseDict(spec, aiplatform.CustomJobSpec.pb()())
    assert message.worker_pool_specs[0].replica_count == 1
    spec["scheduling"]["timeuot"] = "1s"
    with pytest.raises(json_format.ParseError, match="timeuot"):
        json_format.ParseDict(spec, aiplatform.CustomJobSpec.pb()())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", KUBERNETES_JOBS, ids=lambda path: path.name)
def test_kubernetes_knows_every_rendered_key(path: pathlib.Path, version: str) -> None:
    job = job_file.load(str(path))
    stages = [stage for stage in STAGES if stage == "train" or getattr(job, stage) is not None]
    for stage in stages:
        validate(kubernetes_render.render(job, stage), version)


@pytest.mark.parametrize("stage", ["preprocess", "serve"])
def test_a_stage_has_a_golden_text_too(
    stage: str, capsys: pytest.CaptureFixture[str], golden: Callable[[str, str], None]
) -> None:
    path = ROOT / "configs/jobs/kubernetes_gpu1.yaml"
    argv = ["cxr14-launch", "kubernetes", f"--job={path}", f"--stage={stage}", "--dry_run"]
    assert task.run(argv) == 0
    golden(f"launch_kubernetes_gpu1_{stage}.yaml", capsys.readouterr().out)


def test_a_dry_run_needs_no_credentials_and_nothing_that_takes_seconds(
    tmp_path: pathlib.Path,
) -> None:
    jobs = [(platform, str(path)) for platform, path in CASES]
    program = (
        "import sys; from trainer.launch import task\n"
        f"for platform, path in {jobs!r}:\n"
        "    assert task.run(['cxr14-launch', platform, '--job', path, '--dry_run']) == 0, path\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    nobody = {
        "GOOGLE_APPLICATION_CREDENTIALS": "/no/such/key.json",
        "HOME": str(tmp_path),
        "KUBECONFIG": "/no/such/file",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **nobody},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == ""
