# SPDX-License-Identifier: MIT
"""Reads sex and age, and refuses file names that give the patient away.

A file's name becomes the image's id in shards, lists and logs. It is refused if it contains

- a part of PatientName (0010,0010) with four letters or more, in any case and without accents,
  other than the words that are used instead of a name ("anonymous", "patient", ...);
- PatientID (0010,0020), OtherPatientIDs (0010,1000) or AccessionNumber (0008,0050) with five
  characters or more.

Allowed is all of it where PatientIdentityRemoved (0012,0062) is YES; and what is a pseudonym by its
form: a UUID or 32 and more hexadecimal digits, even as PatientName (RSNA's files repeat it there);
and in a name of the form of ChestX-ray14 (00000061_002) its own eight digits, up to the 30,805 that
were published.
"""

import datetime
import re

from pydicom.dataset import Dataset

from preprocessing.contract import cells
from preprocessing.contract.dicom import tags
from preprocessing.contract.pictures.picture_files import ImageError

_SHORTEST_NAME, _SHORTEST_NUMBER = 4, 5
_NUMBERS = ("PatientID", "OtherPatientIDs", "AccessionNumber")
_NO_NAMES = {
    *("anon", "anonym", "anonymous", "anonymized", "anonymised", "anonymizedpatient", "patient"),
    *("unknown", "none", "noname", "name", "test", "image", "dicom", "phantom", "chest", "thorax"),
    *("subject", "study", "case", "deidentified", "identified", "removed", "masked", "hidden"),
}
_CHESTXRAY14 = re.compile(r"(\d{8})_\d{3}")
_CHESTXRAY14_PATIENTS = 30805


def check_name(dataset: Dataset, name: str) -> None:
    """Refuses a file name with an identifier in it, without repeating either.

    Raises:
        ImageError: `identifier_in_name`.
    """
    if tags.text(dataset, "PatientIdentityRemoved").upper() == "YES":
        return
    stem = re.sub(r"\.(dcm|dicom|ima|png|jpe?g)\Z", "", name.rsplit("/", 1)[-1].lower())
    for part in _name_parts(dataset):
        if part in cells.folded(stem):
            raise _in_name("PatientName")
    published = _CHESTXRAY14.fullmatch(stem)
    for keyword in _NUMBERS:
        for number in tags.texts(dataset, keyword):
            number = number.lower()
            if len(number) < _SHORTEST_NUMBER or number not in stem or _is_pseudonym(number):
                continue
            if published and number == published[1] and int(number) <= _CHESTXRAY14_PATIENTS:
                continue
            raise _in_name(keyword)


def patient(dataset: Dataset, warnings: list[str]) -> str:
    """Returns PatientID as the file has it."""
    found = tags.text(dataset, "PatientID")
    if not found:
        tags.warn(warnings, "PatientID", "is missing: the file does not say whose film it is")
    return found


def sex(dataset: Dataset, warnings: list[str]) -> str:
    """Returns "M", "F" or ""."""
    found = tags.text(dataset, "PatientSex").upper()
    if found in ("M", "F"):
        return found
    if found not in ("", "O"):
        tags.warn(warnings, "PatientSex", "is not one of M, F and O: taken as unknown")
    return ""


def age(dataset: Dataset, warnings: list[str]) -> int:
    """Returns years, from PatientAge or else from the dates of birth and study; -1 if unknown."""
    text = tags.text(dataset, "PatientAge").upper()
    found = re.fullmatch(r"(\d{1,3})([YMWD]?)", text)
    years = -1
    if found:
        years = int(int(found[1]) / cells.PER_YEAR[found[2].lower() or "y"])
        if not found[2]:
            tags.warn(warnings, "PatientAge", "has no unit: taken as years")
    elif not text:
        years = _years_between(dataset)
        if years >= 0:
            tags.warn(warnings, "PatientAge", "is missing: computed from birth and study")
    if text and not (found and years <= cells.OLDEST_YEARS):
        tags.warn(warnings, "PatientAge", "is not an age: taken as unknown")
    return years if 0 <= years <= cells.OLDEST_YEARS else -1


def _years_between(dataset: Dataset) -> int:
    try:
        born, seen = (
            datetime.datetime.strptime(tags.text(dataset, keyword), "%Y%m%d")
            for keyword in ("PatientBirthDate", "StudyDate")
        )
    except ValueError:
        return -1
    return seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))


def _name_parts(dataset: Dataset) -> set[str]:
    name = cells.folded(tags.text(dataset, "PatientName"))
    if _is_pseudonym(name):  # whose letters are no parts of a name
        return set()
    found = re.findall(r"[^\W\d_]+", name)
    return {part for part in found if len(part) >= _SHORTEST_NAME and part not in _NO_NAMES}


def _is_pseudonym(number: str) -> bool:
    digits = number.replace("-", "")
    return len(digits) >= 32 and re.fullmatch(r"[0-9a-f]+", digits) is not None


def _in_name(keyword: str) -> ImageError:
    return ImageError(
        "identifier_in_name",
        f"the file's name contains its {tags.title(keyword)}: rename it, or set "
        f"{tags.title('PatientIdentityRemoved')} to YES if that is a pseudonym",
    )
