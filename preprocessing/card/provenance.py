# SPDX-License-Identifier: MIT
"""Says what a data set was made from, what its labels mean, and what they do not."""

from collections.abc import Iterator, Mapping
from typing import Any

from preprocessing.card.document import Section
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.tables import Column, Table


def limits(manifest: Manifest) -> Section:
    """Says what the labels mean; for ChestX-ray14 with the sources."""
    words = []
    if manifest.phantom:
        words += [
            f"This data set is a phantom, {manifest.phantom}: no picture shows a patient, and "
            "the label file only has the form of ChestX-ray14's.",
            "Its labels are what was drawn, so none is wrong, and its findings are easier to see "
            "than disease is: what a model scores here says nothing of radiographs.",
        ]
    elif manifest.parameters.get("source") == "nih":
        words += [
            "The labels of ChestX-ray14 were drawn from radiology reports by a program. Its "
            "authors state that more than 90% are right (Wang et al., CVPR 2017, "
            "arXiv:1705.02315). That compares texts, not images.",
            "A radiologist who looked at some 700 of the images found the positive predictive "
            "value of most labels 10% to 30% lower than documented (Oakden-Rayner, Academic "
            "Radiology 2020, arXiv:1907.12720): a model can score well by learning errors, too.",
            "No finding means none of these findings was mentioned, or only as uncertain; it does "
            "not mean a normal chest. Pneumonia is a clinical diagnosis that an image alone does "
            "not give.",
            "Many images of pneumothorax show a chest drain, the treatment (Oakden-Rayner): what a "
            "model finds may be the drain. Portable AP films are of sicker patients, so a model "
            "may read the view instead of the finding.",
            "All images come from one hospital, the NIH Clinical Center.",
        ]
    else:
        words.append("How the labels were made is not known here: ask those who made them.")
    return Section("What the labels mean, and what they do not", words)


def identity(manifest: Manifest) -> Section:
    """Lists what distinguishes this data set from any other."""
    official = (
        "yes: the given lists are ChestX-ray14's published ones, by hash"
        if manifest.official_split
        else "no: figures cannot be compared with published ones"
    )
    rows = [
        ["identity of the manifest (SHA-256)", manifest.identity],
        *([["phantom", manifest.phantom]] if manifest.phantom else []),
        ["findings, in order", ", ".join(manifest.findings)],
        ["stored pictures", f"{manifest.stored_size} x {manifest.stored_size}, 8-bit grey"],
        ["encoding", manifest.encoding],
        ["split", manifest.split_method or "not stated"],
        ["official split", official],
        *([f"hash of the list {name}", value] for name, value in manifest.list_hashes.items()),
        ["written by", manifest.writer],
        ["record schema", str(manifest.schema_version)],
        *([f"SHA-256 of {name}", value] for name, value in manifest.sources.items()),
    ]
    settings = [
        [name, value]
        for name, value in _flat(manifest.parameters)
        if name != "findings" and value != ""
    ]
    return Section(
        "Identity",
        ["Two data sets with the same identity hold the same records."],
        [
            _facts("What the data set is, and what it was made from.", "what", rows),
            _facts("Settings of the job that are not empty.", "setting", settings),
        ],
    )


def _facts(caption: str, head: str, rows: list[list[str]]) -> Table:
    return Table(caption, [head, Column("value", "text")], rows, css="facts")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield prefix + name, ", ".join(map(str, value))
        else:
            yield prefix + name, str(value)
