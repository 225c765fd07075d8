# SPDX-License-Identifier: MIT
"""What a report takes over from its film: who, which study and which instance, and nothing else.

An attribute that the standard wants is empty where the film lacks it or has no valid value; nothing
is made up. Text is written as UTF-8, whatever character set the film uses.
"""

import dataclasses
import logging
import uuid

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pydicom.valuerep import validate_value

from preprocessing.contract.dicom import files, geometry, tags
from trainer.serving.facts import Facts

# Of type 2: there, if only empty.
_WANTED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("ReferringPhysicianName", "StudyID", "AccessionNumber"),
)
_OPTIONAL = ("IssuerOfPatientID", "PatientAge", "StudyDescription")
_OF_IMAGE = (
    *("BurnedInAnnotation", "LossyImageCompression"),
    *("LossyImageCompressionRatio", "LossyImageCompressionMethod"),
)
_ALLOWED = {
    "PatientSex": ("M", "F", "O"),
    "BurnedInAnnotation": ("NO",),
    "LossyImageCompression": ("00", "01"),
}

# Its notes name instances.
logging.getLogger("highdicom").setLevel(logging.CRITICAL + 1)


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A film, as reports need it.

    Attributes:
        identity: attributes of patient and study, cleaned. highdicom prints names that it finds
            odd: they are added when it is done.
        evidence: the four UIDs by which the film is referenced, and empty attributes.
        image: what a picture made of this one must repeat: annotation and compression.
        is_oriented: whether the file says which way up it is.
    """

    identity: Dataset
    evidence: Dataset
    image: Dataset
    is_oriented: bool

    def uid(self, facts: Facts, kind: str) -> str:
        """Returns the UID of a kind of thing made of this film by this model, always the same."""
        # What it says may not depend on anything else: a PACS keeps the first of two of one UID.
        model = (facts.identity, facts.step, facts.findings, facts.content)
        return uid(f"{self.evidence.SOPInstanceUID} {model} {kind}")


def uid(text: str) -> str:
    """Returns a UID made of a text (PS3.5, B.2).

    >>> uid("a") == uid("a") != uid("b")
    True
    """
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, text).int}"


def read(encoded: bytes) -> Source:
    """Reads what a report takes over from the content of a DICOM file.

    Raises:
        ImageError: it lacks a UID, so that nothing can refer to it (`no_uid`), or is damaged.
    """
    dataset, _ = files.parse(encoded)
    identity = _cleaned(dataset, _WANTED, keep_empty=True)
    identity.update(_cleaned(dataset, _OPTIONAL))
    if not all(str(element.value or "").isascii() for element in identity):
        identity.SpecificCharacterSet = "ISO_IR 192"
    evidence = _cleaned(Dataset(), _WANTED, keep_empty=True)
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        found = UID(tags.text(dataset, keyword))
        if not found.is_valid:
            text = "is missing or not a UID: a report cannot refer to the film"
            raise tags.refusal("no_uid", keyword, text)
        setattr(evidence, keyword, found)
    return Source(identity, evidence, _cleaned(dataset, _OF_IMAGE), geometry.is_oriented(dataset))


def _cleaned(dataset: Dataset, keywords: tuple[str, ...], *, keep_empty: bool = False) -> Dataset:
    made = Dataset()
    for keyword in keywords:
        value = _value(dataset, keyword)
        if value or keep_empty:
            setattr(made, keyword, value)
    return made


def _value(dataset: Dataset, keyword: str) -> str:
    """Returns the value of an attribute if it has one that is valid, else nothing."""
    found = tags.texts(dataset, keyword)
    value = found[0] if len(found) == 1 else ""
    try:
        validate_value(dictionary_VR(keyword), value, config.RAISE)
    except ValueError:
        return ""
    # U+FFFD is what could not be decoded.
    is_text = value.isprintable() and "\ufffd" not in value
    return value if is_text and value in _ALLOWED.get(keyword, (value,)) else ""
