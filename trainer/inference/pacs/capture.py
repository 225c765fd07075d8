# SPDX-License-Identifier: MIT
"""Writes a picture drawn from a film as a Secondary Capture of the same study.

It names its maker, by which preprocessing and prediction know that it is not a film.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from highdicom.sc import SCImage
from pydicom.dataset import Dataset

from trainer.inference.pacs import report
from trainer.inference.pacs.source import Source
from trainer.serving.facts import Facts


def build(source: Source, picture: npt.NDArray[np.uint8], facts: Facts, rule: str) -> Dataset:
    """Returns the capture.

    Args:
        source: the film.
        picture: uint8 [height, width, 3], upright, red first.
        facts: of the model.
        rule: by which the findings that are drawn were flagged.
    """
    made: Any = SCImage(
        picture,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        study_instance_uid=source.evidence.StudyInstanceUID,
        **report.equipment(source, facts, "SC"),
    )
    # Another rule draws another picture: that is another instance of the same series.
    made.SOPInstanceUID = source.uid(facts, f"SC {rule}")
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.update(source.image)
    if not source.is_oriented:
        made.PatientOrientation = None  # taken as upright, which is not known
    made.BodyPartExamined = "CHEST"
    made.DerivationDescription = f"Findings and heat map. {report.RESEARCH_USE}"
    film = Dataset()
    film.ReferencedSOPClassUID = source.evidence.SOPClassUID
    film.ReferencedSOPInstanceUID = source.evidence.SOPInstanceUID
    made.SourceImageSequence = [film]
    return report.finished(made, source)
