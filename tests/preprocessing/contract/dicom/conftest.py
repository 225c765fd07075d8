# SPDX-License-Identifier: MIT
"""Makes DICOM files for the tests of the reader."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

CR = "1.2.840.10008.5.1.4.1.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"


def _make(pixels: np.ndarray | None = None, **changes: Any) -> FileDataset:
    """Makes a frontal chest film; a change to None leaves the attribute out."""
    if pixels is None:
        pixels = np.arange(24 * 20, dtype=np.uint16).reshape(24, 20)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = changes.pop("syntax", EXPLICIT)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CR, "1.2.3.4567890"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    bits = 8 * pixels.dtype.itemsize
    values = {
        "SOPClassUID": CR,
        "SOPInstanceUID": "1.2.3.4567890",
        "Modality": "CR",
        "PatientName": "Quincewater^Zebulon",
        "PatientID": "HOSP-778899",
        "PatientSex": "F",
        "PatientAge": "061Y",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PatientOrientation": ["L", "F"],
        "SamplesPerPixel": 1 if pixels.ndim == 2 else 3,
        "PhotometricInterpretation": "MONOCHROME2" if pixels.ndim == 2 else "RGB",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **({"PlanarConfiguration": 0} if pixels.ndim == 3 else {}),
        **changes,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" not in values:
        dataset.PixelData = pixels.tobytes()
        dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    return dataset


@pytest.fixture(scope="session")
def film() -> Callable[..., FileDataset]:
    """A function that makes the data set of a film from pixels and attributes."""
    return _make


@pytest.fixture(scope="session")
def encode() -> Callable[[Dataset], bytes]:
    """A function that returns the file of a data set."""

    def written(dataset: Dataset) -> bytes:
        file = io.BytesIO()
        pydicom.dcmwrite(file, dataset, enforce_file_format=True)
        return file.getvalue()

    return written
