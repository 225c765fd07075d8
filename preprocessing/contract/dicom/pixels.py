# SPDX-License-Identifier: MIT
"""Decodes the pixels of a data set, after checking its header against what is there.

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

from preprocessing.contract.dicom import decoder, frames, geometry, greys, tags
from preprocessing.contract.pictures import image, picture_files
from preprocessing.contract.pictures.picture_files import ImageError, Pixels

_NATIVE = {f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2")}
_RLE = "1.2.840.10008.1.2.5"
_JPEG_8_BITS = {f"1.2.840.10008.1.2.4.{end}" for end in (50, 51)}
_JPEG = {*_JPEG_8_BITS, *(f"1.2.840.10008.1.2.4.{end}" for end in (57, 70))}
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
        uint8 [height, width], 0 black, with rows and columns as in the file; square pixels.

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
    header.add_new("PixelData", dataset["PixelData"].VR, data[0])
    if syntax in _NATIVE:
        if frames.is_encapsulated(data[0]):
            raise ImageError(
                "pixel_type",
                "TransferSyntaxUID (0002,0010) says uncompressed, but the pixels are compressed: "
                "correct it to the syntax that they have",
            )
        header["PixelData"].value = _whole(header, data[0], warnings)
        pixels = _native(header)
    else:
        pixels = _decode_frame(header, syntax, data[0], is_cut, warnings)
    shape = (header.Rows, header.Columns)
    if pixels.shape[:2] != shape or pixels.ndim != (2 if header.SamplesPerPixel == 1 else 3):
        raise ImageError("damaged", "the picture is damaged: it has another size than its header")
    if pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > 2:
        raise ImageError("pixel_type", f"the picture has {pixels.dtype} pixels: use 8 or 16 bits")
    if header.SamplesPerPixel == 3:
        grey = image.grey(pixels.astype(np.uint8, copy=False))
    else:
        grey = greys.shown(_stored(pixels, header, dataset, warnings), dataset, warnings)
    return geometry.squared(grey, dataset, warnings)


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
        text = f"is {allocated}: use 8, or 16 with one channel"
        raise tags.refusal("pixel_type", "BitsAllocated", text)
    if not 1 <= bits <= allocated:
        tags.warn(warnings, "BitsStored", f"is out of range: taken as {allocated}")
        bits = allocated
    signed = _or_assumed(dataset, "PixelRepresentation", 0, warnings)
    if signed not in (0, 1):
        tags.warn(warnings, "PixelRepresentation", "is neither 0 nor 1: taken as 0")
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
        state = "not a whole number" if tags.values(dataset, keyword) else "missing"
        tags.warn(warnings, keyword, f"is {state}: taken as {assumed}")
        return assumed
    return found


def _photometric(dataset: Dataset, channels: int, warnings: list[str]) -> str:
    found = tags.text(dataset, "PhotometricInterpretation").upper()
    keyword = "PhotometricInterpretation"
    if channels == 1 and not found:
        tags.warn(warnings, keyword, "is missing: taken as MONOCHROME2")
        return "MONOCHROME2"
    if found not in {1: _GREY, 3: _COLOUR}.get(channels, set()):
        text = "is of no kind that is read: use MONOCHROME1 or 2, RGB or YBR"
        raise tags.refusal("pixel_type", keyword, text)
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
            "pixel_type",
            "TransferSyntaxUID (0002,0010) is not one that is read: save it uncompressed",
        )
    return found


def _whole(header: Dataset, data: bytes, warnings: list[str]) -> bytes:
    """Returns the bytes of the picture, an even number; bytes behind it are padding."""
    size = header.Rows * header.Columns * header.SamplesPerPixel * header.BitsAllocated // 8
    if header.PhotometricInterpretation == "YBR_FULL_422" and len(data) < size:
        size = size // 3 * 2
    if len(data) < size:
        raise ImageError(
            "cut_short", "the picture is cut short: it has fewer pixels than it claims"
        )
    if len(data) >= 2 * size:
        # Of another depth or size than the header states it is noise, and nothing else shows that.
        tags.warn(warnings, "PixelData", "is twice as long as the picture or longer")
    return data[: size + size % 2]


def _decode_frame(
    header: Dataset, syntax: str, data: bytes, is_cut: bool, warnings: list[str]
) -> npt.NDArray[np.generic]:
    try:
        frame = next(encaps.generate_frames(data, number_of_frames=1))
    except Exception:  # of several types, for one cause
        reason, state = ("cut_short", "cut short") if is_cut else ("damaged", "damaged")
        raise ImageError(reason, f"the picture is {state}: its frame is not whole") from None
    rows, columns, channels = header.Rows, header.Columns, header.SamplesPerPixel
    if syntax == _RLE:
        shape = (rows, columns) if channels == 1 else (rows, columns, channels)
        pixels = frames.decode_rle(frame, shape, header.BitsAllocated // 8)
        is_luma = header.PhotometricInterpretation.startswith("YBR")
        return pixels[..., [0, 0, 0]] if is_luma else pixels
    stream = frames.read(frame)
    if stream.bits != 8 and syntax in _JPEG_8_BITS:
        raise ImageError(
            "pixel_type", f"lossy JPEG of {stream.bits} bits is not read: save it uncompressed"
        )
    if (stream.rows, stream.columns, stream.channels) != (rows, columns, channels):
        raise ImageError("damaged", "the picture is damaged: its stream has another size")
    if 0 < stream.bits <= 8 < header.BitsAllocated:
        # Decoders return what the stream has, in bytes.
        tags.warn(warnings, "BitsAllocated", "is 16, but the stream's are 8: taken as 8")
        header.BitsAllocated, header.BitsStored = 8, min(8, header.BitsStored)
        header.HighBit = header.BitsStored - 1
    frame = frames.without_padding(frame)
    if not frame:
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
        shift = (tags.integer(dataset, "HighBit") or 0) + 1 - bits
        if 0 < shift <= width - bits:
            codes = np.right_shift(codes, codes.dtype.type(shift))
            tags.warn(warnings, "HighBit", "is not BitsStored - 1: bits below are ignored")
        else:
            tags.warn(
                warnings, "BitsStored", f"is {bits}, but higher bits are in use: they are ignored"
            )
    mask = codes.dtype.type((1 << bits) - 1)
    return greys.Stored(np.bitwise_and(codes, mask), bits, is_signed)
