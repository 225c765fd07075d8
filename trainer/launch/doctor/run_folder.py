# SPDX-License-Identifier: MIT
"""Says what the folder of a run holds, and whether the trainer would go on from it or refuse."""

import dataclasses
import re

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from trainer import course
from trainer.course import Course
from trainer.flags import ParsedFlags
from trainer.launch.platform import Finding
from trainer.runfolder import notes
from trainer.runfolder.completion import Completion

_INDEX = re.compile(r"ckpt-(\d+)\.index")
_BEST = f"{notes.CHECKPOINTS}/best"


def finding(parsed: ParsedFlags, manifest: Manifest) -> Finding:
    """Returns what a job would find in its folder, and do.

    Raises:
        ConfigError: the trainer would refuse to go on there, for the reason that it gives.
        JobError: the folder cannot be read.
    """
    output, config, mode = parsed.output, parsed.config, parsed.mode
    what = f"run in {output}"
    notes.check(output, config, manifest)
    whole = Completion(output, config, manifest)
    if whole.of(mode):
        return Finding(what, True, "is there, this very one and whole: the job would end at once")
    if mode in ("evaluate", "export") and newest_step(storage.join(output, _BEST)) is None:
        raise ConfigError(
            f"{output} holds no best checkpoint, and mode is {mode}: train first, to the end of an "
            "epoch at least"
        )
    if not notes.is_begun(output):
        return Finding(what, True, "is not there yet")
    step = newest_step(storage.join(output, notes.CHECKPOINTS))
    said = f"is there at step {step or 0}, and goes on"
    if mode in ("train", "all") and step is not None and not whole.training_is_over():
        return _on_course(Finding(what, True, said), parsed, manifest, step)
    return Finding(what, True, said)


def newest_step(folder: str) -> int | None:
    """Returns the step of the newest checkpoint that lies in a folder, None if there is none."""
    found = (
        _INDEX.fullmatch(storage.basename(path))
        for path in storage.list_files(folder)
        if path == storage.join(folder, storage.basename(path))
    )
    return max((int(name[1]) for name in found if name), default=None)


def _on_course(found: Finding, parsed: ParsedFlags, manifest: Manifest, step: int) -> Finding:
    """Refuses what the trainer would after it has read the checkpoint.

    Where the cosine ends is in the checkpoint, which only TensorFlow reads, and in the settings of
    the last start. Those are later where that start gave a run that was over more epochs and was
    ended before it saved: then the run is at the end of an epoch and has no note of its training.
    """
    config, before = parsed.config, notes.described(parsed.output)
    if before is None:
        return found
    per_epoch = course.steps_per_epoch(manifest, config.data.global_batch_size)
    last = Course(0, before.train.epochs * per_epoch, 0.0)
    try:
        course.plan(config, per_epoch=per_epoch, step=step, before=last)
    except ConfigError as error:
        note = notes.read_note(parsed.output, notes.TRAINING)
        if config.train.epochs * per_epoch < step or note or step % per_epoch:
            raise
        return dataclasses.replace(found, ok=None, said=str(error))
    return found
