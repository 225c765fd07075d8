# SPDX-License-Identifier: MIT
"""Decides by tag whether a file is a frontal chest radiograph of a person.

A film is known by its class: CR and DX are films whatever Modality (0008,0060) says, which is wrong
more often. A secondary capture (or a file without class) is a film if Modality says so or nothing;
if Modality says something else, then only if the file names the chest and a projection AP or PA and
has nothing that a slice has. Every other class is no radiograph.
"""

import dataclasses

from pydicom.dataset import Dataset

from preprocessing.contract.picture_files import ImageError
from preprocessing.dicom import tags

_FILM_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography
    "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray, for presentation
    "1.2.840.10008.5.1.4.1.1.1.1.1",  # Digital X-Ray, for processing
}
_CAPTURE_CLASSES = {
    "",
    *(f"1.2.840.10008.5.1.4.1.1.7{end}" for end in ("", ".1", ".2", ".3", ".4")),
}
_FILM_MODALITIES = {"CR", "DX", "DR", "RG"}
_OPEN_MODALITIES = {"", "OT", "SC", "XR"}
_SLICE = ("ImageOrientationPatient", "ImagePositionPatient", "SliceThickness", "SliceLocation")

_CHEST = {"CHEST", "THORAX", "TORAX", "LUNG", "LUNGS", "LUNGE", "CXR"}
_UNKNOWN_PART = {"UNKNOWN", "OTHER", "NONE"}
_OTHER_PARTS = {
    *("ABDOMEN", "ABD", "PELVIS", "HIP", "KNEE", "ANKLE", "FOOT", "FEET", "HAND", "WRIST", "ELBOW"),
    *("SHOULDER", "CLAVICLE", "SCAPULA", "STERNUM", "RIB", "RIBS", "SPINE", "CSPINE", "TSPINE"),
    *("LSPINE", "SKULL", "HEAD", "NECK", "JAW", "SINUS", "ORBIT", "EXTREMITY", "LEG", "ARM"),
    *("FEMUR", "TIBIA", "FIBULA", "HUMERUS", "FOREARM", "FINGER", "TOE", "HEEL", "BREAST"),
    *("COLON", "STOMACH", "BLADDER", "KIDNEY", "SACRUM", "COCCYX", "PATELLA", "TEETH"),
}
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")
_PART_DESCRIPTIONS = ("StudyDescription", *_DESCRIPTIONS, "RequestedProcedureDescription")

_FRONTAL = {
    **dict.fromkeys(("AP", "ANTEROPOSTERIOR"), "AP"),
    **dict.fromkeys(("PA", "POSTEROANTERIOR"), "PA"),
}
_NOT_FRONTAL = {
    *("LL", "RL", "LAT", "LATERAL", "LATERALE", "LLAT", "RLAT", "SAGITTAL", "OBLIQUE", "OBL"),
    *("RLD", "LLD", "DECUBITUS", "RLO", "LLO", "RAO", "LAO", "RPO", "LPO", "AXIAL", "TANGENTIAL"),
}
_HUMAN = {"", "HUMAN", "HOMO SAPIENS", "HOMO SAPIENS (ORGANISM)"}


@dataclasses.dataclass(frozen=True)
class Found:
    """What the tags say of a radiograph.

    Attributes:
        view: "AP", "PA" or "".
    """

    view: str


def check(dataset: Dataset, warnings: list[str]) -> Found:
    """Refuses what is no frontal chest radiograph.

    Args:
        dataset: of the file.
        warnings: gains what is missing or odd, and what was assumed.

    Raises:
        ImageError: with the reason.
    """
    view_warnings: list[str] = []
    view, refused_by = _view(dataset, view_warnings)
    _check_film(dataset, view, warnings)
    if tags.text(dataset, "PatientSpeciesDescription").upper() not in _HUMAN:
        title = tags.title("PatientSpeciesDescription")
        raise ImageError("not_human", f"{title} is not human: only people's films are used")
    _check_chest(dataset, warnings)
    if refused_by:
        title = tags.title(refused_by)
        raise ImageError("not_frontal", f"{title} names a view that is not frontal: use AP or PA")
    if (tags.integer(dataset, "NumberOfFrames") or 1) != 1:
        title = tags.title("NumberOfFrames")
        raise ImageError("multi_frame", f"{title} is not 1: give each radiograph a file of its own")
    if tags.text(dataset, "BurnedInAnnotation").upper() == "YES":
        title = tags.title("BurnedInAnnotation")
        raise ImageError(
            "burned_in_text",
            f"{title} is YES, so the picture shows who it is: mask that and say NO",
        )
    if tags.text(dataset, "PresentationIntentType").upper() == "FOR PROCESSING":
        title = tags.title("PresentationIntentType")
        warnings.append(
            f"{title} is FOR PROCESSING: raw values of the detector are shown as they are"
        )
    warnings += view_warnings
    return Found(view)


