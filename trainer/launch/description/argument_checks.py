# SPDX-License-Identifier: MIT
"""Says which of the trainer's arguments cannot work in the job that they are part of."""

import re
from collections.abc import Iterator

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import given_paths, storage
from trainer import flags
from trainer.launch.description import volumes
from trainer.launch.description.job import Accelerator, Job
from trainer.predictions import listed

_FLAG = re.compile(r"--[A-Za-z_][A-Za-z0-9_.]*(=.*)?", re.DOTALL)
_ADDRESS = re.compile(r"[a-z][a-z0-9]*://[^/]+/.+", re.DOTALL)
# Names of Google Cloud Storage; other stores have rules of their own.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_ONE_PROCESS = ("one_device", "mirrored", "tpu")
_PATHS = {f"config.{name}": words for name, words in flags.PATH_SETTINGS.items()}


def problems(job: Job) -> Iterator[str]:
    """Yields what is wrong with the arguments, each time the key in the job file first."""
    given: dict[str, str] = {}
    for argument in job.arguments()[:-1]:
        name, _, value = argument.removeprefix("--").partition("=")
        given[name] = value
        if problem := flag_problem(argument):
            yield f"args holds {problem}"
        else:
            yield from _path(job, name, value)
    yield from _devices(job, given)


def flag_problem(argument: str) -> str:
    """Returns why a flag can be no argument of a job, whatever its value; empty if it can."""
    name = argument.removeprefix("--").partition("=")[0]
    if not _FLAG.fullmatch(argument):
        return f"{argument!r}, but every argument must read --flag=value"
    if name == "output":
        return "--output, which the key output of the job file already sets"
    if name in ("help", "h", "helpfull", "flagfile", "list_presets"):
        return f"--{name}, with which nothing would be done: leave it out"
    if argument == "--mode=dry_run":
        return f"{argument}, which trains nothing: run it on this machine"
    return ""


def address_problem(path: str) -> str:
    """Returns why a container cannot reach a path; empty if it can."""
    try:
        given_paths.checked("", path, local=False)
    except UsageError as error:
        return str(error).removeprefix("=")
    if not _ADDRESS.fullmatch(path):
        return f"{path} is not a folder or file in a bucket, such as gs://BUCKET/chestxray14"
    bucket = path.partition("://")[2].partition("/")[0]
    if storage.scheme_of(path) == "gs" and not _BUCKET.fullmatch(bucket):
        return (
            f"{path} names the bucket {bucket!r}: names have 3 or more lower-case letters, digits, "
            "dots, - and _"
        )
    return ""


def place_problem(job: Job, path: str, *, written: bool = False) -> str:
    """Returns why a container of a job cannot reach a path; empty if it can.

    Args:
        job: whose pods may have volumes.
        path: in a bucket, or on a volume.
        written: whether it has to be written to.
    """
    own = job.kubernetes.volumes if job.kubernetes is not None else []
    volume = volumes.of_path(path, own)
    if volume is None:
        without = f", nor on a volume of kubernetes.volumes: {', '.join(v.mount for v in own)}"
        return address_problem(path) + (without if own and path.startswith("/") else "")
    if job.vertex is not None:
        return (
            f"{path} is on a volume of Kubernetes, which Vertex AI does not have: take a bucket, "
            "or leave the section vertex out"
        )
    if written and volume.read_only:
        return f"{path} is on the volume {volume.name}, which is read_only: take another"
    return ""


def _path(job: Job, name: str, value: str) -> Iterator[str]:
    """Refuses paths of the machine that sends the job, of which the container sees nothing."""
    if name == "config.data.cache":
        local = value in ("", "memory") or value.startswith("/tmp/")
        if not local and (value.partition(":")[1] or place_problem(job, value, written=True)):
            yield (
                f"args holds --{name}={value}, but the container can write below /tmp only, and on "
                "volumes that are not read_only: use memory or /tmp/cache"
            )
        return
    if name not in (*flags.PATH_FLAGS, "config", *_PATHS) or value in _PATHS.get(name, ()):
        return
    several = name.removeprefix("config.") in flags.SEVERAL
    places = listed.paths(value, f"--{name}") if several else [value]
    if problem := next(filter(None, (place_problem(job, place) for place in places)), ""):
        yield (
            f"args holds --{name}={value}, but the container sees no file of this machine: "
            f"{problem}"
        )


def _devices(job: Job, given: dict[str, str]) -> Iterator[str]:
    """Compares what the trainer is asked to run on with what the job gives it."""
    strategy = given.get("config.runtime.strategy", "auto")
    cpus = given.get("config.runtime.logical_cpus", "")
    if job.accelerator is not None and job.accelerator.is_tpu:
        yield from _tpu(job, job.accelerator, strategy, given)
        return
    gpus = job.accelerator.count if job.accelerator is not None else 0
    if strategy == "tpu" or given.get("config.runtime.tpu"):
        yield (
            "accelerator describes no TPU, but args asks for one: add one, such as "
            "{type: TPU_V5E, count: 8, topology: 2x4}"
        )
    elif job.replicas > 1 and strategy in _ONE_PROCESS:
        yield (
            f"replicas is {job.replicas}, but runtime.strategy={strategy} trains in one process: "
            "set multi_worker, or replicas to 1"
        )
    elif job.replicas == 1 and strategy == "multi_worker":
        yield "replicas is 1, but runtime.strategy=multi_worker needs at least 2: change one"
    elif gpus > 1 and strategy == "one_device":
        yield (
            f"accelerator.count is {gpus}, but runtime.strategy=one_device trains on one: set "
            "mirrored, or 1 here"
        )
    elif not gpus and strategy == "mirrored" and cpus in ("", "0", "1"):
        yield "accelerator is missing, but runtime.strategy=mirrored needs GPUs: use one_device"
    if not gpus and given.get("config.runtime.accelerator") == "gpu":
        yield "accelerator is missing, but runtime.accelerator=gpu refuses to train without one"
    if job.replicas > 1 and given.get("mode") == "report":
        yield f"replicas is {job.replicas}, but a report is made by one process: set it to 1"


def _tpu(job: Job, accelerator: Accelerator, strategy: str, given: dict[str, str]) -> Iterator[str]:
    has = f"accelerator.type is {accelerator.type}"
    named = given.get("config.runtime.tpu") or "TPU_NAME" in job.env
    if job.replicas > 1:
        yield (
            f"replicas is {job.replicas}, but {has}, and slices of several hosts cannot be "
            "described: set it to 1, or start cxr14-train on the TPU VMs themselves"
        )
    elif strategy not in ("auto", "tpu"):
        yield f"{has}, but runtime.strategy={strategy} trains without a TPU: set it to tpu"
    elif not named and "config" not in given:
        yield f"{has}, but args does not name it: set config.runtime.tpu to local"
    if given.get("config.runtime.accelerator") == "gpu":
        yield f"{has}, but runtime.accelerator=gpu refuses to train without a GPU: leave it out"
