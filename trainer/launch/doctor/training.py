# SPDX-License-Identifier: MIT
"""Refuses before a job is sent what the trainer would refuse on a machine that is paid for.

All of it by the trainer's own checks, on what the job reads: the settings, the manifest of the data
set, the sizes of its shards, other files, and the folder of the run. Nothing is written.
"""

from collections.abc import Iterator, Mapping

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import ConfigError, DataError, JobError
from preprocessing.contract.files import faults, storage
from preprocessing.contract.manifest import SPLITS, Manifest
from trainer import course, flags, foresight
from trainer.data import soundness
from trainer.flags import ParsedFlags
from trainer.launch.description import trainer_checks, volumes
from trainer.launch.description.job import Job
from trainer.launch.doctor import run_folder
from trainer.launch.doctor.bucket import LOGIN
from trainer.launch.platform import Finding
from trainer.runfolder import notes

_PREPROCESS = "cxr14-preprocess --output="


def findings(job: Job) -> Iterator[Finding]:
    """Looks at everything that training, or another mode, would read."""
    try:
        parsed = flags.parse(["cxr14-train", *job.arguments()], environ={})
        trainer_checks.check_devices(parsed.config, job)
    except JobError as error:  # else the job file would not have been read: a file in a bucket
        yield _of(error, "config in args", "fix it, or name another one in the job file")
        return
    manifest = None
    mounted = _mounted(parsed, job)
    for name, path in mounted.items():
        said = "is on a volume, which cannot be looked at from here: the job looks at its start"
        yield Finding(f"{name} {path}", None, said)
    if parsed.data and "data" not in mounted:
        manifest, about = _data_set(parsed.data)
        yield about
    if manifest is not None:
        yield _shards(parsed.data, manifest)
        yield _fit(parsed, manifest)
    yield from _files(parsed, mounted)
    if manifest is not None and parsed.mode != "report" and "output" not in mounted:
        yield _run(parsed, manifest)


def _mounted(parsed: ParsedFlags, job: Job) -> dict[str, str]:
    """Returns the paths that are folders or files of the pods alone, by flag."""
    own = job.kubernetes.volumes if job.kubernetes is not None else []
    named = {name: getattr(parsed, name) for name in flags.PATH_FLAGS}
    named["model.weights"] = parsed.config.model.weights
    return {name: path for name, path in named.items() if volumes.of_path(path, own) is not None}


def _data_set(folder: str) -> tuple[Manifest | None, Finding]:
    what = f"data set {folder}"
    try:
        with faults.explained():
            manifest = manifests.read(folder)
    except JobError as error:
        return None, _of(error, what, f"{_PREPROCESS}{folder} ..., to its end")
    records = ", ".join(f"{manifest.splits[name].examples:,} {name}" for name in SPLITS)
    empty = [name for name in SPLITS if not manifest.splits[name].examples]
    said = (
        f"{len(manifest.findings)} findings, {manifest.stored_size} pixels, records: {records}"
        + f"; a phantom ({manifest.phantom})" * bool(manifest.phantom)
    )
    fix = f"{_PREPROCESS}ANOTHER ..., by another split" if empty else ""
    return manifest, Finding(what, not empty, said, fix)


def _shards(folder: str, manifest: Manifest) -> Finding:
    what = f"shards of {folder}"
    try:
        with faults.explained():
            soundness.check_sizes(folder, manifest, storage.sizes(folder))
    except JobError as error:
        return _of(error, what, f"gcloud storage rsync --recursive SOURCE {folder}")
    size = sum(shard.bytes for shard in manifest.shards)
    said = f"{len(manifest.shards)} of {size / 1e9:.1f} GB, all there and as long as they must be"
    return Finding(what, True, said)


def _fit(parsed: ParsedFlags, manifest: Manifest) -> Finding:
    what, config = "settings on this data set", parsed.config
    if parsed.mode == "report":
        return Finding(what, True, "a report needs none")
    try:
        per_epoch = course.steps_per_epoch(manifest, config.data.global_batch_size)
        soundness.check_validation(manifest)
    except JobError as error:
        return _of(error, what, "change args in the job file")
    total = config.train.epochs * per_epoch
    odd = foresight.warning(config, per_epoch, manifest.stored_size)
    said = f"{per_epoch:,} steps an epoch, {total:,} in all" + (f"; {odd}" if odd else "")
    return Finding(what, True, said)


def _files(parsed: ParsedFlags, mounted: Mapping[str, str]) -> Iterator[Finding]:
    """Looks for the other files that are named; what is in them is known when they are read."""
    others = [name for name in flags.PATH_FLAGS[2:] if name not in mounted]
    named = {f"--{name}": getattr(parsed, name) for name in others}
    if parsed.mode == "report" and not parsed.predictions and "output" not in mounted:
        named["predictions of the run"] = storage.join(parsed.output, notes.PREDICTIONS)
    for name, path in named.items():
        if path:
            yield _there(name, path, path)
    weights = parsed.config.model.weights
    known = weights in ("imagenet", "none") or "model.weights" in mounted
    if parsed.mode not in ("train", "all") or known or "output" in mounted:
        return
    try:
        with faults.explained():
            if notes.is_begun(parsed.output):
                return  # which goes on from its own checkpoint
    except JobError:
        pass
    if weights.endswith(".h5"):
        yield _there("model.weights", weights, weights)
    else:
        yield _earlier_run(weights)


def _there(name: str, shown: str, path: str) -> Finding:
    what = f"{name} {shown}"
    try:
        with faults.explained():
            if storage.exists(path):
                return Finding(what, True, "is there")
    except JobError as error:
        return _of(error, what, LOGIN)
    return Finding(what, False, "is not there", f"gcloud storage cp FILE {path}")


def _earlier_run(weights: str) -> Finding:
    what = f"model.weights {weights}"
    folders = (storage.join(weights, notes.CHECKPOINTS, "best"), weights)
    try:
        with faults.explained():
            steps = [run_folder.newest_step(folder) for folder in folders]
            if any(step is not None for step in steps) or storage.exists(f"{weights}.index"):
                return Finding(what, True, "is a run with a checkpoint")
    except JobError as error:
        return _of(error, what, LOGIN)
    said = "is neither a weights file (*.h5) nor a run with a best network"
    return Finding(what, False, said, f"gcloud storage ls {weights}")


def _run(parsed: ParsedFlags, manifest: Manifest) -> Finding:
    what = f"run in {parsed.output}"
    try:
        with faults.explained():
            return run_folder.finding(parsed, manifest)
    except JobError as error:
        return _of(error, what, "name another folder as output in the job file")


def _of(error: JobError, what: str, fix: str) -> Finding:
    """Returns what an error means: bad data and settings are seen, all else was not to be seen."""
    if isinstance(error, (DataError, ConfigError)):
        return Finding(what, False, str(error), fix)
    return Finding(what, None, str(error), LOGIN)
