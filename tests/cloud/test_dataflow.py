# SPDX-License-Identifier: MIT
"""What is submitted to Dataflow, recorded by a stand-in for its REST interface on this machine."""

import importlib.metadata
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from trainer.launch.description import job_file
from trainer.launch.vertex import render

ROOT = pathlib.Path(__file__).parents[2]
IMAGE = "europe-docker.pkg.dev/project-of-test/cxr14/preprocessing:1"
KEY = "projects/project-of-test/locations/europe-west4/keyRings/ring/cryptoKeys/key"
JOB = "2026-01-01_00_00_00-1"


def _has_dataflow() -> bool:
    try:
        importlib.metadata.version("google-cloud-dataflow-client")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _has_dataflow(), reason="needs apache-beam[gcp], of the extra `launch`"),
]


class Dataflow(ThreadingHTTPServer):
    """Accepts jobs, keeps what was sent, and says at once that they are done."""

    daemon_threads = True

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def endpoint(self) -> str:
        # Beam speaks REST, not gRPC, to a host of this name.
        return f"http://localhost:{self.server_address[1]}"

    def created(self) -> tuple[str, dict[str, Any]]:
        """Returns path and body of the one request that made a job."""
        ((_, path, _, body),) = [request for request in self.requests if request[0] == "POST"]
        return path, body


