# SPDX-License-Identifier: MIT
"""Reads everything about a data set that is text: label file, lists, boxes, and how it is split."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from preprocessing.contract import pseudonyms, vocabulary
from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation import flags
from preprocessing.contract.invocation.config import Config, Table
from preprocessing.contract.invocation.flags import Inputs
from preprocessing.phantom import notes
from preprocessing.sources import nih, table, text_files
from preprocessing.sources.row import Row
from preprocessing.splits import assignment

# Settings of `table` that are newer than some data sets: at their defaults they change nothing.
_LATER = (
    *("rows", "image_suffix", "keys", "names", "incomplete", "split_pattern", "split_words"),
    "date_column",
)


@dataclasses.dataclass(frozen=True)
class Index:
    """All that is known before the first picture is looked for.

    Attributes:
        rows: of the label file, with boxes; `patient` is a pseudonym, or empty, for DICOM.
        lists: train_val, train, validation or test -> names.
        column: id -> split, from the label file.
        how: how the split is to be made, one of the constants of `splits`.
        counters: rows read, left out, and so on.
        identity: what a data set at the output must have been made from, as in its manifest.
        key: secret for pseudonyms; empty for no pseudonyms.
        warnings: (id, text) of fields of the label file that are not understood.
        phantom: how the phantom was made that the files are of; empty for real ones.
    """

    rows: list[Row]
    lists: dict[str, list[str]]
    column: dict[str, str]
    how: str
    counters: dict[str, int]
    identity: dict[str, Any]
    key: bytes = dataclasses.field(default=b"", repr=False)
    warnings: Sequence[tuple[str, str]] = ()
    phantom: str = ""

    def pseudonym(self, patient: str) -> str:
        """Returns the name of a patient in shards, manifest and messages."""
        return pseudonyms.of(patient, self.key)


def read(inputs: Inputs, config: Config) -> Index:
    """Reads the label file and what belongs to it.

    Raises:
        DataError: a file that cannot be used.
        UsageError: lists that do not make a split, or no key for pseudonyms.
    """
    paths = {
        "train_val": inputs.train_val_list,
        "train": inputs.train_list,
        "validation": inputs.validation_list,
        "test": inputs.test_list,
    }
    lists = {name: text_files.read_names(path) for name, path in paths.items() if path}
    how = assignment.method(lists, config, may_be_random=inputs.source != "nih")
    key = _key(inputs)
    found = _rows(inputs, config)
    rows = found.rows
    boxes = nih.read_boxes(inputs.boxes, config.findings) if inputs.boxes else {}
    indexed = {row.id for row in rows}
    counters = {
        "rows_in_index": len(rows),
        "rows_left_out": found.left_out,
        "listed_not_in_index": sum(n not in indexed for names in lists.values() for n in names),
        "ages_unknown": sum(row.age < 0 for row in rows),
        "boxes": sum(map(len, boxes.values())),
        **found.counters,
    }
    return Index(
        # Before anything is said of a patient, which errors may do.
        rows=[
            dataclasses.replace(nih.with_boxes(row, boxes), patient=pseudonyms.of(row.patient, key))
            for row in rows
        ],
        lists=lists,
        column=found.splits,
        how=how,
        counters=counters,
        identity=_identity(inputs, config, lists, key),
        key=key,
        warnings=found.warnings,
        phantom=notes.made_from(_beside(inputs)),
    )


def _beside(inputs: Inputs) -> list[str]:
    """The folders in which the maker of the files may have left notes on them."""
    paths = (
        f"{inputs.images.rstrip('/')}/",
        inputs.images.rstrip("/"),
        *flags.label_files(inputs.labels),
    )
    return list(dict.fromkeys(path.rpartition("/")[0] or "." for path in paths))


def _rows(inputs: Inputs, config: Config) -> table.Index:
    words = vocabulary.of(config.words)
    if inputs.source == "nih":
        found = table.Index()
        found.rows = nih.read_index(inputs.labels, config.findings, found.warnings, words)
        return found
    if inputs.source == "csv" and not (config.table.patient_column or config.table.patient_pattern):
        raise UsageError(
            "--source=csv needs to know the patients, by whom data are split: name "
            "--config.table.patient_column or --config.table.patient_pattern"
        )
    return table.read_index(flags.label_files(inputs.labels), config.findings, config.table, words)


def _key(inputs: Inputs) -> bytes:
    """Reads the secret for pseudonyms, which DICOM alone needs."""
    path = inputs.pseudonym_key_file
    if inputs.source != "dicom":
        if path:
            raise UsageError("--pseudonym_key_file is for --source=dicom: leave it out")
        return b""
    if not path:
        raise UsageError(
            "--source=dicom needs --pseudonym_key_file: a file with a secret that makes pseudonyms "
            f"of patient IDs; {pseudonyms.NEW_KEY}"
        )
    return pseudonyms.read_key(path)


def _identity(
    inputs: Inputs, config: Config, lists: Mapping[str, list[str]], key: bytes
) -> dict[str, Any]:
    """Returns what decides the content of the data set beside the pictures themselves."""
    first, *others = flags.label_files(inputs.labels)
    files = {
        "labels": first,
        **{f"labels_{number}": path for number, path in enumerate(others, 2)},
        "boxes": inputs.boxes,
        **{name: getattr(inputs, f"{name}_list") for name in lists},
    }
    hashes = {name: storage.sha256_of(path) for name, path in files.items() if path}
    if key:
        hashes["pseudonym_key"] = pseudonyms.proof(key)
    settings = dataclasses.asdict(config)
    for name in _LATER:
        if settings["table"][name] == getattr(Table(), name):
            del settings["table"][name]
    return {
        "parameters": {
            "source": inputs.source,
            "allow_missing": inputs.allow_missing,
            **settings,
        },
        "sources": hashes,
        "list_hashes": {name: assignment.list_hash(names) for name, names in lists.items()},
    }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names what differs between two identities, one line for each setting or file.

    >>> differences({"parameters": {"a": 1}}, {"parameters": {"a": 2, "b": 3}})
    ['parameters.a: 1, now 2', 'parameters.b: nothing, now 3']
    """
    lines = []
    before, now = _flat(old), _flat(new)
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            was, is_ = (values.get(name, "nothing") for values in (before, now))
            lines.append(f"{name}: {was}, now {is_}")
    return lines


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
