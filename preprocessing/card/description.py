# SPDX-License-Identifier: MIT
"""Describes a finished data set: reads it, and writes its card and its contact sheet."""

import dataclasses
from collections.abc import Sequence

from preprocessing import verify
from preprocessing.card import contact_sheet, document, records, sections
from preprocessing.card.document import Section
from preprocessing.contract.errors import DataError, UsageError
from preprocessing.contract.files import storage

MARKDOWN, HTML, SHEET = "dataset_card.md", "dataset_card.html", "contact_sheet.png"


@dataclasses.dataclass(frozen=True)
class Card:
    """What describing a data set made.

    Attributes:
        title: of the card.
        sections: its content.
        paths: of the files that were written.
    """

    title: str
    sections: tuple[Section, ...]
    paths: tuple[str, ...]

    def text(self) -> str:
        """Returns the card as plain text, and where its files are."""
        written = "\n".join(f"written: {path}" for path in self.paths)
        return f"{document.text(self.title, self.sections)}\n\n{written}"


def describe(folder: str, output: str = "", beam_arguments: Sequence[str] = ()) -> Card:
    """Reads a data set and writes dataset_card.md, dataset_card.html and contact_sheet.png.

    The same data set gives the same files.

    Args:
        folder: of the data set, local or gs://.
        output: folder for the card; the data set's own if empty.
        beam_arguments: Beam's own flags; without any, all cores of this machine are used.

    Raises:
        DataError: there is no manifest, or the data set is damaged.
        UsageError: the card cannot be written, or a flag that Beam does not know.
    """
    output = output or folder
    manifest = verify.read_manifest(folder)
    _probe(output)
    readings = verify.read_all(folder, manifest, beam_arguments, title="describing")
    problems = [text for reading in readings for text in reading.problems]
    if problems:
        raise DataError(
            f"{folder} is damaged ({problems[0]}): cxr14-preprocess verify {folder} says everything"
        )
    found = records.read(readings, manifest.findings)
    if found.images.empty:
        raise DataError(f"{folder} holds no record: preprocess the data again")
    shown = contact_sheet.examples(folder, manifest, readings)
    made = sections.build(manifest, found, shown)
    what = "drawn pictures of a phantom" if manifest.phantom else "chest radiographs"
    title = f"Data set card: {len(found.images):,} {what}, {len(manifest.findings)} findings"
    files = {
        MARKDOWN: document.markdown(title, made, picture=SHEET).encode(),
        HTML: document.html(title, made).encode(),
        SHEET: contact_sheet.sheet(shown),
    }
    paths = tuple(storage.join(output, name) for name in files)
    for path, content in zip(paths, files.values(), strict=True):
        storage.write_bytes(path, content)
    return Card(title, tuple(made), paths)


def _probe(output: str) -> None:
    """Finds out before the reading, which may take long, whether the card can be written."""
    try:
        storage.make_folder(output)
        path = storage.join(output, f"{SHEET}.partial-probe")
        storage.write_bytes(path, b"")
        storage.delete(path)
    except OSError as error:
        raise UsageError(
            f"the card cannot be written into {output}: {error.strerror or error}; name a folder "
            "of yours with --output=DIR"
        ) from error
