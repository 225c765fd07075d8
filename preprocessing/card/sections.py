# SPDX-License-Identifier: MIT
"""Says what a data set holds: its findings, and what became of the rows of the label file."""

from collections.abc import Iterator, Sequence

import pandas as pd

from preprocessing.card import people, provenance
from preprocessing.card.contact_sheet import Example
from preprocessing.card.document import Section, shaded
from preprocessing.card.records import Records, share_table
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.tables import Cell, Table
from preprocessing.contract.wording import number, words

_FEW = 100
_REJECTED = "rejected_"


def build(manifest: Manifest, records: Records, shown: Sequence[Example]) -> list[Section]:
    """Builds all sections of a card from the manifest, the records and the examples."""
    return [
        people.splits(manifest, records),
        _findings(records),
        _examples(shown),
        _together(records),
        people.people(records),
        people.shift(records),
        *_boxes(manifest, records),
        _events(manifest),
        provenance.limits(manifest),
        provenance.identity(manifest),
    ]


def _findings(records: Records) -> Section:
    positives, known, splits = records.positives, records.known, records.splits
    said = [
        "A prevalence is the share of images labelled with a finding among those of which it is "
        "known. It describes this collection of images, not patients at large: patients with many "
        "examinations count many times, which is why patients are counted beside images.",
    ]
    few = positives.index[positives[splits[1:] or splits].min(axis=1) < _FEW]
    if len(few):
        which = ", ".join(map(words, few)) if len(few) < len(positives) else "each of the findings"
        said.append(
            f"Fewer than {_FEW} images of validation or test show {which}: figures of performance "
            "on them will be uncertain."
        )
    longest = float((positives / known.clip(lower=1)).to_numpy().max()) or 1.0
    caption = "Prevalence: share of the images with each finding. The longest bar is "
    tables = [
        share_table("finding", f"{caption}{100 * longest:.1f}%.", positives, known, longest),
        _counts(
            "Images with each finding / patients with such an image.",
            positives.map("{:,}".format) + " / " + records.positive_patients.map("{:,}".format),
        ),
    ]
    unknown = records.split.value_counts()[splits] - known
    if unknown.to_numpy().any():
        caption = "Images of which a finding is not known. They are left out of loss and figures."
        tables.append(_counts(caption, unknown.map("{:,}".format)))
    return Section("Findings", said, tables)


def _counts(caption: str, cells: pd.DataFrame) -> Table:
    """Returns a table of texts, [findings, splits]."""
    rows = [
        [words(str(name)), *row] for name, row in zip(cells.index, cells.to_numpy(), strict=True)
    ]
    return Table(caption, ["finding", *cells.columns], rows)


def _examples(shown: Sequence[Example]) -> Section:
    said = [
        "Chosen by a hash of the name, not by eye, and as the model sees them: whole, square, "
        "small. No patient is shown twice for one finding. The boxes are those of the box file for "
        "that finding."
    ]
    return Section("Examples", said, examples=shown)


def _together(records: Records) -> Section:
    present = records.present.to_numpy(int)
    both, names = present.T @ present, list(map(words, records.present.columns))
    rows = []
    for at, (name, counts) in enumerate(zip(names, both, strict=True)):
        shares = counts / max(counts[at], 1)
        cells = [shaded(f"{100 * share:.0f}" if counts[at] else "", share) for share in shares]
        cells[at] = shaded(number(int(counts[at]), ","), 0)
        rows.append([Cell(name), *cells])
    table = Table(
        caption="Of 100 images with the finding of the row, how many also show that of the column. "
        "On the diagonal: images with the finding.",
        columns=["finding", *names],
        rows=rows,
        css="heat",
    )
    said = [
        "Findings that occur together are hard for a model to separate, and what it learns of one "
        "may be the other."
    ]
    return Section("Findings together", said, [table])


def _boxes(manifest: Manifest, records: Records) -> Iterator[Section]:
    images = records.images[["split", "box_findings", "boxes"]]
    boxes = pd.DataFrame(
        [
            (at, split, finding, width * height)
            for at, split, findings, flat in images.itertuples()
            for finding, width, height in zip(findings, flat[2::4], flat[3::4], strict=True)
        ],
        columns=["image", "split", "finding", "area"],
    )
    if boxes.empty:
        return
    rows = []
    for at, own in boxes.groupby("finding"):
        counts = [number(len(own), ","), number(own["image"].nunique(), ",")]
        name = words(manifest.findings[int(str(at))])
        rows.append([name, *counts, f"{100 * own['area'].median():.1f}%"])
    where = [split for split in records.splits if split in set(boxes["split"])]
    said = [
        f"All boxes are in {' and '.join(where)}. They show where some findings are; an image "
        "without a box may show the finding all the same."
    ]
    caption = "Boxes, images with one, and the median share of the picture that a box covers."
    columns = ["finding", "boxes", "images", "median area"]
    yield Section("Boxes", said, [Table(caption, columns, rows)])


_EVENTS = {
    "rows_in_index": "rows of the label file",
    "rows_left_out": "rows left out by a column of the label file",
    "rows_combined": "rows that went into another row of the same image",
    "rows_without_partner": "rows without a line in another label file, listed in warnings.csv",
    "label_lines_without_row": "lines of other label files that belong to no row",
    "labels_not_wanted": "names in lists that table.names does not want",
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
    said = []
    if manifest.counters.get("images_missing"):
        there = manifest.counters.get("images_found", 0)
        said.append(
            f"This is a part of the data: {number(there, ',')} of "
            f"{number(there + manifest.counters['images_missing'], ',')} images were there. Its "
            "prevalences are not those of the whole."
        )
    if manifest.counters.get("duplicate_groups_across_splits"):
        said.append(
            "Some pictures are in two splits under different names: scores on them say little."
        )
    rows = []
    for name, count in manifest.counters.items():
        rejected = f"  of these: {words(name.removeprefix(_REJECTED))}"
        plain = rejected if name.startswith(_REJECTED) else words(name)
        rows.append([_EVENTS.get(name, plain), number(count, ",")])
    table = Table("What happened to the rows of the label file.", ["what", "count"], rows)
    return Section("From the label file to records", said, [table])
