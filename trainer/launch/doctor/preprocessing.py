# SPDX-License-Identifier: MIT
"""Looks for what the job that makes a data set reads, and at what lies where it writes."""

import zlib
from collections.abc import Iterator

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import DataError, JobError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation import flags
from preprocessing.contract.invocation.flags import Inputs
from trainer.launch.description.job import Job
from trainer.launch.doctor import sight
from trainer.launch.platform import Finding

# Enough for the header of a label file, whatever its columns.
_HEAD_BYTES = 4096


def findings(job: Job) -> Iterator[Finding]:
    """Looks at everything but the radiographs themselves, of which there are thousands."""
    try:
        inputs, config, _ = flags.parse(["cxr14-preprocess", *job.preprocess_arguments()])
        config.validate()
    except JobError as error:  # else the job file would not have been read: a file in a bucket
        yield sight.refused("config in preprocess.args", error)
        return
    yield sight.there(job, "--images", inputs.images)
    for path in flags.label_files(inputs.labels):
        yield _labels(job, path)
    for name in flags.PATH_FLAGS:
        path = getattr(inputs, name)
        if path and name not in ("images", "labels", "output"):
            yield sight.there(job, f"--{name}", path)
    yield _made(job, inputs)


def _labels(job: Job, path: str) -> Finding:
    what = f"--labels {path}"
    if reason := sight.hidden(job, path):
        return Finding(what, None, reason)

    def look() -> Finding:
        try:
            head = storage.read_range(path, 0, _HEAD_BYTES)
        except FileNotFoundError:
            return Finding(what, False, "is not there", f"gcloud storage cp FROM {path}")
        if head.startswith(b"\x1f\x8b"):
            head = zlib.decompressobj(wbits=31).decompress(head)
        line, *_ = head.decode("utf-8-sig", errors="replace").splitlines() or [""]
        if not line.strip():
            raise DataError("has no header with the names of columns in its first line")
        return Finding(what, True, f"begins with {line[:200]}")

    return sight.guarded(what, look, "name the CSV file with the labels")


def _made(job: Job, inputs: Inputs) -> Finding:
    what = f"data set {inputs.output}"
    if reason := sight.hidden(job, inputs.output):
        return Finding(what, None, reason)

    def look() -> Finding:
        if not storage.exists(storage.join(inputs.output, manifests.NAME)):
            return Finding(what, True, "is not made yet")
        made = manifests.read(inputs.output)
        count = sum(split.examples for split in made.splits.values())
        said = f"is made already, of {count:,} records: the job would end at once"
        fix = "name another folder if it should be made of other input or with other settings"
        return Finding(what, True, said, fix)

    return sight.guarded(what, look, "name another folder for the data set")
