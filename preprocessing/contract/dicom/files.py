# SPDX-License-Identifier: MIT
"""Parses DICOM files, with or without header, and keeps the libraries from printing of patients."""

import io
import logging
import re
import warnings
import zlib

import pydicom
from pydicom import config
from pydicom.dataset import Dataset

from preprocessing.contract.pictures.picture_files import MAX_BYTES, ImageError

# pydicom's warnings and log lines repeat values, names of patients among them.
config.settings.reading_validation_mode = config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

_FILTER = ("ignore", None, Warning, re.compile(r"pydicom(\.|\Z)"), 0)


def parse(encoded: bytes) -> tuple[Dataset, bool]:
    """Parses the content of a DICOM file.

    Returns:
        The data set, and whether the file ends in the middle of an attribute.

    Raises:
        ImageError: no DICOM, damaged or too large.
    """
    silence()
    if len(encoded) > MAX_BYTES:
        raise ImageError("too_large", f"the file has {len(encoded)} bytes: at most 2^28 are read")
    has_header = encoded[128:132] == b"DICM"
    if not has_header and not _begins_like_dicom(encoded):
        raise ImageError("not_dicom", "the file is not DICOM")
    file = _File(encoded)
    try:
        dataset = pydicom.dcmread(file, force=True)
        is_empty = "SOPClassUID" not in dataset and "Rows" not in dataset
    except ImageError:
        raise
    except Exception:  # hostile headers raise every type there is; their texts repeat values
        raise ImageError("damaged", "the DICOM file is damaged: it cannot be parsed") from None
    if is_empty and not file.is_cut:
        raise ImageError(
            "not_dicom", "the file is not a DICOM image: it has neither class nor size"
        )
    return dataset, file.is_cut


def silence() -> None:
    """Drops pydicom's warnings for the process, once; the filter is never taken back.

    `warnings.catch_warnings` would be: but not in threads, where one puts back what another set.
    """
    if _FILTER not in warnings.filters:
        warnings.filterwarnings("ignore", module=_FILTER[3].pattern)


def _begins_like_dicom(encoded: bytes) -> bool:
    """Says whether the bytes begin with an attribute of group 2 or 8, in the order they must."""
    group = encoded[0:2]
    if len(encoded) < 16 or group not in (b"\2\0", b"\x08\0", b"\0\x08"):
        return False
    is_big = group == b"\0\x08"
    element = int.from_bytes(encoded[2:4], "big" if is_big else "little")
    if encoded[4:6].isalpha() and encoded[4:6].isupper():
        return element < 0x70
    length = int.from_bytes(encoded[4:8], "little")
    return not is_big and element < 0x70 and length < min(len(encoded), 1 << 12)


class _File(io.BytesIO):
    """The content of a file, which notes when more is asked for than there is.

    Attributes:
        is_cut: whether the file ended in the middle of what was read.
    """

    is_cut = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if size is None or size < 0:
            # pydicom does this for deflated data sets alone, and then inflates without a bound.
            _check_inflated(data)
        elif len(data) < size and (data or size != 8):
            self.is_cut = True
        return data


def _check_inflated(data: bytes) -> None:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    if len(stream.decompress(data, MAX_BYTES + 1)) > MAX_BYTES:
        raise ImageError("too_large", "the file inflates to more than the 2^28 bytes read")
    if not stream.eof:
        raise ImageError("cut_short", "the DICOM file is cut short: its deflated data are")
