# SPDX-License-Identifier: MIT
"""Writes the report and the capture of a film, the same files again for the same answer."""

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from preprocessing.contract.files import storage
from preprocessing.contract.process import packages
from trainer.inference.films import Film, ImageError
from trainer.serving.facts import Facts

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from trainer.serving.served import Answer

_LOCK = "serve.txt"


def check_installed() -> None:
    """Raises UsageError if highdicom is not installed: ask before films are scored."""
    with packages.explained(_LOCK):
        import highdicom  # noqa: F401


def write(
    encoded: bytes,
    film: Film,
    answer: "Answer",
    maps: npt.NDArray[np.float32],
    facts: Facts,
    rule: str,
    folder: str,
) -> tuple[str, str]:
    """Writes the structured report and the Secondary Capture of a film.

    Their names are made of the film's SOPInstanceUID and the model: copies of a film share them.

    Args:
        encoded: content of the film's file.
        film: what `films.read` made of it.
        answer: of the model for it alone; the film could be used.
        maps: heat of every finding in the film, float32 [F, image_size, image_size], 0 to 1.
        facts: of the model.
        rule: by which the findings that are drawn are flagged; "" for none.
        folder: to write into, local or in a bucket.

    Returns:
        The paths of the report and of the capture.

    Raises:
        ImageError: nothing can be written: the film is not DICOM (`not_dicom`), or lacks a UID, so
            that no report can refer to it (`no_uid`).
        UsageError: highdicom is not installed.
    """
    with packages.explained(_LOCK):
        from trainer.inference.pacs import capture, drawing, report, source
    if not film.is_dicom:
        raise ImageError("not_dicom", "the film is not DICOM: it has no study to report to")
    origin = source.read(encoded)
    picture = drawing.draw(film.original.pixels, answer, maps, facts, rule)
    return (
        _written(folder, "sr", report.build(origin, answer, facts)),
        _written(folder, "sc", capture.build(origin, picture, facts, rule)),
    )


def _written(folder: str, kind: str, dataset: "Dataset") -> str:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    number = int(dataset.SOPInstanceUID.rpartition(".")[2])
    path = storage.join(folder, f"{kind}-{number:032x}.dcm")
    storage.write_bytes(path, file.getvalue(), private=True)
    return path
