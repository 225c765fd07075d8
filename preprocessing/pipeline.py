# SPDX-License-Identifier: MIT
"""The preprocessing job top to bottom: index, pictures, splits, plan, shards, manifest last."""

import dataclasses
import json
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from preprocessing import index, locate
from preprocessing.contract import lock, schema
from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import ConfigError, DataError
from preprocessing.contract.files import probe, storage
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.invocation.flags import Inputs
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.radiographs import Recipe
from preprocessing.contract.settings import declaration
from preprocessing.index import Index
from preprocessing.locate import Located
from preprocessing.shards import finalize, shards
from preprocessing.sources.places import Places
from preprocessing.splits import assignment
from preprocessing.staging import staging
from preprocessing.transforms import spread, stage, write_shard
from preprocessing.workers import runner

WRITER = "cxr14-preprocess 0.1.0"

_JOB = "job.json"
# What decides whether a data set may be made, not what is in a shard.
_FREE = ("parameters.allow_missing",) + tuple(
    f"parameters.{name}" for name in declaration.named(Config(), declaration.FREE)
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that is decided before shards are written."""

    tasks: dict[str, list[shards.ShardTask]]
    draft: Manifest
    located: Located

    @property
    def all_tasks(self) -> list[shards.ShardTask]:
        """The tasks of all splits."""
        return [task for tasks in self.tasks.values() for task in tasks]


def run(inputs: Inputs, config: Config, beam_arguments: Sequence[str]) -> tuple[Manifest, bool]:
    """Makes a data set, or finds it made.

    Returns:
        The manifest, and whether anything had to be done.

    Raises:
        DataError: input that cannot be used, or too many images that cannot.
        ConfigError: settings that cannot work, or another data set at the output.
        UsageError: an unknown flag, or an output that is not a folder or that another job writes.
    """
    config.validate()
    # 1. Text: labels, lists, boxes, and how images come to splits.
    read = index.read(inputs, config)
    beam_options = runner.options(beam_arguments, images=len(read.rows))
    # Workers read pictures and write shards; everything else is read here.
    runner.refuse_local_paths(beam_options, {"images": inputs.images, "output": inputs.output})
    # 2. A data set that is complete is left as it is.
    made = _find_made(inputs.output, read)
    if made is not None:
        _refuse_other_images(inputs, made, read)
        return made, False
    # 3. What is below --images; archives and DICOM files must be read before shards are planned.
    _check_split(read, config)
    found = locate.look(read, inputs)
    recipe = Recipe(config.stored_size, config.encoding, config.source_px, dict(config.words))
    todo = locate.stage_tasks(read, inputs, found, recipe)
    if not todo:
        beam_options = runner.options(beam_arguments, images=len(found.files))
        _check_plan(inputs, config, read, found, recipe)
    with lock.hold(inputs.output):
        # 4. The output is this job's alone from here on; another job may just have finished it.
        made = _find_made(inputs.output, read)
        if made is not None:
            return made, False
        _claim(inputs.output, read)
        # 5. Archives and DICOM files are read once, and every row gets its picture.
        if todo:
            _stage(inputs, read, found, todo, beam_options)
        located = locate.merge(read, inputs, found, todo)
        finalize.list_rejected(inputs.output, located.rejected)
        # 6. Splits and shards are planned, shards written, and the manifest last.
        with finalize.naming_rejected(inputs.output, located.rejected, located.present):
            plan = make_plan(inputs, config, read, located, recipe)
        return _write(inputs, config, beam_options, plan), True


def _check_plan(inputs: Inputs, config: Config, read: Index, found: Places, recipe: Recipe) -> None:
    """Finds that no plan can be made of loose pictures before the output is touched."""
    located = locate.merge(read, inputs, found, [])
    if not located.rejected:
        make_plan(inputs, config, read, located, recipe)


def _write(inputs: Inputs, config: Config, beam_options: PipelineOptions, plan: Plan) -> Manifest:
    """Writes every shard, and then the manifest."""
    finalize.sweep(inputs.output, keep={task.name for task in plan.all_tasks})
    runner.run(
        spread(plan.all_tasks, write_shard),
        beam_options,
        title="preprocessing",
        unit="images",
        finished={shards.note_path(task): len(task.rows) for task in plan.all_tasks},
    )
    return finalize.finish(
        inputs.output,
        plan.tasks,
        draft=plan.draft,
        allowed=config.max_rejected_fraction,
        rejected=plan.located.rejected,
        warnings=plan.located.warnings,
    )


def _stage(
    inputs: Inputs,
    read: Index,
    found: Places,
    tasks: Sequence[staging.StageTask],
    beam_options: PipelineOptions,
) -> None:
    """Reads archives and DICOM files, each one once."""
    missing = (row.id for row in read.rows if row.id not in found.files)
    staging.write_wanted(inputs.output, missing)
    runner.run(
        spread(tasks, stage),
        beam_options,
        title="reading archives and DICOM files",
        unit="parts",
        finished={staging.end_path(task): 1 for task in tasks},
    )
    if failures := staging.failures(tasks):
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise DataError(failures[0] + more)


def make_plan(
    inputs: Inputs, config: Config, read: Index, located: Located, recipe: Recipe
) -> Plan:
    """Decides splits and shards.

    Raises:
        DataError: input that cannot be used.
    """
    # Carved among the images that are there: findings are in proportion in part of a data set, too.
    split_of, method = assignment.assign(
        located.present, how=read.how, lists=read.lists, column=read.column, config=config
    )
    assignment.check_patients(located.present, split_of)
    tasks = {
        split: shards.plan(
            rows,
            split=split,
            output=inputs.output,
            recipe=recipe,
            examples_per_shard=config.examples_per_shard,
        )
        for split, rows in assignment.group(located.present, split_of).items()
    }
    draft = Manifest(
        schema_version=schema.SCHEMA_VERSION,
        findings=list(config.findings),
        stored_size=config.stored_size,
        encoding=config.encoding,
        splits={},
        official_split=method == assignment.OFFICIAL,
        counters=located.counters,
        writer=WRITER,
        split_method=method,
        phantom=read.phantom,
        **read.identity,
    )
    return Plan(tasks=tasks, draft=draft, located=located)


def _check_split(read: Index, config: Config) -> None:
    """Finds mistakes in lists before hours of reading, where all patients are known by now."""
    if all(row.patient for row in read.rows):
        split_of, _ = assignment.assign(
            read.rows, how=read.how, lists=read.lists, column=read.column, config=config
        )
        assignment.check_patients(read.rows, split_of)


def _find_made(output: str, read: Index) -> Manifest | None:
    """Returns the manifest at the output if this very job made it, else names the changes.

    A data set that has lost a file is made again.
    """
    path = storage.join(output, manifests.NAME)
    if not storage.exists(path):
        return None
    made = manifests.read(output)
    parts = {name: getattr(made, name) for name in read.identity}
    _refuse_differences(output, "a data set", parts, read)
    there = storage.sizes(output)
    if any(there.get(storage.join(output, one.name)) != one.bytes for one in made.shards):
        storage.delete(path)
        return None
    finalize.remove_progress(output)
    return made


def _refuse_other_images(inputs: Inputs, made: Manifest, read: Index) -> None:
    """Finds that there are more images, or fewer, than the data set was made of."""
    if not inputs.allow_missing:
        return
    found = locate.look(read, inputs)
    before, now = made.counters["images_found"], len(found.files)
    if not found.archives and now != before:
        raise ConfigError(
            f"{inputs.output} holds a data set made of {before} images, now {now} are below "
            f"{inputs.images}: choose another --output, or delete that one"
        )


def _claim(output: str, read: Index) -> None:
    """Notes what the output is made from, or finds that a stopped job began something else.

    What was begun is given up for other inputs or settings only while no shard of it is finished;
    so that a mistake found before that can be corrected in the same folder.
    """
    path = storage.join(output, finalize.PROGRESS, _JOB)
    try:
        begun = json.loads(storage.read_text(path))
        if not isinstance(begun, dict):
            raise ValueError("not a note")
    except (FileNotFoundError, ValueError):
        begun = read.identity
        storage.write_text(path, json.dumps(read.identity, indent=2) + "\n")
    changed = index.differences(begun, read.identity)
    if any(line.partition(":")[0] not in _FREE for line in changed):
        if storage.list_files(storage.join(output, shards.NOTES)):
            _refuse_differences(output, "an unfinished data set", begun, read)
        # Archives are read for the names of one label file.
        finalize.remove_staged(output)
    if changed:
        storage.write_text(path, json.dumps(read.identity, indent=2) + "\n")
    probe.check(storage.join(output, finalize.PROGRESS))
    finalize.sweep(output, keep=None)


def _refuse_differences(output: str, what: str, old: dict[str, object], read: Index) -> None:
    changed = index.differences(old, read.identity)
    if changed:
        raise ConfigError(
            f"{output} holds {what} made otherwise ({'; '.join(changed)}): choose another "
            "--output, or delete that one"
        )
