# SPDX-License-Identifier: MIT
"""The TFRecord container: frames records for writing and takes them out of a file again.

A record is its length (8 bytes), the masked CRC-32C of the length (4), the data, and the masked
CRC-32C of the data (4), all little-endian: https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

import struct
from collections.abc import Iterator

import google_crc32c

from preprocessing.contract.errors import DataError

_HEAD_BYTES, _CHECKSUM_BYTES = 12, 4


def framed(serialized: bytes) -> tuple[bytes, ...]:
    """Frames a record as a TFRecord: length, its checksum, data, its checksum."""
    length = struct.pack("<Q", len(serialized))
    return length, _masked_crc(length), serialized, _masked_crc(serialized)


def read(data: bytes) -> Iterator[bytes]:
    """Takes the records out of the content of a TFRecord file.

    Args:
        data: the whole file.

    Yields:
        The data of each record, its checksums verified.

    Raises:
        DataError: a wrong checksum, or a file that ends inside a record; the sentence says which
            record, counted from 0, and at which byte it begins.
    """
    view = memoryview(data)
    at = number = 0
    while at < len(view):
        where = f"record {number}, which begins at byte {at},"
        length = _length(view[at : at + _HEAD_BYTES], where)
        start = at + _HEAD_BYTES
        at = start + length + _CHECKSUM_BYTES
        if at > len(view):
            raise DataError(f"{where} is cut short: the file ends {at - len(view)} bytes too early")
        serialized = bytes(view[start : start + length])
        if _masked_crc(serialized) != view[at - _CHECKSUM_BYTES : at]:
            raise DataError(f"{where} has data that do not match their checksum")
        yield serialized
        number += 1


def _length(head: memoryview, where: str) -> int:
    """Returns how long the data are; a length is believed only with its checksum."""
    if len(head) < _HEAD_BYTES:
        raise DataError(f"{where} is cut short: the file ends inside its head")
    if _masked_crc(bytes(head[:8])) != head[8:]:
        raise DataError(f"{where} has a length that does not match its checksum")
    return int.from_bytes(head[:8], "little")


def _masked_crc(data: bytes) -> bytes:
    # CRC-32C, rotated and offset: the format's guard against checksums of data holding checksums.
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)
