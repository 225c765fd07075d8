# SPDX-License-Identifier: MIT
"""The codes by which other systems know findings, and private ones where there is none.

Sources: DICOM PS3.16 (context groups 6104 and 6105) for Pneumothorax, Effusion, Mass, Nodule and
Infiltration; SNOMED CT International Edition for the rest. ChestX-ray14 does not say what its
Hernia is of, so that and Pleural_Thickening are private, as are findings of other data sets.
"""

import hashlib
import re

from pydicom.sr.coding import Code

PRIVATE = "99CXR14"

_FINDINGS = {
    "Atelectasis": Code("46621007", "SCT", "Atelectasis"),
    "Cardiomegaly": Code("8186001", "SCT", "Cardiomegaly"),
    "Consolidation": Code("95436008", "SCT", "Lung consolidation"),
    "Edema": Code("19242006", "SCT", "Pulmonary edema"),
    "Effusion": Code("60046008", "SCT", "Pleural effusion"),
    "Emphysema": Code("87433001", "SCT", "Pulmonary emphysema"),
    "Fibrosis": Code("51615001", "SCT", "Fibrosis of lung"),
    "Infiltration": Code("112121", "DCM", "Infiltrate"),
    "Mass": Code("4147007", "SCT", "Mass"),
    "Nodule": Code("27925004", "SCT", "Nodule"),
    "Pneumonia": Code("233604007", "SCT", "Pneumonia"),
    "Pneumothorax": Code("36118008", "SCT", "Pneumothorax"),
}

POSITIVE, NEGATIVE = Code("10828004", "SCT", "Positive"), Code("260385009", "SCT", "Negative")
PROBABILITY = Code("122157", "DCM", "Probability")
RAW_SCORE = Code("RAW_SCORE", PRIVATE, "Score of the model, not calibrated")
NO_UNIT = Code("1", "UCUM", "no units")
COMMENT = Code("121106", "DCM", "Comment")
CHEST_RADIOGRAPHY = Code("399208008", "SCT", "Plain chest X-ray")
LEARNED = Code("123110", "DCM", "Artificial Intelligence")


def of_finding(name: str) -> Code:
    """Returns the code of a finding by its name.

    >>> of_finding("Effusion").meaning, of_finding("Pleural_Thickening").value
    ('Pleural effusion', 'PLEURAL_THICK-04')
    """
    return _FINDINGS.get(name) or private(name, name.replace("_", " "))


def private(name: str, meaning: str) -> Code:
    """Returns a code of our own of at most 16 characters, a different one for each name."""
    value = re.sub("[^A-Z0-9]", "_", name.upper())
    if len(value) > 16 or not name.isascii():
        value = f"{value[:13]}-{hashlib.sha256(name.encode()).hexdigest()[:2].upper()}"
    return Code(value, PRIVATE, ascii_text(meaning)[:64])


def ascii_text(text: str) -> str:
    """Returns text that every character set of DICOM has, and a drawn font too."""
    return text.encode("ascii", "replace").decode()
