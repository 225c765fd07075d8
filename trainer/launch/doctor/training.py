# SPDX-License-Identifier: MIT
"""Refuses before a job is sent what the trainer would refuse on a machine that is paid for.

All of it by the trainer's own checks, on what the job reads: the settings, the manifest of the data
set, the sizes of its shards, other files, and the folder of the run. Nothing is written.
"""

from collections.abc import Iterator, Sequence

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import JobError, UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import SPLITS, Manifest
from trainer import course, flags, foresight
from trainer.data import soundness
from trainer.flags import ParsedFlags
from trainer.launch.description import trainer_checks
from trainer.launch.description.job import Job
from trainer.launch.doctor import run_folder, sight
from trainer.launch.platform import Finding
from trainer.predictions import listed
from trainer.runfolder import notes

_PREPROCESS = "cxr14-preprocess --output="
# Modes that go on in the folder of a run.
_IN_THE_FOLDER = ("train", "evaluate", "export", "all")


def findings(job: Job, *, search: bool = False) -> Iterator[Finding]:
    """Looks at everything that training, or another mode, would read.

    Args:
        job: to be sent.
        search: over settings, whose trials have folders of their own.
    """
    # Arguments are checked when a job file is read, but beside a settings file in a bucket.
    given = job.arguments()
    try:
        parsed = _parsed(given)
        trainer_checks.check_devices(parsed.config, job)
    except JobError as error:
        yield _misuse(given) or sight.refused("config in args", error)
        return
    manifest = None
    if parsed.data:
        manifest, about = _data_set(job, parsed.data)
        yield about
    if manifest is not None:
        yield _shards(parsed.data, manifest)
        yield _fit(parsed, manifest)
    yield from _files(job, parsed)
    if manifest is not None and parsed.mode in _IN_THE_FOLDER and not search:
        yield _run(job, parsed, manifest)


def _parsed(given: Sequence[str]) -> ParsedFlags:
    return flags.parse(["cxr14-train", *given], environ={})


def _misuse(given: Sequence[str]) -> Finding | None:
    """Returns what is wrong with the flags themselves, whatever the settings file says."""
    try:
        _parsed([one for one in given if not one.startswith("--config=")])
    except UsageError as error:
        return Finding("args", False, str(error), "fix it in the job file")
    except JobError:
        pass
    return None


def _data_set(job: Job, folder: str) -> tuple[Manifest | None, Finding]:
    what, found = f"data set {folder}", []
    if reason := sight.hidden(job, folder):
        return None, Finding(what, None, reason)

    def look() -> Finding:
        manifest = manifests.read(folder)
        records = ", ".join(f"{manifest.splits[name].examples:,} {name}" for name in SPLITS)
        empty = [name for name in SPLITS if not manifest.splits[name].examples]
        said = (
            f"{len(manifest.findings)} findings, {manifest.stored_size} pixels, records: {records}"
            + (f"; a phantom ({manifest.phantom})" if manifest.phantom else "")
        )
        found.append(manifest)
        fix = f"{_PREPROCESS}ANOTHER ..., by another split" if empty else ""
        return Finding(what, not empty, said, fix)

    about = sight.guarded(what, look, f"{_PREPROCESS}{folder} ..., to its end")
    return (found[0] if found else None), about


def _shards(folder: str, manifest: Manifest) -> Finding:
    what = f"shards of {folder}"

    def look() -> Finding:
        soundness.check_sizes(folder, manifest, storage.sizes(folder))
        size = sum(shard.bytes for shard in manifest.shards) / 1e6
        said = f"{len(manifest.shards)} of {size:,.1f} MB, all there and as long as they must be"
        return Finding(what, True, said)

    return sight.guarded(what, look, f"gcloud storage rsync --recursive FROM {folder}")


def _fit(parsed: ParsedFlags, manifest: Manifest) -> Finding:
    what, config = "settings on this data set", parsed.config
    if parsed.mode == "report":
        return Finding(what, True, "a report needs none")

    def look() -> Finding:
        per_epoch = course.steps_per_epoch(manifest, config.data.global_batch_size)
        soundness.check_validation(manifest)
        odd = foresight.warning(config, per_epoch, manifest.stored_size)
        said = f"{per_epoch:,} steps an epoch, {config.train.epochs * per_epoch:,} in all"
        return Finding(what, True, said + (f"; {odd}" if odd else ""))

    return sight.guarded(what, look, "change args in the job file")


def _files(job: Job, parsed: ParsedFlags) -> Iterator[Finding]:
    """Looks for the other files that are named; what is in them is known when they are read."""
    given = [
        (f"--{name}", value)
        for name in flags.PATH_FLAGS[2:]
        for value in (parsed.compare if name == "compare" else [getattr(parsed, name)])
    ]
    if parsed.mode in ("train", "all"):
        given.append(("train.teacher", parsed.config.train.teacher))
    named = [
        (name, path)
        for name, value in given
        for path in (listed.paths(value) if name.strip("-") in flags.SEVERAL else [value])
    ]
    if parsed.mode == "report" and not parsed.predictions:
        named.append(("predictions of the run", storage.join(parsed.output, notes.PREDICTIONS)))
    yield from (sight.there(job, name, path) for name, path in named if path)
    weights = parsed.config.model.weights
    if parsed.mode in ("train", "all") and weights not in ("imagenet", "none"):
        yield _weights(job, parsed.output, weights)


def _weights(job: Job, output: str, weights: str) -> Finding:
    what = f"model.weights {weights}"
    if reason := sight.hidden(job, weights) or sight.hidden(job, output):
        return Finding(what, None, reason)

    def look() -> Finding:
        if notes.is_begun(output):
            return Finding(what, True, "is not read: the run has a checkpoint of its own")
        if weights.endswith(".h5"):
            return sight.there(job, "model.weights", weights)
        folders = (storage.join(weights, notes.CHECKPOINTS, "best"), weights)
        steps = [run_folder.newest_step(folder) for folder in folders]
        if any(step is not None for step in steps) or storage.exists(f"{weights}.index"):
            return Finding(what, True, "is a run with a checkpoint")
        said = "is neither a weights file (*.h5) nor a run with a best network"
        return Finding(what, False, said, f"gcloud storage ls {weights}")

    return sight.guarded(what, look)


def _run(job: Job, parsed: ParsedFlags, manifest: Manifest) -> Finding:
    what = f"run in {parsed.output}"
    if reason := sight.hidden(job, parsed.output):
        return Finding(what, None, reason)
    fix = "name another folder as output in the job file"
    return sight.guarded(what, lambda: run_folder.finding(parsed, manifest), fix)
