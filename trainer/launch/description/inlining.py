# SPDX-License-Identifier: MIT
"""Writes the settings files of this machine into a job's arguments, which a container cannot read.

Each setting becomes an argument of its own, which is then checked like any other before anything
is sent. A settings file in a bucket is left to the trainer.
"""

import dataclasses
from collections.abc import Sequence

from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.settings import settings
from trainer import flags
from trainer.config import Config
from trainer.launch.description.arguments import spelled
from trainer.launch.description.job import Job


def inline(job: Job) -> Job:
    """Returns a job whose arguments name no settings file of this machine.

    All that the files name is written out, also where it equals the default: the file in a bucket
    that stays, or the program in the image, may have another.

    Raises:
        ConfigError: a path that cannot be meant; a file that is missing or does not fit, with its
            line; or a file that one in a bucket would have to be read over.
    """
    files, others = settings.files_apart(job.arguments()[:-1])
    here = [file for file in files if not storage.scheme_of(file)]
    if not here:
        return job
    remote = files[: len(files) - len(here)]
    if any(not storage.scheme_of(file) for file in remote):
        raise ConfigError(
            f"args holds --config={here[0]}, a file of this machine, before one in a bucket, which "
            "would be read over it: put the one in the bucket first"
        )
    given = {argument.partition("=")[0] for argument in others}
    written = [one for one in _written(here) if one.partition("=")[0] not in given]
    kept = [f"--config={file}" for file in remote]
    return dataclasses.replace(job, args=[*kept, *written, *others])


def _written(files: Sequence[str]) -> list[str]:
    """Returns what files of settings name as arguments, in the order of the settings."""
    try:
        merged = settings.merged_files(Config, files, flags.PRESETS)
    except (ConfigError, UsageError) as error:
        raise ConfigError(f"args cannot have this config: {error}") from error
    named = settings.flattened(merged)
    values = settings.flat(settings.from_mapping(Config, merged, origin=" and ".join(files)))
    return spelled({f"config.{name}": value for name, value in values.items() if name in named})
