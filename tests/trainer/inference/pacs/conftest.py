# SPDX-License-Identifier: MIT
"""Films, facts and answers for the tests of reports."""

import io
import shutil
import subprocess
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import FileDataset, FileMetaDataset

from trainer.serving.facts import Facts

if TYPE_CHECKING:
    from trainer.serving.served import Answer

CR = "1.2.840.10008.5.1.4.1.1.1"
FINDINGS = ("Effusion", "Pleural_Thickening", "Ödem ()")


def write_film(**changes: Any) -> bytes:
    """Writes a frontal chest film; a change to None leaves the attribute out, bytes are as given.

    Values may be as wrong as files are.
    """
    pixels = np.linspace(0, 4000, 90 * 60).astype(np.uint16).reshape(90, 60)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CR, "1.2.3.4.1"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SOPClassUID": CR,
        "SOPInstanceUID": "1.2.3.4.1",
        "SeriesInstanceUID": "1.2.3.4.2",
        "StudyInstanceUID": "1.2.3.4.3",
        **{"Modality": "CR", "BodyPartExamined": "CHEST", "ViewPosition": "PA"},
        **{"PatientName": "Quincewater^Zebulon", "PatientID": "HOSP-778899", "PatientSex": "F"},
        **{"PatientAge": "061Y", "PatientBirthDate": "19630102", "StudyDate": "20240305"},
        **{"StudyTime": "101112", "AccessionNumber": "A1", "StudyID": "S1"},
        **{"ReferringPhysicianName": "Ward^One", "SeriesNumber": "1", "InstanceNumber": "1"},
        **{"PatientOrientation": ["L", "F"], "BurnedInAnnotation": "NO"},
        **{"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"},
        **{"Rows": 90, "Columns": 60, "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11},
        **{"PixelRepresentation": 0, "PixelData": pixels.tobytes()},
        **changes,
    }
    for keyword, value in values.items():
        if value is not None:
            vr = "OW" if keyword == "PixelData" else dictionary_VR(keyword)
            tag = tag_for_keyword(keyword)
            dataset[tag] = DataElement(tag, vr, value, validation_mode=config.IGNORE)
    dataset.private_block(0x0009, "MAKER", create=True).add_new(1, "OB", b"QUINCEWATER " * 90000)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


@pytest.fixture(scope="session")
def film_file() -> Callable[..., bytes]:
    return write_film


@pytest.fixture
def facts() -> Facts:
    return Facts(
        folder="/models/a",
        findings=FINDINGS,
        stored_size=32,
        image_size=16,
        crop_fraction=0.875,
        prevalence={"Effusion": 0.1, "Pleural_Thickening": 0.02, "Ödem ()": 0.5},
        thresholds={name: {"youden": 0.3, "max_f1": None} for name in FINDINGS},
        calibration={name: {"method": "platt"} for name in FINDINGS},
        identity="0123456789abcdef" * 4,
        step=120,
    )


@pytest.fixture
def answer() -> "Answer":
    """Of a film."""
    return _answers().film(1)


@pytest.fixture
def other() -> "Answer":
    """Of a film unlike those of training."""
    return _answers().film(0)


def _answers() -> "Answer":
    from trainer.serving.served import Answer

    return Answer(
        raw=np.array([[0.9, 0.9, 0.9], [0.5, 0.4, 0.1]], np.float32),
        probabilities=np.array([[0.9, 0.9, 0.9], [0.25, 0.123456, 0.01]], np.float32),
        flags=np.array([[[1, -1]] * 3, [[1, -1], [1, -1], [0, -1]]], np.int32),
        distance=np.array([9.0, 1.0], np.float32),
        unfamiliar=np.array([True, False]),
    )


@pytest.fixture
def maps() -> np.ndarray:
    """Heat at the lower left of the second finding, elsewhere of the others."""
    made = np.zeros((3, 16, 16), np.float32)
    made[0, 2, 2] = made[2, 2, 2] = 1
    made[1, 11:14, 2:5] = 1
    return made


@pytest.fixture(scope="session")
def errors_of() -> Callable[[Any], list[str]]:
    """What Debian's dciodvfy calls an error in a file, without the values that it repeats."""
    program = shutil.which("dciodvfy")
    if not program:
        pytest.skip("no dciodvfy: install Debian's dicom3tools")

    def check(path: Any) -> list[str]:
        done = subprocess.run([program, str(path)], capture_output=True, check=False)
        said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
        assert said
        return [line.strip() for line in said if line.startswith("Error")]

    return check
