# SPDX-License-Identifier: MIT
"""Decodes the pixels of a data set, after its header has been held against what is there.

Nothing is decoded before its size is known to be the one that Rows and Columns claim: a small file
can announce, in its header or in its compressed stream, more pixels than memory holds.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import encaps
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from preprocessing.contract import image, picture_files
from preprocessing.contract.picture_files import ImageError, Pixels
from preprocessing.dicom import decoder, greys, rle, tags

_NATIVE = {f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2")}
_RLE = "1.2.840.10008.1.2.5"
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_JPEG = {f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 57, 70)}
_JPEG_LS = {f"1.2.840.10008.1.2.4.{end}" for end in (80, 81)}
_JPEG_2000 = {f"1.2.840.10008.1.2.4.{end}" for end in (90, 91)}

_GREY = {"MONOCHROME1", "MONOCHROME2"}
_COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"}


def read(dataset: Dataset, *, is_cut: bool, warnings: list[str]) -> Pixels:
    """Decodes a picture as a viewer shows it.

    Args:
        dataset: of the file.
        is_cut: whether the file ends in the middle of an attribute.
        warnings: gains what is missing or odd, and what was assumed.

    Returns:
        uint8 [height, width], 0 black, as the rows and columns lie in the file.

    Raises:
        ImageError: no pixels, cut short, damaged, too large or of a type that is not read.
    """
    data = tags.values(dataset, "PixelData")
    if not data or not isinstance(data[0], bytes):
        if is_cut:
            raise ImageError("cut_short", "the DICOM file is cut short: its pixels are missing")
        raise ImageError("no_pixels", f"the file has no {tags.title('PixelData')}")
    header = _header(dataset, warnings)
    syntax = _syntax(dataset)
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = UID(syntax)
    header["PixelData"] = dataset["PixelData"]
    if syntax in _NATIVE:
        _check_length(header, len(data[0]))
        pixels = _native(header)
    else:
        pixels = _decode_frame(header, syntax, data[0], is_cut)
    shape = (header.Rows, header.Columns)
    if pixels.shape[:2] != shape or pixels.ndim != (2 if header.SamplesPerPixel == 1 else 3):
        raise ImageError("damaged", "the picture is damaged: it has another size than its header")
    if pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > 2:
        raise ImageError("pixel_type", f"the picture has {pixels.dtype} pixels: use 8 or 16 bits")
    if header.SamplesPerPixel == 3:
        return image.grey(pixels.astype(np.uint8, copy=False))
    return greys.shown(_stored(pixels, header, dataset, warnings), dataset, warnings)


def _header(dataset: Dataset, warnings: list[str]) -> Dataset:
    """Returns the attributes that decoding needs, checked, and filled in where missing.

    A data set of its own: in the file's, one value that cannot be converted stops every decoder.
    """
    rows, columns = tags.integer(dataset, "Rows"), tags.integer(dataset, "Columns")
    picture_files.check_size(max(columns or 0, 0), max(rows or 0, 0))
    channels = _or_assumed(dataset, "SamplesPerPixel", 1, warnings)
    photometric = _photometric(dataset, channels, warnings)
    allocated = _or_assumed(dataset, "BitsAllocated", 16, warnings)
    bits = _or_assumed(dataset, "BitsStored", allocated, warnings)
    if allocated not in ((8, 16) if channels == 1 else (8,)):
        raise ImageError(
            "pixel_type",
            f"{tags.title('BitsAllocated')} is {allocated}: use 8, or 16 with one channel",
        )
    if not 1 <= bits <= allocated:
        warnings.append(f"{tags.title('BitsStored')} is out of range: taken as {allocated}")
        bits = allocated
    signed = _or_assumed(dataset, "PixelRepresentation", 0, warnings)
    if signed not in (0, 1):
        warnings.append(f"{tags.title('PixelRepresentation')} is neither 0 nor 1: taken as 0")
        signed = 0
    planes = tags.integer(dataset, "PlanarConfiguration")
    header = Dataset()
    header.Rows, header.Columns, header.SamplesPerPixel = rows, columns, channels
    header.PhotometricInterpretation, header.PixelRepresentation = photometric, signed
    header.BitsAllocated, header.BitsStored, header.HighBit = allocated, bits, bits - 1
    header.NumberOfFrames = 1
    if channels == 3:
        header.PlanarConfiguration = planes if planes in (0, 1) else 0
    return header


def _or_assumed(dataset: Dataset, keyword: str, assumed: int, warnings: list[str]) -> int:
    found = tags.integer(dataset, keyword)
    if found is None:
        warnings.append(f"{tags.title(keyword)} is missing: taken as {assumed}")
        return assumed
    return found


def _photometric(dataset: Dataset, channels: int, warnings: list[str]) -> str:
    found = tags.text(dataset, "PhotometricInterpretation").upper()
    title = tags.title("PhotometricInterpretation")
    if channels == 1 and not found:
        warnings.append(f"{title} is missing: taken as MONOCHROME2")
        return "MONOCHROME2"
    if found not in {1: _GREY, 3: _COLOUR}.get(channels, set()):
        raise ImageError(
            "pixel_type", f"{title} is of no kind that is read: use MONOCHROME1 or 2, RGB or YBR"
        )
    return found


def _syntax(dataset: Dataset) -> str:
    """Returns the transfer syntax; a file without header has one that the parser found out."""
    meta = getattr(dataset, "file_meta", None)
    found = tags.text(meta, "TransferSyntaxUID") if meta is not None else ""
    if not found:
        is_implicit, is_little = dataset.original_encoding
        found = "1.2.840.10008.1.2" + ("" if is_implicit else ".1" if is_little else ".2")
    if found not in _NATIVE | _JPEG | _JPEG_LS | _JPEG_2000 | {_RLE}:
        raise ImageError(
            "pixel_type", "TransferSyntaxUID (0002,0010) is none that is read: save it uncompressed"
        )
    return found


def _check_length(header: Dataset, length: int) -> None:
    samples = header.Rows * header.Columns * header.SamplesPerPixel
    if header.PhotometricInterpretation == "YBR_FULL_422":
        samples = samples // 3 * 2
    if length < samples * header.BitsAllocated // 8:
        raise ImageError(
            "cut_short", "the picture is cut short: it has fewer pixels than it claims"
        )


def _decode_frame(
    header: Dataset, syntax: str, data: bytes, is_cut: bool
) -> npt.NDArray[np.generic]:
    try:
        frame = next(encaps.generate_frames(data, number_of_frames=1))
    except Exception:  # of several types, for one cause
        reason, state = ("cut_short", "cut short") if is_cut else ("damaged", "damaged")
        raise ImageError(reason, f"the picture is {state}: its frame is not whole") from None
    rows, columns, channels = header.Rows, header.Columns, header.SamplesPerPixel
    if syntax == _RLE:
        shape = (rows, columns) if channels == 1 else (rows, columns, channels)
        pixels = rle.decode(frame, shape, header.BitsAllocated // 8)
        is_luma = header.PhotometricInterpretation.startswith("YBR")
        return pixels[..., [0, 0, 0]] if is_luma else pixels
    if syntax == _JPEG_EXTENDED and header.BitsStored > 8:
        raise ImageError("pixel_type", "JPEG of 12 bits is not read: save it uncompressed")
    size = _j2k_size(frame) if syntax in _JPEG_2000 else _jpeg_size(frame)
    if size != (rows, columns, channels):
        raise ImageError("damaged", "the picture is damaged: its stream has another size")
    if b"\xff\xd9" not in frame[-64:]:
        raise ImageError("cut_short", "the picture is cut short: its stream has no end")
    attributes = {item.keyword: item.value for item in header if item.keyword != "PixelData"}
    return decoder.decode(attributes, syntax, frame)


def _native(header: Dataset) -> npt.NDArray[np.generic]:
    options: dict[str, Any] = {"correct_unused_bits": False}
    try:
        pixels: npt.NDArray[np.generic] = pixel_array(header, index=0, **options)
    except Exception:  # of no narrower type; its text may repeat values
        raise ImageError("damaged", "the picture is damaged: it cannot be decoded") from None
    return pixels


def _j2k_size(frame: bytes) -> tuple[int, int, int]:
    """Reads rows, columns and channels from the SIZ segment (ITU-T T.800, A.5.1)."""
    at = frame[:4096].find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 42 > len(frame):
        return 0, 0, 0
    right, bottom, left, top = (int(number) for number in np.frombuffer(frame, ">u4", 4, at + 8))
    return bottom - top, right - left, int.from_bytes(frame[at + 40 : at + 42], "big")


def _jpeg_size(frame: bytes) -> tuple[int, int, int]:
    """Reads rows, columns and channels from the start of frame (ITU-T T.81, B.2.2; T.87, C.2.2)."""
    at = 2
    while at + 10 <= len(frame) and frame[at] == 0xFF:
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = (int.from_bytes(frame[at + k : at + k + 2], "big") for k in (5, 7))
            return rows, columns, frame[at + 9]
        at += 2 + length
    return 0, 0, 0


def _stored(
    pixels: npt.NDArray[np.generic], header: Dataset, dataset: Dataset, warnings: list[str]
) -> greys.Stored:
    """Separates values from bits that are none of theirs (PS3.5, 8.1.1)."""
    is_signed, bits = header.PixelRepresentation == 1, int(header.BitsStored)
    width = 8 * pixels.dtype.itemsize
    pixels = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))
    codes: npt.NDArray[np.unsignedinteger] = pixels.view(f"u{pixels.dtype.itemsize}")
    bits = min(bits, width)
    fits = int(codes.max()) < 1 << bits
    if is_signed and not fits:
        values, half = pixels.view(f"i{pixels.dtype.itemsize}"), 1 << (bits - 1)
        fits = -half <= int(values.min()) and int(values.max()) < half
    has_overlay = any((group, 0x0102) in dataset for group in range(0x6000, 0x6020, 2))
    if not fits and not has_overlay:
        high_bit = tags.integer(dataset, "HighBit") or 0
        shift = high_bit + 1 - bits
        if 0 < shift <= width - bits:
            codes = np.right_shift(codes, codes.dtype.type(shift))
        else:
            warnings.append(f"{tags.title('BitsStored')} is less than is used: taken as {width}")
            bits = width
    mask = codes.dtype.type((1 << bits) - 1)
    return greys.Stored(np.bitwise_and(codes, mask), bits, is_signed)
