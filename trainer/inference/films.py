# SPDX-License-Identifier: MIT
"""Reads a film from the content of a PNG, JPEG or DICOM file, by the rules of preprocessing."""

import dataclasses
from collections.abc import Mapping

from preprocessing.contract import dicom
from preprocessing.contract.pictures import image, picture_tags
from preprocessing.contract.pictures.image import ImageError, Original, Pixels

__all__ = ["Film", "ImageError", "is_dicom", "read"]


@dataclasses.dataclass(frozen=True, eq=False)
class Film:
    """A film that a model can be asked about.

    Attributes:
        pixels: canonical picture, uint8 [stored_size, stored_size].
        original: the upright picture in full size, and what a DICOM file says of the patient.
        is_dicom: whether the file is DICOM.
    """

    pixels: Pixels
    original: Original
    is_dicom: bool


def read(
    encoded: bytes, name: str, *, stored_size: int, words: Mapping[str, str] | None = None
) -> Film:
    """Reads a film.

    Args:
        encoded: content of the file.
        name: of the file; that of a DICOM file must not give the patient away.
        stored_size: side in pixels of the canonical picture, as the model wants it.
        words: more words for parts and views in DICOM files, as preprocessing's setting `words`.

    Raises:
        ImageError: the film cannot be used; the reason is one of `radiographs.REASONS`.
    """
    dicom_file = is_dicom(encoded)
    original = dicom.read(encoded, name, words) if dicom_file else image.read(encoded)
    image.check_original(original.pixels)
    pixels = image.resize(image.square(original.pixels), stored_size)
    return Film(pixels, original, dicom_file)


def is_dicom(encoded: bytes) -> bool:
    r"""Tells whether a file is to be read as DICOM: by its mark, or as it is nothing else.

    >>> is_dicom(b"\x89PNG\r\n\x1a\n")
    False
    """
    known = (picture_tags.PNG, picture_tags.JPEG)
    return encoded[128:132] == b"DICM" or not encoded.startswith(known)
