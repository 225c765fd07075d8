# SPDX-License-Identifier: MIT
"""Compares every test file of pydicom, once its tags are a chest film's, with pydicom's own pixels.

The files have every transfer syntax, byte order, depth and sign there is, and much of the damage
that pydicom's users have reported. CXR14_DICOM_FILES names a folder of more files to compare.
"""

import io
import os
import pathlib

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array

from preprocessing.contract import dicom
from preprocessing.contract.dicom import files
from preprocessing.contract.pictures import image
from preprocessing.contract.pictures.image import ImageError, Original

CR = "1.2.840.10008.5.1.4.1.1.1"
FOLDER = pathlib.Path(pydicom.__file__).parent / "data"
MORE = os.environ.get("CXR14_DICOM_FILES", "")
FILES = sorted(
    path
    for folder in (FOLDER, *([pathlib.Path(MORE)] if MORE else []))
    for path in folder.rglob("*")
    if path.is_file() and not path.suffix.startswith(".py")
)
# What would speak against a chest film.
OTHERS = (
    *("SeriesDescription", "StudyDescription", "ProtocolName", "AnatomicRegionSequence"),
    "AcquisitionDeviceProcessingDescription",
    *("ImageType", "PatientSpeciesDescription", "BurnedInAnnotation"),
)
# A cut file, and a stream that none of pydicom's decoders reads.
DAMAGED = {
    "MR_truncated.dcm": "cut_short",
    "JPEG2000-embedded-sequence-delimiter.dcm": "damaged",
}


def _called_a_chest_film(content: bytes) -> tuple[bytes, Dataset] | None:
    """Returns a file, and its data set, with the tags of a chest film; None if it has no pixels."""
    try:
        dataset, _ = files.parse(content)
    except ImageError:
        return None
    if "PixelData" not in dataset:
        return None
    for keyword in OTHERS:
        if keyword in dataset:
            del dataset[keyword]
    dataset.SOPClassUID, dataset.Modality, dataset.BodyPartExamined = CR, "CR", "CHEST"
    dataset.ViewPosition, dataset.PatientOrientation = "PA", ["L", "F"]
    list(dataset)  # one file has values whose representation is only known once they are read
    written = io.BytesIO()
    pydicom.dcmwrite(written, dataset, enforce_file_format=False)
    return written.getvalue(), dataset


def _shown_by_pydicom(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Returns grey levels as float [height, width], and which of them are padding."""
    stored = pixel_array(dataset)
    if stored.ndim == 3:
        return image.grey(stored).astype(float), np.zeros(stored.shape[:2], bool)
    values = apply_modality_lut(stored, dataset)
    padding = stored == dataset.get("PixelPaddingValue", np.inf)
    if "VOILUTSequence" in dataset:
        low, high = 0, 2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
        shown = apply_voi_lut(values, dataset)
    elif "WindowWidth" in dataset:
        shown = apply_voi_lut(values, dataset)
        # The range that a window maps to is that of all values which the bits can hold.
        bits, sign = dataset.BitsStored, dataset.PixelRepresentation
        ends = np.array([-(1 << bits - 1), (1 << bits - 1) - 1] if sign else [0, (1 << bits) - 1])
        low, high = apply_modality_lut(ends, dataset)
    else:
        shown = values
        seen = values[~padding]
        low, high = (0, 255) if dataset.BitsStored == 8 else (seen.min(), seen.max())
    shown = (shown.astype(float) - low) / (high - low or 1) * 255
    return (255 - shown if dataset.PhotometricInterpretation == "MONOCHROME1" else shown), padding


def _refusal(dataset: Dataset, name: str) -> str:
    """Returns the reason for which a file cannot be a chest film, whatever its tags say."""
    if name in DAMAGED:
        return DAMAGED[name]
    if int(str(dataset.get("NumberOfFrames") or 1).rstrip("A")) != 1:
        return "multi_frame"
    is_lossy_12 = str(dataset.file_meta.get("TransferSyntaxUID", ""))[-4:] == "4.51"
    is_plain = dataset.BitsAllocated in ((8, 16) if dataset.SamplesPerPixel == 1 else (8,))
    is_palette = dataset.PhotometricInterpretation == "PALETTE COLOR"
    return "pixel_type" if is_lossy_12 or is_palette or not is_plain else ""


def _read_or_reason(content: bytes) -> Original | str:
    try:
        return dicom.read(content, "film.dcm")
    except ImageError as error:
        return error.reason


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_as_a_chest_film_it_has_pydicoms_pixels_or_is_refused(path: pathlib.Path, capfd) -> None:
    content = path.read_bytes()
    _read_or_reason(content)
    changed = _called_a_chest_film(content)
    if changed is None:
        return
    found = _read_or_reason(changed[0])
    assert (found if isinstance(found, str) else "") == _refusal(changed[1], path.name)
    if isinstance(found, str):
        return
    assert capfd.readouterr() == ("", "")
    wanted, padding = _shown_by_pydicom(changed[1])
    if found.pixels.shape != wanted.shape:
        assert any("square" in text for text in found.warnings)
        return
    difference = np.abs(found.pixels - wanted)[~padding].max()
    assert difference <= 1 or any("(0028," in text for text in found.warnings)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
def test_tables_as_words_obey_the_byte_order_as_in_pydicom(
    film, encode, syntax: str, keyword: str
) -> None:
    order = "<" if syntax.endswith("1.2.1") else ">"
    stored = np.add.outer(np.arange(64), 60 * np.arange(64)).astype(f"{order}u2")
    made = film(stored, syntax=syntax, BitsStored=12, HighBit=11)
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 16])
    item.add_new("LUTData", "OW", (np.arange(4096) ** 2 // 256).astype(f"{order}u2").tobytes())
    setattr(made, keyword, [item])
    content = encode(made)
    found = dicom.read(content, "film.dcm")
    wanted, _ = _shown_by_pydicom(pydicom.dcmread(io.BytesIO(content)))
    assert np.abs(found.pixels - wanted).max() <= 1
    assert np.ptp(found.pixels) > 200 and not found.warnings
