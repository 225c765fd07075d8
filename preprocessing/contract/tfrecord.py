# SPDX-License-Identifier: MIT
"""The TFRecord container: frames records for writing and takes them out of a file again."""

import struct

import google_crc32c


def framed(serialized: bytes) -> tuple[bytes, ...]:
    """Frames a record as a TFRecord: length, its checksum, data, its checksum."""
    length = struct.pack("<Q", len(serialized))
    return length, _masked_crc(length), serialized, _masked_crc(serialized)


def _masked_crc(data: bytes) -> bytes:
    # CRC-32C, rotated and offset: the format's guard against checksums of data holding checksums.
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)