class _Handler(BaseHTTPRequestHandler):
    server: Dataflow

    def _answer(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("Authorization", "")
        self.server.requests.append((self.command, self.path, token, json.loads(data or "null")))
        job = {"id": JOB, "projectId": "project-of-test", "currentState": "JOB_STATE_DONE"}
        body = json.dumps(job).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Keeps the terminal quiet."""


@pytest.fixture
def dataflow() -> Iterator[Dataflow]:
    server = Dataflow()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def argv(gcs: Any, dataflow: Dataflow) -> list[str]:
    """A command line on a tiny data set in a bucket, for Dataflow."""
    gcs.forget()
    home = gcs.make_bucket()
    rows = [_HEADER]
    names = [f"{patient:08d}_000.png" for patient in range(6)]
    for patient, name in enumerate(names):
        picture = np.full((40, 40), 40 * patient, np.uint8)
        picture[::2] += 9
        gcs.write(f"{home}/images/{name}", cv2.imencode(".png", picture)[1].tobytes())
        rows.append(
            f"{name},{'Mass' if patient % 2 else 'No Finding'},0,{patient},50,F,PA,48,48,1,1"
        )
    gcs.write(f"{home}/labels.csv", "\n".join(rows).encode())
    gcs.write(f"{home}/train_val.txt", "\n".join(names[:4]).encode())
    gcs.write(f"{home}/test.txt", "\n".join(names[4:]).encode())
    return [
        f"--images={home}/images",
        f"--labels={home}/labels.csv",
        f"--train_val_list={home}/train_val.txt",
        f"--test_list={home}/test.txt",
        f"--output={home}/shards",
        "--config.stored_size=40",
        "--config.validation_fraction=0.5",
        "--runner=DataflowRunner",
        "--project=project-of-test",
        "--region=europe-west4",
        f"--temp_location={home}/temp",
        f"--staging_location={home}/staging",
        f"--dataflow_endpoint={dataflow.endpoint}",
        "--job_name=cxr14-shards",
        "--worker_machine_type=n2-standard-8",
        "--num_workers=3",
        "--max_num_workers=50",
        "--autoscaling_algorithm=THROUGHPUT_BASED",
        "--no_use_public_ips",
        "--service_account_email=worker@project-of-test.iam.gserviceaccount.com",
        "--dataflow_service_options=enable_prime",
    ]


def _submit(gcs: Any, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "preprocessing.task", *arguments],
        env=gcs.environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=200,
    )
    return done.returncode, done.stderr


def _home(argv: list[str]) -> str:
    return argv[0].removeprefix("--images=").removesuffix("/images")


def _assert_submitted(
    gcs: Any, dataflow: Dataflow, home: str, staging: str = "staging"
) -> tuple[dict[str, Any], Any]:
    """Checks what every submission has; returns the environment and the pipeline."""
    from apache_beam.portability.api import beam_runner_api_pb2

    path, job = dataflow.created()
    assert path.startswith("/v1b3/projects/project-of-test/locations/europe-west4/jobs")
    assert {token for _, _, token, _ in dataflow.requests} == {"Bearer token-of-the-test"}
    assert job["name"] == "cxr14-shards"
    environment = job["environment"]
    assert environment["serviceAccountEmail"].startswith("worker@")
    assert "enable_prime" in environment["serviceOptions"]
    (pool,) = environment["workerPools"]
    assert pool["machineType"] == "n2-standard-8"
    assert pool["numWorkers"] == 3
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 50
    assert pool["ipConfiguration"] in (2, "WORKER_IP_PRIVATE")
    options = environment["sdkPipelineOptions"]["options"]
    proto = options["pipelineUrl"]
    assert proto.startswith(f"{home}/{staging}/")
    pipeline = beam_runner_api_pb2.Pipeline.FromString(gcs.read(proto))
    urns = {one.spec.urn for one in pipeline.components.transforms.values()}
    assert "beam:transform:pardo:v1" in urns
    assert any(urn.startswith("beam:transform:reshuffle") for urn in urns)
    return environment, pipeline


def _images(environment: dict[str, Any]) -> set[str]:
    (pool,) = environment["workerPools"]
    return {one["containerImage"] for one in pool["sdkHarnessContainerImages"]}


def _job(home: str, argv: list[str]) -> dict[str, Any]:
    """A job file that describes the same command line, but for where it is submitted."""
    given = dict(argument.removeprefix("--").partition("=")[::2] for argument in argv)
    names = ("images", "labels", "train_val_list", "test_list")
    own = (*names, "config.stored_size", "config.validation_fraction")
    return {
        "name": given["job_name"],
        "image": IMAGE,
        "output": f"{home}/run",
        "args": {"data": given["output"]},
        "preprocess": {
            "image": IMAGE,
            "args": {name: given[name] for name in own},
            "machine_type": given["worker_machine_type"],
            "max_workers": int(given["max_num_workers"]),
            "disk_gb": 77,
            "beam": {"num_workers": 3, "dataflow_service_options": "enable_prime"},
        },
        "vertex": {
            "project": given["project"],
            "region": given["region"],
            "service_account": given["service_account_email"],
            "kms_key": KEY,
        },
    }


def test_the_command_of_a_job_file_submits_its_container_without_any_package(
    gcs: Any, dataflow: Dataflow, argv: list[str], tmp_path: pathlib.Path
) -> None:
    home, path = _home(argv), tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(_job(home, argv)))
    command = render.render(job_file.load(str(path)), "preprocess")["command"]
    endpoint = f"--dataflow_endpoint={dataflow.endpoint}"
    code, errors = _submit(gcs, *command[1:], endpoint)
    staging = "dataflow/cxr14-shards/staging"
    environment, _ = _assert_submitted(gcs, dataflow, home, staging)
    assert _images(environment) == {IMAGE}
    (pool,) = environment["workerPools"]
    assert pool["diskSizeGb"] == 77
    assert environment["serviceKmsKeyName"] == KEY
    _, job = dataflow.created()
    labels = job["labels"]
    assert (labels["cxr14-stage"], labels["cxr14-name"]) == ("preprocess", "cxr14-shards")
    staged = gcs.names(f"{home}/{staging}")
    assert staged
    assert not [name for name in staged if name.endswith((".tar.gz", ".whl"))]
    # The stand-in says that the job is done, and has done nothing: this must not pass for success.
    assert code == 65, errors
    assert "shards were not written" in errors.strip().splitlines()[-1]


def test_the_package_is_built_from_setup_and_staged(
    gcs: Any, dataflow: Dataflow, argv: list[str], tmp_path: pathlib.Path
) -> None:
    source = tmp_path / "source"  # a copy: the build leaves files beside setup.py
    for folder in ("preprocessing", "trainer", "configs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    _, errors = _submit(gcs, *argv, f"--setup_file={source}/setup.py")
    _, pipeline = _assert_submitted(gcs, dataflow, _home(argv))
    staging = f"{_home(argv)}/staging"
    packages = [name for name in gcs.names(staging) if name.endswith("workflow.tar.gz")]
    assert len(packages) == 1, errors
    (tmp_path / "workflow.tar.gz").write_bytes(gcs.read(f"{staging}/{packages[0]}"))
    with tarfile.open(tmp_path / "workflow.tar.gz") as archive:
        members = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "setup.py",
        "preprocessing/transforms.py",
        "preprocessing/contract/files/storage.py",
    } <= members
    named = [
        dependency.role_payload.decode(errors="ignore")
        for one in pipeline.components.environments.values()
        for dependency in one.dependencies
    ]
    assert any("workflow.tar.gz" in name for name in named)


@pytest.mark.parametrize("name", ["images", "output"])
def test_a_local_path_is_refused_before_anything_is_sent(
    gcs: Any, dataflow: Dataflow, argv: list[str], tmp_path: pathlib.Path, name: str
) -> None:
    others = (given for given in argv if not given.startswith(f"--{name}="))
    code, errors = _submit(gcs, *others, f"--{name}={tmp_path}/{name}")
    assert code == 64, errors
    assert (
        errors.strip()
        .splitlines()[-1]
        .startswith(
            f"cxr14-preprocess: DataflowRunner works on other machines, which cannot see --{name}="
        )
    )
    assert dataflow.requests == []
    assert gcs.names(f"{_home(argv)}/staging") == []
    assert list(tmp_path.iterdir()) == []


def test_a_missing_flag_of_dataflow_is_one_sentence(gcs: Any, argv: list[str]) -> None:
    # Beam asks for them only where the job would go to the real service.
    missing = ("--project=", "--dataflow_endpoint=")
    code, errors = _submit(gcs, *(given for given in argv if not given.startswith(missing)))
    assert code == 64, errors
    sentence = errors.strip().splitlines()[-1]
    assert "--runner=DataflowRunner: Missing required option: project" in sentence


def test_the_launcher_sends_it_and_finds_it_by_its_labels(
    gcs: Any, argv: list[str], google_apis: Any, tmp_path: pathlib.Path
) -> None:
    job_file = tmp_path / "job.yaml"
    flags = [flag for flag in argv if flag.startswith(("--images", "--labels", "--t", "--config"))]
    section = {"args": [flag for flag in flags if "temp_" not in flag], "image": IMAGE}
    job = {
        "name": "chest-1",
        "image": IMAGE,
        "args": {"data": f"{_home(argv)}/shards"},
        "output": f"{_home(argv)}/runs/1",
        "vertex": {"project": "my-project", "region": "us-central1"},
        "preprocess": section,
    }
    job_file.write_text(json.dumps(job))

    def end(request: str) -> None:
        if request.endswith("/jobs/1"):
            google_apis.resources[request.removeprefix("GET /v1b3/")]["currentState"] = (
                "JOB_STATE_DONE"
            )

    google_apis.on_request = end

    def launch(verb: str) -> subprocess.CompletedProcess[str]:
        words = [f"--job={job_file}", "--stage=preprocess", f"--api_endpoint={google_apis.address}"]
        return subprocess.run(
            [sys.executable, "-m", "trainer.launch.task", verb, "vertex", *words],
            env=gcs.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=200,
        )

    sent = launch("submit")
    # The stand-in for Dataflow says that the job is done, and has written nothing.
    assert (sent.returncode, sent.stdout) == (65, ""), sent.stderr
    lines = sent.stderr.strip().splitlines()
    assert lines[-1].endswith("cxr14-preprocess ended with exit code 65: it says why above")
    assert "shards were not written" in lines[-2]
    found = launch("status")
    assert found.returncode == 0, found.stderr
    assert "name: chest-1\nstage: preprocess\nstate: succeeded\n" in found.stdout
    (body,) = google_apis.made("^POST /v1b3/.*/jobs$")
    assert body["labels"]["cxr14-name"] == "chest-1"