def _check_film(dataset: Dataset, view: str, warnings: list[str]) -> None:
    modality = tags.text(dataset, "Modality").upper()
    sop_class = tags.text(dataset, "SOPClassUID")
    title = tags.title("Modality")
    if modality in _FILM_MODALITIES:
        is_film, state = True, ""
    else:
        state = "missing" if modality in _OPEN_MODALITIES else "not that of a radiograph"
        is_film = modality in _OPEN_MODALITIES or bool(
            view and tags.words(dataset, "BodyPartExamined") & _CHEST
        )
    if sop_class in _CAPTURE_CLASSES:
        if not is_film or _is_slice(dataset):
            raise ImageError("not_a_radiograph", f"{title} is {state or 'contradicted by slices'}")
    elif sop_class not in _FILM_CLASSES:
        title = tags.title("SOPClassUID")
        raise ImageError("not_a_radiograph", f"{title} is not that of a radiograph")
    if state:
        warnings.append(f"{title} is {state}: taken as a radiograph for its other tags")


def _is_slice(dataset: Dataset) -> bool:
    return any(tags.values(dataset, keyword) for keyword in _SLICE) or bool(
        {"AXIAL", "LOCALIZER"} & tags.words(dataset, "ImageType")
    )


def _check_chest(dataset: Dataset, warnings: list[str]) -> None:
    part = tags.words(dataset, "BodyPartExamined")
    title, assumed = tags.title("BodyPartExamined"), ": taken as a chest"
    if part and not part & _UNKNOWN_PART:
        others = sorted(part & _OTHER_PARTS)
        if others or not part & _CHEST:
            named = others[0] if others else "another part"
            raise ImageError("not_chest", f"{title} names {named}: only the chest is used")
        return
    for keyword in _PART_DESCRIPTIONS:
        found = tags.words(dataset, keyword)
        if found & _CHEST:
            assumed = f": taken as a chest for {tags.title(keyword)}"
            break
        if found & _OTHER_PARTS:
            named = min(found & _OTHER_PARTS)
            other = tags.title(keyword)
            raise ImageError("not_chest", f"{other} names {named}: only the chest is used")
    warnings.append(f"{title} is missing{assumed}")


def _view(dataset: Dataset, warnings: list[str]) -> tuple[str, str]:
    """Returns the view, and the attribute, if any, by which the picture is not frontal."""
    for keyword in ("ViewPosition", "PatientPosition", "ViewCodeSequence", *_DESCRIPTIONS):
        found = _view_words(dataset, keyword)
        views = {_FRONTAL[word] for word in found & set(_FRONTAL)}
        if found & _NOT_FRONTAL and not views:
            return "", keyword
        if len(views) == 1 and not found & _NOT_FRONTAL:
            if keyword != "ViewPosition":
                title = tags.title("ViewPosition")
                warnings.append(f"{title} is missing: taken from {tags.title(keyword)}")
            return views.pop(), ""
        if keyword == "ViewPosition" and found & _NOT_FRONTAL:
            return "", keyword
    warnings.append(f"{tags.title('ViewPosition')} is missing: taken as a frontal view")
    return "", ""


def _view_words(dataset: Dataset, keyword: str) -> set[str]:
    if keyword != "ViewCodeSequence":
        return tags.words(dataset, keyword)
    found: set[str] = set()
    for item in tags.values(dataset, keyword):
        meaning = tags.text(item, "CodeMeaning").upper()
        found |= set(meaning.replace("-", "").split())
        # "postero-anterior", "postero anterior" and "posteroanterior" are all written.
        joined = meaning.replace("-", "").replace(" ", "")
        found |= {word for word in ("ANTEROPOSTERIOR", "POSTEROANTERIOR") if word in joined}
    return found
