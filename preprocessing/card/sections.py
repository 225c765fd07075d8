# SPDX-License-Identifier: MIT
"""Says what a data set holds: its identity, its findings and what befell its rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from preprocessing.card import people
from preprocessing.card.contact_sheet import Example
from preprocessing.card.content import Section, Table, number, percent
from preprocessing.card.population import Population, whole
from preprocessing.contract.manifest import Manifest

USE = "For research. Not a medical device: nothing here may be used for the care of patients."

_FEW = 100
_REJECTED = "rejected_"


def build(
    manifest: Manifest, parts: Sequence[Population], shown: Sequence[Example]
) -> list[Section]:
    """Builds all sections of a card.

    Args:
        manifest: of the data set.
        parts: its records, split by split.
        shown: the examples.
    """
    return [
        people.splits(manifest, parts),
        _findings(manifest, parts),
        _examples(shown),
        _together(manifest, whole(parts)),
        people.people(parts),
        people.shift(manifest, parts),
        *_boxes(manifest, parts),
        _events(manifest),
        _limits(manifest),
        _identity(manifest),
    ]


def names(manifest: Manifest) -> list[str]:
    """Returns the findings as text."""
    return [name.replace("_", " ") for name in manifest.findings]


def _findings(manifest: Manifest, parts: Sequence[Population]) -> Section:
    words = [
        "A prevalence is the share of images labelled with a finding among those of which it is "
        "known. It describes this collection of images, not patients at large: patients with many "
        "examinations count many times, which is why patients stand beside images.",
    ]
    few = [
        name
        for at, name in enumerate(names(manifest))
        if parts and min(part.positives[at] for part in parts[1:] or parts) < _FEW
    ]
    if few:
        words.append(
            f"Fewer than {_FEW} images of validation or test show {', '.join(few)}: their figures "
            "of performance will be uncertain."
        )
    tables = [_prevalence(manifest, parts), _positives(manifest, parts)]
    if any(min(part.known) < part.images for part in parts):
        tables.append(_unknown(manifest, parts))
    return Section("Findings", words, tables)


def _prevalence(manifest: Manifest, parts: Sequence[Population]) -> Table:
    counts = [
        *(
            (name, [(part.positives[at], part.known[at]) for part in parts])
            for at, name in enumerate(names(manifest))
        ),
        ("No finding", [(part.without_finding, part.images) for part in parts]),
    ]
    shares = [[part / of if of else 0.0 for part, of in pairs] for _, pairs in counts]
    most = max(max(row) for row in shares[:-1]) or 1.0
    return Table(
        caption="Prevalence: share of the images with each finding. The longest bar is "
        f"{100 * most:.1f}%; the bar of images without any finding is cut at it.",
        columns=["finding", *(part.split for part in parts)],
        rows=[[name, *(percent(*pair) for pair in pairs)] for name, pairs in counts],
        bars=[[min(share / most, 1.0) for share in row] for row in shares],
    )


def _positives(manifest: Manifest, parts: Sequence[Population]) -> Table:
    rows = [
        [
            name,
            *(
                f"{number(part.positives[at])} of {number(part.positive_patients(at))}"
                for part in parts
            ),
        ]
        for at, name in enumerate(names(manifest))
    ]
    return Table(
        caption="Images with each finding, and of how many patients they are.",
        columns=["finding", *(part.split for part in parts)],
        rows=rows,
    )


def _unknown(manifest: Manifest, parts: Sequence[Population]) -> Table:
    return Table(
        caption="Images of which a finding is not known. They are left out of loss and figures.",
        columns=["finding", *(part.split for part in parts)],
        rows=[
            [name, *(number(part.images - part.known[at]) for part in parts)]
            for at, name in enumerate(names(manifest))
        ],
    )


def _examples(shown: Sequence[Example]) -> Section:
    words = [
        "Chosen by a hash of the name, not by eye, and as the model sees them: whole, square, "
        "small. No patient is shown twice for one finding. Boxes are drawn where a radiologist "
        "drew one of that finding."
    ]
    return Section("Examples", words, examples=shown)


def _together(manifest: Manifest, all_parts: Population) -> Section:
    both = all_parts.together()
    counts = np.diag(both)
    rows, shades = [], []
    for at, name in enumerate(names(manifest)):
        shares = [int(count) / max(int(counts[at]), 1) for count in both[at]]
        cells = [f"{100 * share:.0f}" if counts[at] else "" for share in shares]
        cells[at] = number(int(counts[at]))
        rows.append([name, *cells])
        shades.append([0.0 if other == at else share for other, share in enumerate(shares)])
    table = Table(
        caption="Of 100 images with the finding of the row, how many also show that of the column. "
        "On the diagonal: images with the finding.",
        columns=["finding", *names(manifest)],
        rows=rows,
        shades=shades,
    )
    words = [
        "Findings that come together are hard to tell apart for a model, and what it learns of one "
        "may be the other."
    ]
    return Section("Findings together", words, [table])


def _boxes(manifest: Manifest, parts: Sequence[Population]) -> Iterator[Section]:
    rows = []
    for at, name in enumerate(names(manifest)):
        areas, images = [], 0
        for brief in (brief for part in parts for brief in part.briefs):
            images += at in brief.box_findings
            areas += [
                brief.boxes[4 * box + 2] * brief.boxes[4 * box + 3]
                for box, finding in enumerate(brief.box_findings)
                if finding == at
            ]
        if areas:
            median = f"{100 * float(np.median(areas)):.1f}%"
            rows.append([name, number(len(areas)), number(images), median])
    if rows:
        where = [part.split for part in parts if any(brief.boxes for brief in part.briefs)]
        words = [
            f"All boxes are in {' and '.join(where)}. They show where some findings are; an image "
            "without a box may show the finding all the same."
        ]
        caption = "Boxes, images with one, and the median share of the picture that a box covers."
        columns = ["finding", "boxes", "images", "median area"]
        yield Section("Boxes", words, [Table(caption, columns, rows)])


_EVENTS = {
    "rows_in_index": "rows of the label file",
    "rows_left_out": "rows left out by a column of the label file",
    "listed_not_in_index": "names in lists without a row",
    "images_found": "images found",
    "images_missing": "images of the label file that are missing",
    "images_not_in_index": "image files without a row",
    "archive_files_not_needed": "other files in archives",
    "ages_unknown": "ages that are unknown or impossible",
    "boxes": "boxes",
    "boxes_without_image": "boxes in the box file without their image",
    "records_written": "records written",
    "images_with_warnings": "images with warnings, listed in warnings.csv",
    "images_rejected": "images rejected, listed in rejected.csv",
    "duplicate_pictures": "images with the pixels of another, listed in duplicates.csv",
    "duplicate_groups": "groups of such images",
    "duplicate_groups_across_patients": "such groups across patients",
    "duplicate_groups_across_splits": "such groups across splits",
}


def _events(manifest: Manifest) -> Section:
    words = []
    if manifest.counters.get("images_missing"):
        there = manifest.counters.get("images_found", 0)
        words.append(
            f"This is a part of the data: {number(there)} of "
            f"{number(there + manifest.counters['images_missing'])} images were there. Its "
            "prevalences are not those of the whole."
        )
    if manifest.counters.get("duplicate_groups_across_splits"):
        words.append(
            "Some pictures are in two splits under different names: scores on them say little."
        )
    rows = []
    for name, count in manifest.counters.items():
        rejected = f"  of these: {name.removeprefix(_REJECTED).replace('_', ' ')}"
        plain = rejected if name.startswith(_REJECTED) else name.replace("_", " ")
        rows.append([_EVENTS.get(name, plain), number(count)])
    table = Table("What happened to the rows of the label file.", ["what", "count"], rows)
    return Section("From the label file to records", words, [table])


def _limits(manifest: Manifest) -> Section:
    words = [USE]
    if manifest.parameters.get("source") == "nih":
        words += [
            "The labels of ChestX-ray14 were drawn from radiology reports by a program. Its authors "
            "state precision and recall above 90% against reports (Wang et al., CVPR 2017, "
            "arXiv:1705.02315). That compares texts, not images.",
            "A radiologist who looked at some 700 of the images found the labels right 10 to 30 "
            "percentage points less often than documented (Oakden-Rayner, Academic Radiology "
            "2020, arXiv:1907.12720): a model can score well by learning the errors, too.",
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


def _identity(manifest: Manifest) -> Section:
    official = (
        "yes: the given lists are ChestX-ray14's published ones, by hash"
        if manifest.official_split
        else "no: figures cannot be compared with published ones"
    )
    rows = [
        ["identity of the manifest (SHA-256)", manifest.identity],
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
            Table("What the data set is, and what it was made from.", ["what", "value"], rows),
            Table("Settings of the job that are not empty.", ["setting", "value"], settings),
        ],
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield prefix + name, ", ".join(map(str, value))
        else:
            yield prefix + name, str(value)
