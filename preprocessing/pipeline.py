# SPDX-License-Identifier: MIT
"""The preprocessing job from top to bottom: index, splits, plan, shards, and the manifest last."""

import dataclasses
from collections.abc import Sequence

from preprocessing import finalize, runner, shards, sources, splits
from preprocessing.config import Config
from preprocessing.contract import manifest as manifests
from preprocessing.contract import schema, storage
from preprocessing.contract.errors import ConfigError, DataError, UsageError
from preprocessing.contract.manifest import Manifest
from preprocessing.sources import Row

WRITER = "cxr14-preprocess 0.1.0"


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Where the job reads and writes; every path may be local or gs://.

    Attributes:
        images: folder below which the pictures lie.
        labels: label file of the data set.
        train_val_list: names for training and validation.
        test_list: names for test.
        boxes: BBox_List_2017.csv; empty for none.
        output: folder of the new data set.
        allow_missing: work on the images that are there and count the others.
    """

    images: str
    labels: str
    train_val_list: str
    test_list: str
    boxes: str
    output: str
    allow_missing: bool = False


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that is decided before the first pixel is read."""

    tasks: dict[str, list[shards.ShardTask]]
    draft: Manifest

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
        UsageError: a flag that Beam does not know, or an output that cannot be a folder.
    """
    config.validate()
    plan = make_plan(inputs, config)
    beam_options = runner.options(beam_arguments, images=plan.draft.counters["images_found"])
    if storage.exists(storage.join(inputs.output, manifests.NAME)):
        return _find_made(inputs.output, plan.draft), False
    _make_output(inputs.output)
    _sweep(inputs.output, plan.all_tasks)
    runner.run(plan.all_tasks, beam_options)
    manifest = finalize.finish(
        inputs.output, plan.tasks, draft=plan.draft, allowed=config.max_rejected_fraction
    )
    return manifest, True


def make_plan(inputs: Inputs, config: Config) -> Plan:
    """Reads the index and decides splits and shards.

    Raises:
        DataError: input that cannot be used.
    """
    rows = sources.read_index(inputs.labels, config.findings)
    lists = {
        "train_val": sources.read_names(inputs.train_val_list),
        "test": sources.read_names(inputs.test_list),
    }
    boxes = sources.read_boxes(inputs.boxes, config.findings) if inputs.boxes else {}
    present, counters = _look_up(rows, inputs)
    indexed = {row.id for row in rows}
    counters["listed_not_in_index"] = sum(
        name not in indexed for names in lists.values() for name in names
    )
    counters["boxes"] = sum(len(boxes.get(row.id, ())) for row in present)
    counters["boxes_without_image"] = sum(map(len, boxes.values())) - counters["boxes"]
    assigned = splits.assign(
        [sources.with_boxes(row, boxes) for row in present],
        **lists,
        fraction=config.validation_fraction,
        salt=config.split_salt,
    )
    tasks = {split: _tasks(split, assigned[split], inputs.output, config) for split in assigned}
    return Plan(tasks=tasks, draft=_draft(inputs, config, lists=lists, counters=counters))


def _look_up(rows: Sequence[Row], inputs: Inputs) -> tuple[list[Row], dict[str, int]]:
    """Finds each row's image; refuses absent ones unless they are allowed."""
    images = sources.find_images(inputs.images)
    missing = [row.id for row in rows if row.id not in images]
    if missing and not inputs.allow_missing:
        raise DataError(
            f"{len(missing)} of {len(rows)} images of {inputs.labels} are not below "
            f"{inputs.images}, first {', '.join(missing[:3])}: complete the download, or pass "
            "--allow_missing to work on the images that are there"
        )
    present = [dataclasses.replace(row, uri=images[row.id]) for row in rows if row.id in images]
    counters = {
        "rows_in_index": len(rows),
        "images_found": len(present),
        "images_missing": len(missing),
        "images_not_in_index": len(images) - len(present),
    }
    return present, counters


def _tasks(split: str, rows: Sequence[Row], output: str, config: Config) -> list[shards.ShardTask]:
    return shards.plan(
        rows,
        split=split,
        output=output,
        stored_size=config.stored_size,
        examples_per_shard=config.examples_per_shard,
    )


def _draft(
    inputs: Inputs, config: Config, *, lists: dict[str, list[str]], counters: dict[str, int]
) -> Manifest:
    """Returns the manifest as far as it is known before any image is read."""
    files = {
        "labels": inputs.labels,
        "train_val_list": inputs.train_val_list,
        "test_list": inputs.test_list,
        "boxes": inputs.boxes,
    }
    hashes = {name: splits.list_hash(names) for name, names in lists.items()}
    return Manifest(
        schema_version=schema.SCHEMA_VERSION,
        findings=list(config.findings),
        stored_size=config.stored_size,
        encoding="png",
        splits={},
        official_split=hashes == splits.OFFICIAL_HASHES,
        list_hashes=hashes,
        counters=counters,
        parameters=dataclasses.asdict(config),
        sources={name: storage.sha256_of(path) for name, path in files.items() if path},
        writer=WRITER,
    )


def _find_made(output: str, draft: Manifest) -> Manifest:
    """Returns the manifest at the output if this very job made it, else names the change."""
    made = manifests.read(output)
    for part in ("parameters", "sources", "list_hashes", "counters"):
        old, new = getattr(made, part), getattr(draft, part)
        changed = [name for name in new if old.get(name) != new[name]]
        if changed:
            name = changed[0]
            raise ConfigError(
                f"{output} holds a data set made with another {part}.{name} ({old.get(name)}, now "
                f"{new[name]}): choose another --output, or delete that one"
            )
    return made


def _make_output(output: str) -> None:
    try:
        storage.make_folder(output)
    except OSError as error:
        raise UsageError(
            f"--output={output} cannot be made: {error.strerror}; name a new or empty folder"
        ) from error


def _sweep(output: str, tasks: Sequence[shards.ShardTask]) -> None:
    """Removes what runs that never finished left: half-written files, shards of another plan."""
    planned = {task.name for task in tasks}
    for path in storage.list_files(output):
        if storage.is_temporary(path):
            storage.delete(path)
    for path in storage.list_files(storage.join(output, shards.NOTES)):
        name = storage.basename(path).removesuffix(".json")
        if name not in planned:
            storage.delete(storage.join(output, name))
            storage.delete(path)
