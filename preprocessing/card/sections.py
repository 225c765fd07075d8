# SPDX-License-Identifier: MIT
"""Says what a data set holds: its findings, and what became of the rows of the label file."""

from collections.abc import Iterator, Sequence

import numpy as np

from preprocessing.card import people, provenance
from preprocessing.card.contact_sheet import Example
from preprocessing.card.content import Section, Table, number, percent
from preprocessing.card.population import Population, whole
from preprocessing.contract.manifest import Manifest

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
        provenance.limits(manifest),
        provenance.identity(manifest),
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
        if min(part.positives[at] for part in parts[1:] or parts) < _FEW
    ]
    if few:
        which = ", ".join(few) if len(few) < len(manifest.findings) else "each of the findings"
        words.append(
            f"Fewer than {_FEW} images of validation or test show {which}: figures of performance "
            "on them will be uncertain."
        )
    tables = [_prevalence(manifest, parts), _positives(manifest, parts)]
    if any(min(part.known) < part.images for part in parts):
        tables.append(_unknown(manifest, parts))
    return Section("Findings", words, tables)


def _prevalence(manifest: Manifest, parts: Sequence[Population]) -> Table:
    counts = [
        (name, [(part.positives[at], part.known[at]) for part in parts])
        for at, name in enumerate(names(manifest))
    ]
    shares = [[part / of if of else 0.0 for part, of in pairs] for _, pairs in counts]
    most = max(map(max, shares)) or 1.0
    return Table(
        caption="Prevalence: share of the images with each finding. The longest bar is "
        f"{100 * most:.1f}%.",
        columns=["finding", *(part.split for part in parts)],
        rows=[[name, *(percent(*pair) for pair in pairs)] for name, pairs in counts],
        bars=[[share / most for share in row] for row in shares],
    )


def _positives(manifest: Manifest, parts: Sequence[Population]) -> Table:
    rows = [
        [
            name,
            *(
                f"{number(part.positives[at])} / {number(part.positive_patients(at))}"
                for part in parts
            ),
        ]
        for at, name in enumerate(names(manifest))
    ]
    return Table(
        caption="Images with each finding / patients with such an image.",
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
        "small. No patient is shown twice for one finding. The boxes are those of the box file for "
        "that finding."
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
    "names_nearly_right": "missing images of which a file differs in suffix or case alone",
    "folders_unreadable": "folders that could not be read",
    "archive_files_not_needed": "other files in archives",
    "ages_unknown": "ages that are unknown or impossible",
    "boxes": "boxes",
    "boxes_without_image": "boxes in the box file without their image",
    "records_written": "records written",
    "images_turned_upright": "images that their files store turned or mirrored, put upright",
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
