# SPDX-License-Identifier: MIT
"""Reads all shards of a data set on a Beam runner and gathers what they showed."""

import contextlib
import tempfile
import uuid
from collections.abc import Iterator, Sequence

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from preprocessing.transforms import Spread
from preprocessing.verify import shard_reading
from preprocessing.verify.shard_reading import Reading, ReadTask
from preprocessing.workers import runner


def read_shard(task: ReadTask) -> dict[str, int]:
    """Reads a shard and writes its reading; there is nothing to count."""
    storage.write_bytes(task.note, shard_reading.read(task).to_bytes(), private=True)
    return {}


def read_all(
    folder: str, manifest: Manifest, beam_arguments: Sequence[str], *, title: str
) -> list[Reading]:
    """Reads every shard of a data set.

    Nothing is written into the data set: the readings travel back through a temporary folder,
    Beam's own --temp_location where that is given.

    Args:
        folder: of the data set.
        manifest: of the data set.
        beam_arguments: Beam's own flags.
        title: what is done, for the line that shows progress.

    Returns:
        The readings, in the order of the manifest.

    Raises:
        UsageError: a flag that Beam does not know, or files that its workers cannot see.
    """
    images = sum(split.examples for split in manifest.splits.values())
    options = runner.options(beam_arguments, images=images)
    with _scratch(options) as scratch:
        runner.refuse_local_paths(options, {"DIR": folder, "temp_location": scratch})
        tasks = shard_reading.tasks(folder, manifest, scratch)
        if tasks:
            finished = {task.note: task.shard.examples for task in tasks}
            runner.run(
                Spread(tasks, read_shard), options, title=title, unit="images", finished=finished
            )
        return [Reading.from_bytes(storage.read_bytes(task.note)) for task in tasks]


@contextlib.contextmanager
def _scratch(options: PipelineOptions) -> Iterator[str]:
    given = options.view_as(GoogleCloudOptions).temp_location
    if not given:
        with tempfile.TemporaryDirectory(prefix="cxr14-read-") as folder:
            yield folder
        return
    folder = storage.join(given, f"cxr14-read-{uuid.uuid4().hex[:12]}")
    try:
        yield folder
    finally:
        for path in storage.list_files(folder):
            storage.delete(path)
        storage.remove_empty_folder(folder)
