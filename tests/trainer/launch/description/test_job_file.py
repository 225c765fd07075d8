# SPDX-License-Identifier: MIT
"""A bad job file is answered by one sentence that names the key and the file."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from preprocessing.contract.errors import ConfigError, UsageError
from trainer.launch.description import job_file as reader

ACCOUNT = "me@proj-x.iam.gserviceaccount.com"
VERTEX = {"project": "proj-x", "region": "us-central1"}


class Plain(str):
    """Text that is written to YAML without quotes."""


yaml.SafeDumper.add_representer(
    Plain, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:int", str(text))
)

BAD = {
    "unknown key": ({"imgae": "x:1"}, "imgae"),
    "unknown key in a section": ({"vertex": {**VERTEX, "regoin": "x"}}, "regoin"),
    "missing key": ({"image": ...}, "image"),
    "missing key in a section": ({"vertex": {"project": "proj-x"}}, "vertex.region"),
    "wrong type": ({"replicas": "two"}, "replicas"),
    "truth value for a number": ({"accelerator": {"type": "NVIDIA_L4", "count": True}}, "count"),
    "accelerator without count": ({"accelerator": {"type": "NVIDIA_L4"}}, "accelerator.count"),
    "accelerator count 0": (
        {"accelerator": {"type": "NVIDIA_L4", "count": 0}},
        "accelerator.count is 0",
    ),
    "unknown accelerator": ({"accelerator": {"type": "l4", "count": 1}}, "accelerator.type"),
    "no replicas": ({"replicas": 0}, "replicas is 0"),
    "negative restarts": ({"restarts": -1}, "restarts is -1"),
    "restarts for ever": ({"restarts": 10**40}, "restarts is 1000"),
    "all machines": ({"replicas": 10**40}, "use 1 to 10000"),
    "all GPUs": ({"accelerator": {"type": "NVIDIA_L4", "count": 10**40}}, "use 1 to 1000"),
    "all servers": ({"serve": {"replicas": 10**40}}, "serve.replicas is 1000"),
    "another server": ({"serve": {"server": "nginx"}}, "serve.server is 'nginx'"),
    "own server's image": ({"serve": {"server": "cxr14"}}, "serve.image is missing: for server"),
    "own server's copy": (
        {"serve": {"server": "cxr14", "image": "a/serve:1", "fetch_image": "a/b:1"}},
        "serve.fetch_image is not for server: cxr14",
    ),
    "NUL": ({"env": {"A": "x\0y"}}, "env holds a value of A with a NUL"),
    "NUL in an argument": (
        {"args": {"data": "gs://bkt/d", "config.a": "\0"}},
        "of --config.a with",
    ),
    "half a character": ({"preprocess": {"args": {"labels": "\ud800"}}}, "of --labels with a NUL"),
    "no time": ({"timeout_hours": 0}, "timeout_hours is 0"),
    "time that rounds to nothing": ({"timeout_hours": 0.0001}, "timeout_hours is 0.0001"),
    "less than a minute": ({"timeout_hours": 0.01}, "timeout_hours is 0.01"),
    "misspelt accelerator": (
        {"accelerator": {"type": "NVIDIA_L44", "count": 1}},
        "accelerator.type is NVIDIA_L44, which Vertex AI does not have: use NVIDIA_L4",
    ),
    "TPU in another spelling": (
        {"accelerator": {"type": "TPU_V5_LITEPOD", "count": 4}},
        "accelerator.type is 'TPU_V5",
    ),
    "topology": (
        {"accelerator": {"type": "TPU_V5E", "count": 4, "topology": "2*2"}},
        "accelerator.topology is '2*2': use chips by chips",
    ),
    "number with a leading zero": ({"replicas": Plain("010")}, "replicas must be of type int"),
    "variable of the platform": ({"env": {"TF_CONFIG": "{}"}}, "env holds TF_CONFIG"),
    "image in capitals": ({"image": "host/Team/cxr14:1"}, "image is 'host/Team/cxr14:1'"),
    "image as an address": ({"image": "https://host/cxr14:1"}, "image is"),
    "too many labels": ({"labels": {f"k{i}": "v" for i in range(61)}}, "labels holds 61 labels"),
    "time that is not a number": ({"timeout_hours": float("nan")}, "timeout_hours is nan"),
    "capitals in the name": ({"name": "My Run"}, "name is 'My Run'"),
    "image without tag": ({"image": "host:5000/cxr14"}, "image is"),
    "image that moves": ({"image": "host/cxr14:latest"}, "image is"),
    "short digest": ({"image": "host/cxr14@sha256:abc"}, "image is"),
    "local output": ({"output": "/tmp/run"}, "output is '/tmp/run'"),
    "bare bucket": ({"output": "gs://bucket"}, "output is 'gs://bucket'"),
    "output in the data set": (
        {"args": {"data": "gs://bkt/d", "config": "gs://bkt/x.yaml"}, "output": "gs://bkt/d/runs"},
        "output is 'gs://bkt/d/runs', the data set's folder or inside it",
    ),
    "output over the data set": (
        {"output": "gs://bkt/e", "preprocess": {"args": [], "output": "gs://bkt/e"}},
        "output is 'gs://bkt/e', the data set's",
    ),
    "local data": ({"args": {"data": "shards"}}, "args holds --data=shards"),
    "local weights": ({"args": {"config.model.weights": "w.h5"}}, "args holds --config.model"),
    "output twice": ({"args": ["--output=gs://bkt/r"]}, "args holds --output"),
    "argument that is not a flag": ({"args": ["train"]}, "args holds 'train'"),
    "flag unknown to the trainer": (
        {"args": {"data": "gs://bkt/d", "epochs": 3}},
        "args would be refused by the trainer",
    ),
    "setting unknown to the trainer": (
        {"args": {"data": "gs://bkt/d", "config.train.epocs": 3}},
        "epocs",
    ),
    "label in capitals": ({"labels": {"team": "A"}}, "labels holds team"),
    "environment name": ({"env": {"1st": "a"}}, "env holds '1st'"),
    "environment number": ({"env": {"LEVEL": 2}}, "env"),
    "empty project": ({"vertex": {**VERTEX, "project": ""}}, "vertex.project is '': use a project"),
    "small disk": ({"vertex": {**VERTEX, "boot_disk_gb": 10}}, "vertex.boot_disk_gb is 10"),
    "tensorboard that is no resource": (
        {"vertex": {**VERTEX, "tensorboard": "7", "service_account": ACCOUNT}},
        "vertex.tensorboard is '7'",
    ),
    "tensorboard without account": (
        {"vertex": {**VERTEX, "tensorboard": "projects/1/locations/us-central1/tensorboards/2"}},
        "vertex.service_account is missing",
    ),
    "memory without unit": ({"kubernetes": {"memory": "16GB"}}, "kubernetes.memory is '16GB'"),
    "namespace": ({"kubernetes": {"namespace": "A"}}, "kubernetes.namespace is 'A'"),
    "no time to save": ({"kubernetes": {"grace_seconds": 1}}, "kubernetes.grace_seconds is 1"),
}


@pytest.mark.parametrize("section", [{}, {"preprocess": {"args": []}}])
@pytest.mark.parametrize("machine", ["", "a b", "é", "a\0", "-a", "a" * 64])
def test_what_is_not_a_machine_type_is_refused(
    job_file: Callable[..., str], section: dict[str, Any], machine: str
) -> None:
    changes: dict[str, Any] = {"machine_type": machine}
    if section:
        changes = {"preprocess": {**section["preprocess"], **changes}}
    with pytest.raises(ConfigError, match="machine_type is .*: use a machine type's name, such"):
        reader.load(job_file(**changes))


@pytest.mark.parametrize(("changes", "named"), BAD.values(), ids=BAD.keys())
def test_bad_job_files_are_refused_naming_key_and_file(
    job_file: Callable[..., str], changes: dict[str, Any], named: str
) -> None:
    path = job_file(**changes)
    with pytest.raises(ConfigError) as caught:
        reader.load(path)
    assert named in str(caught.value)
    assert str(caught.value).startswith(path) and "\n" not in str(caught.value)


def test_a_list_of_arguments_is_passed_as_it_stands(job_file: Callable[..., str]) -> None:
    job = reader.load(job_file(args=["--mode=train", "--data=gs://bkt/d"]))
    assert job.arguments() == [
        "--mode=train",
        "--data=gs://bkt/d",
        "--output=gs://my-bucket/runs/quick",
    ]


def test_a_mapping_of_arguments_is_spelled_as_flags(job_file: Callable[..., str]) -> None:
    job = reader.load(
        job_file(args={"data": "gs://bkt/d", "config.data.flip": False, "config.seed": 7})
    )
    assert job.arguments()[:-1] == [
        "--data=gs://bkt/d",
        "--config.data.flip=false",
        "--config.seed=7",
    ]


def test_a_settings_file_in_a_bucket_is_left_to_the_trainer(job_file: Callable[..., str]) -> None:
    arguments = {"data": "gs://bkt/d", "config": "gs://bkt/long.yaml", "config.new.key": 1}
    assert "--config=gs://bkt/long.yaml" in reader.load(job_file(args=arguments)).arguments()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no/such\.yaml does not exist"):
        reader.load("no/such.yaml")


def test_a_pinned_image_is_accepted(job_file: Callable[..., str]) -> None:
    image = f"host:5000/team/cxr14@sha256:{'a' * 64}"
    assert reader.load(job_file(image=image)).image == image


def test_a_path_to_a_job_that_is_a_slip_is_refused() -> None:
    with pytest.raises(UsageError, match="--job=gs:/bkt/job.yaml"):
        reader.load("gs:/bkt/job.yaml")


def test_what_is_to_be_replaced_is_checked_as_if_it_were(job_file: Callable[..., str]) -> None:
    path = job_file(
        image="REGION-docker.pkg.dev/PROJECT/cxr14@sha256:DIGEST", output="gs://BUCKET/run"
    )
    assert reader.load(path).output == "gs://BUCKET/run"
    with pytest.raises(ConfigError, match="output is"):
        reader.load(job_file(output="gs://BUCKET"))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"imgae": "x:1"}, "imgae: x:1"),
        ({"vertex": {**VERTEX, "regoin": "x"}}, "  regoin: x"),
        ({"accelerator": {"type": "NVIDIA_L4", "count": True}}, "  count: true"),
        ({"accelerator": {"type": "l4", "count": 1}}, "  type: l4"),
        ({"vertex": {"project": "proj-x"}}, "vertex:"),
        ({"replicas": 0}, "replicas: 0"),
        ({"kubernetes": {"memory": "16GB"}}, "  memory: 16GB"),
        ({"args": {"data": "gs://bkt/d", "config.train.epocs": 3}}, "  config.train.epocs: 3"),
        ({"args": {"data": "gs://bkt/d", "epochs": 3}}, "  epochs: 3"),
        ({"args": {"data": "gs://bkt/d", "config.train.epochs": 0}}, "  config.train.epochs: 0"),
        ({"args": ["--data=gs://bkt/d", "--config.seeed=3"]}, "- --config.seeed=3"),
        ({"args": ["--data=gs://bkt/d", "--metadata=x.csv"]}, "- --metadata=x.csv"),
        ({"labels": {"team": "A"}}, "labels:"),
        ({"preprocess": {"args": {"config.stored_sise": 9}}}, "    config.stored_sise: 9"),
        ({"preprocess": {"args": {"images": "raw"}}}, "    images: raw"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    job_file: Callable[..., str], changes: dict[str, Any], line: str
) -> None:
    path = job_file(**changes)
    with pytest.raises(ConfigError) as caught:
        reader.load(path)
    lines = pathlib.Path(path).read_text().replace("'", '"').splitlines()
    assert str(caught.value).startswith(f"{path}, line {1 + lines.index(line)}: ")


def test_a_preset_is_a_job_file_under_a_name() -> None:
    path = str(pathlib.Path(__file__).parents[4] / "configs" / "jobs" / "vertex_gpu1.yaml")
    assert reader.load("preset:vertex_gpu1") == reader.load(path)
    with pytest.raises(ConfigError, match=r"^preset:vertex_gpu does not exist: did you mean vert"):
        reader.load("preset:vertex_gpu")
