# SPDX-License-Identifier: MIT
"""A path of the container counts when it is on a volume, and nothing else does."""

from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from trainer.launch.description import job_file as reader

RUNS = {"name": "runs", "mount": "/mnt/runs", "claim": "cxr14-runs"}
DATA = {"name": "data", "mount": "/mnt/data", "nfs": "10.0.0.2:/x", "read_only": True}

BAD = {
    "two sources": (
        {**RUNS, "bucket": "my-bucket"},
        "volumes.1 has claim and bucket, but a volume",
    ),
    "no source": ({"name": "a", "mount": "/mnt/a"}, "volumes.1 has none of them"),
    "name twice": ({**RUNS, "name": "data", "mount": "/mnt/x"}, "volumes.1.name is 'data', which"),
    "name of ours": ({**RUNS, "name": "tmp"}, "volumes.1.name is 'tmp'"),
    "name in capitals": ({**RUNS, "name": "Runs"}, "volumes.1.name is 'Runs': use at most 63"),
    "mount twice": ({**RUNS, "mount": "/mnt/data"}, "volumes.1.mount is /mnt/data, which another"),
    "over /tmp": ({**RUNS, "mount": "/tmp/runs"}, "volumes.1.mount is /tmp/runs, which hides"),
    "over the program": ({**RUNS, "mount": "/opt"}, "volumes.1.mount is /opt, which hides"),
    "relative": ({**RUNS, "mount": "runs"}, "volumes.1.mount is 'runs': use an absolute path"),
    "all of it": ({**RUNS, "mount": "/"}, "volumes.1.mount is '/': use an absolute path"),
    "up": ({**RUNS, "mount": "/mnt/../etc"}, "volumes.1.mount is '/mnt/../etc'"),
    "slash at the end": ({**RUNS, "mount": "/mnt/runs/"}, "volumes.1.mount is '/mnt/runs/'"),
    "claim in capitals": ({**RUNS, "claim": "Runs"}, "volumes.1.claim is 'Runs': use a name"),
    "bucket by address": (
        {"name": "a", "mount": "/mnt/a", "bucket": "gs://a"},
        "volumes.1.bucket is 'gs://a': use a bucket's name",
    ),
    "options of a claim": ({**RUNS, "options": "ro"}, "volumes.1.options is for a bucket"),
    "blank in options": (
        {"name": "a", "mount": "/mnt/a", "bucket": "my-bucket", "options": "a, b"},
        "volumes.1.options is 'a, b'",
    ),
}


@pytest.mark.parametrize(("volume", "named"), BAD.values(), ids=BAD.keys())
def test_a_volume_that_no_pod_can_have_is_named_with_its_line(
    job_file: Callable[..., str], volume: dict[str, Any], named: str
) -> None:
    path = job_file(vertex=..., kubernetes={"volumes": [DATA, volume]})
    with pytest.raises(ConfigError, match=r"^\S+job.yaml, line \d+: kubernetes") as caught:
        reader.load(path)
    assert named in str(caught.value)


def mounted(job_file: Callable[..., str], data: str, output: str, **changes: Any) -> str:
    args = {"data": data, "config.data.global_batch_size": 48, **changes.pop("args", {})}
    values = {"vertex": ..., "kubernetes": {"volumes": [RUNS, DATA]}, "args": args, **changes}
    return job_file(output=output, **values)


def test_paths_on_volumes_pass(job_file: Callable[..., str]) -> None:
    path = mounted(
        job_file,
        "/mnt/data/shards",
        "/mnt/runs/1",
        args={"config.data.cache": "/mnt/runs/cache", "metadata": "/mnt/data/Data_Entry.csv"},
        serve={"model": "/mnt/runs/1/saved_model"},
    )
    assert reader.load(path).output == "/mnt/runs/1"


@pytest.mark.parametrize(
    ("data", "output", "named"),
    [
        ("/mnt/data/x", "/mnt/data/1", "output is '/mnt/data/1'.* volume data, which is read_only"),
        ("/mnt/other/x", "/mnt/runs/1", "data=/mnt/other/x.* nor on a volume .*: /mnt/runs, /mnt/"),
        ("/mnt/database/x", "/mnt/runs/1", "data=/mnt/database/x"),
        ("/mnt/data/../x", "/mnt/runs/1", "data=/mnt/data/../x"),
        ("/home/me/x", "/mnt/runs/1", "data=/home/me/x.* sees no file of this machine"),
        ("/mnt/data/x", "runs/1", "output is 'runs/1'"),
    ],
)
def test_other_paths_of_this_machine_are_refused(
    job_file: Callable[..., str], data: str, output: str, named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        reader.load(mounted(job_file, data, output))


@pytest.mark.parametrize("cache", ["/mnt/data/cache", "/var/cache", "gs://my-bucket/cache"])
def test_a_cache_must_be_local_and_writable(job_file: Callable[..., str], cache: str) -> None:
    args = {"config.data.cache": cache}
    with pytest.raises(ConfigError, match=f"args holds --config.data.cache={cache}, but"):
        reader.load(mounted(job_file, "/mnt/data/x", "/mnt/runs/1", args=args))


def test_vertex_ai_has_no_volumes(job_file: Callable[..., str]) -> None:
    vertex = {"project": "my-project", "region": "us-central1"}
    with pytest.raises(ConfigError, match="on a volume of Kubernetes, which Vertex AI does not"):
        reader.load(mounted(job_file, "gs://my-bucket/x", "/mnt/runs/1", vertex=vertex))


@pytest.mark.parametrize("key", ["nmae", "readonly"])
def test_a_misspelt_key_of_a_volume_is_named_with_its_line(
    job_file: Callable[..., str], key: str
) -> None:
    path = job_file(kubernetes={"volumes": [RUNS, {**DATA, key: "x"}]})
    with open(path) as file:
        [line] = [at for at, text in enumerate(file, 1) if text.strip() == f"{key}: x"]
    with pytest.raises(ConfigError, match=f"line {line}: key kubernetes.volumes.1.{key} does not"):
        reader.load(path)


@pytest.mark.parametrize("mount", ["/models", "/models/cxr14", "/models/cxr14/1"])
def test_a_volume_does_not_meet_the_copy_of_the_model(
    job_file: Callable[..., str], mount: str
) -> None:
    def load(**changes: Any) -> None:
        volumes = [{**RUNS, "mount": mount}]
        reader.load(job_file(vertex=..., kubernetes={"volumes": volumes}, **changes))

    load()
    with pytest.raises(ConfigError, match="volumes.0.mount is /models.*, which meets /models/cxr1"):
        load(serve={})
    load(serve={"server": "cxr14", "image": "example.com/serve:1"})
    mount = "/models/cxr14-more"
    load(serve={})
