# SPDX-License-Identifier: MIT
"""Decides by tag whether a file is a frontal chest radiograph of a person.

A film is known by its class: CR and DX are films, as Modality (0008,0060) is wrong more often. A
secondary capture (or a file without class) is one if Modality says so; if Modality leaves it open,
only if the picture or its series names the chest; if Modality says something else, only if
BodyPartExamined does, the projection is AP or PA, and nothing is there that a slice has. Every
other class is not a radiograph.

Then something must name the chest: BodyPartExamined, a description or, where that says nothing at
all, at least a projection AP or PA. And no tag of the picture or its series may name another part
or another view; those of the study count only where the nearer ones say nothing.
"""

from collections.abc import Mapping

from pydicom.dataset import Dataset

from preprocessing.contract.dicom import tags
from preprocessing.contract.vocabulary import (
    AP,
    CHEST,
    FRONTAL,
    NEVER_FRONTAL,
    NOT_FRONTAL,
    OTHER,
    PA,
    PAPER,
    Said,
    Vocabulary,
)

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

# What describes the picture itself or its series, and what describes the whole study, in which
# films of other parts, other views and scanned papers are as well.
_NEAR = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")
_FAR = ("StudyDescription", "RequestedProcedureDescription", "PerformedProcedureStepDescription")
_VIEW_FIELDS = ("ViewPosition", "PatientPosition")
# All that may name the view of the picture itself, the most to be believed first.
_VIEWS = (*_VIEW_FIELDS, "ViewCodeSequence", "BodyPartExamined", *_NEAR)
_PAPER_CONVERSIONS = {"SD", "DRW"}
# What this project writes into captures that it drew from films.
OWN_MODEL = "cxr14"
_HUMAN = {"", "HUMAN", "HOMO SAPIENS", "HOMO SAPIENS (ORGANISM)"}


def check(dataset: Dataset, words: Vocabulary, warnings: list[str]) -> str:
    """Refuses what is not a frontal chest radiograph, or what nothing says to be one.

    Args:
        dataset: of the file.
        words: by which parts and views are known.
        warnings: gains what is missing or odd, and what was assumed.

    Returns:
        The view: "AP", "PA" or "".

    Raises:
        ImageError: with the reason.
    """
    if words.silent:
        _supply(dataset, words.silent, warnings)
    said = _said(dataset, words)
    view, view_from = _view(said)
    _check_film(dataset, said, view, warnings)
    if tags.text(dataset, "PatientSpeciesDescription").upper() not in _HUMAN:
        text = "is not human: only people's films are used"
        raise tags.refusal("not_human", "PatientSpeciesDescription", text)
    _check_chest(dataset, said, view_from, warnings)
    _check_frontal(said, view)
    if (tags.integer(dataset, "NumberOfFrames") or 1) != 1:
        text = "is not 1: give each radiograph a file of its own"
        raise tags.refusal("multi_frame", "NumberOfFrames", text)
    if tags.text(dataset, "BurnedInAnnotation").upper() == "YES":
        text = "is YES, so the picture shows who it is: mask that and say NO"
        raise tags.refusal("burned_in_text", "BurnedInAnnotation", text)
    if tags.text(dataset, "PresentationIntentType").upper() == "FOR PROCESSING":
        text = "is FOR PROCESSING: raw values of the detector are shown as they are"
        tags.warn(warnings, "PresentationIntentType", text)
    if view_from != "ViewPosition" and FRONTAL not in said["ViewPosition"].words:
        state = _state(dataset, said, "ViewPosition")
        taken = f"taken from {tags.title(view_from)}" if view_from else "taken as a frontal view"
        tags.warn(warnings, "ViewPosition", f"is {state}: {taken}")
    return view


def _supply(dataset: Dataset, view: str, warnings: list[str]) -> None:
    """Gives a film part and view if no tag says anything of them, as in VinDr-CXR's files."""
    fields = (*_VIEWS, "AnatomicRegionSequence", *_FAR)
    modality = tags.text(dataset, "Modality").upper()
    if modality not in _FILM_MODALITIES | _OPEN_MODALITIES:
        return
    if any(tags.values(dataset, keyword) for keyword in fields):
        return
    dataset.Modality, dataset.BodyPartExamined = modality or "DX", "CHEST"
    dataset.ViewPosition = view.upper()
    text = f"is missing, as all that describes the film: taken as {view} of a chest by words.''"
    tags.warn(warnings, "ViewPosition", text)


def _said(dataset: Dataset, words: Vocabulary) -> dict[str, Said]:
    """Returns keyword -> what the attribute says, in the order in which they are believed."""
    found = {keyword: words.read_view(tags.text(dataset, keyword)) for keyword in _VIEW_FIELDS}
    for keyword in ("ViewCodeSequence", "AnatomicRegionSequence"):
        meanings = (tags.text(item, "CodeMeaning") for item in tags.values(dataset, keyword))
        found[keyword] = words.read(" ; ".join(meanings))
    for keyword in ("BodyPartExamined", *_NEAR, *_FAR):
        found[keyword] = words.read(tags.text(dataset, keyword))
    return found


def _check_film(dataset: Dataset, said: Mapping[str, Said], view: str, warnings: list[str]) -> None:
    modality = tags.text(dataset, "Modality").upper()
    sop_class = tags.text(dataset, "SOPClassUID")
    if sop_class not in _FILM_CLASSES | _CAPTURE_CLASSES:
        raise tags.refusal("not_a_radiograph", "SOPClassUID", "is not that of a radiograph")
    if tags.text(dataset, "ManufacturerModelName") == OWN_MODEL:
        text = "is cxr14, which drew it from a film: use the film itself"
        raise tags.refusal("not_a_radiograph", "ManufacturerModelName", text)
    is_open = modality in _OPEN_MODALITIES
    state = "not that of a radiograph" if modality else "missing"
    if sop_class in _CAPTURE_CLASSES:
        _check_paper(dataset, said)
        chest = [key for key in ("BodyPartExamined", *_NEAR) if CHEST in said[key].words]
        named = bool(chest) if is_open else bool(view) and "BodyPartExamined" in chest
        if modality not in _FILM_MODALITIES and not named:
            more = ", and no other tag of the picture names the chest" if is_open else ""
            raise tags.refusal("not_a_radiograph", "Modality", f"is {state}{more}")
        types = tags.words(dataset, "ImageType")
        if types & {"AXIAL", "LOCALIZER"} or any(tags.values(dataset, key) for key in _SLICE):
            raise tags.refusal("not_a_radiograph", "Modality", "is contradicted by slices")
    if modality not in _FILM_MODALITIES:
        tags.warn(warnings, "Modality", f"is {state}: taken as a radiograph for its other tags")


def _check_paper(dataset: Dataset, said: Mapping[str, Said]) -> None:
    """Refuses papers that were scanned into a study."""
    if tags.text(dataset, "ConversionType").upper() in _PAPER_CONVERSIONS:
        raise tags.refusal("not_a_radiograph", "ConversionType", "is that of a scanned paper")
    for keyword in _NEAR:
        if PAPER in said[keyword].words:
            word = said[keyword].words[PAPER]
            raise tags.refusal("not_a_radiograph", keyword, f"names a paper ({word})")


def _check_chest(
    dataset: Dataset, said: Mapping[str, Said], view_from: str, warnings: list[str]
) -> None:
    """Refuses other parts of the body, and films of which no tag names the part."""
    part = said["BodyPartExamined"].words
    named = "BodyPartExamined" if CHEST in part and OTHER not in part else ""
    for keyword in ("BodyPartExamined", "AnatomicRegionSequence", "ViewPosition", *_NEAR, *_FAR):
        found = said[keyword].words
        if keyword in _FAR and named:
            break
        if OTHER in found and (CHEST not in found or keyword == "BodyPartExamined"):
            text = f"names {found[OTHER]}: only the chest is used"
            raise tags.refusal("not_chest", keyword, text)
        if CHEST in found:
            named = named or keyword
    if named == "BodyPartExamined":
        return
    state = _state(dataset, said, "BodyPartExamined")
    if not named and not said["BodyPartExamined"].is_unknown:
        named = view_from
    if not named:
        more = "; the setting words can name it" if said["BodyPartExamined"].is_unknown else ""
        text = f"is {state}, and no other tag names the chest{more}"
        raise tags.refusal("not_chest", "BodyPartExamined", text)
    text = f"is {state}: taken as a chest for {tags.title(named)}"
    tags.warn(warnings, "BodyPartExamined", text)


def _view(said: Mapping[str, Said]) -> tuple[str, str]:
    """Returns "AP", "PA" or "", and the attribute that says so."""
    for keyword in _VIEWS:
        if said[keyword].view and not {NOT_FRONTAL, NEVER_FRONTAL} & said[keyword].words.keys():
            return said[keyword].view, keyword
    return "", ""


def _check_frontal(said: Mapping[str, Said], view: str) -> None:
    """Refuses a picture if any of its own tags names another view, and its study's if none does."""
    far = () if view else _FAR
    for keyword in (*_VIEWS, *far):
        word = said[keyword].not_frontal
        if keyword == "ViewPosition":
            word = word or said[keyword].words.get(NOT_FRONTAL, "")
        elif said["ViewPosition"].is_frontal and said[keyword].is_frontal:
            continue  # a series may have several views, and this picture's is known
        if word:
            text = f"names a view that is not frontal ({word})"
            raise tags.refusal("not_frontal", keyword, text)


def _state(dataset: Dataset, said: Mapping[str, Said], keyword: str) -> str:
    """Says what is wrong with an attribute that names neither part nor view."""
    if said[keyword].is_empty and not tags.text(dataset, keyword):
        return "missing"
    if {AP, PA} <= said[keyword].words.keys():
        return "both AP and PA"
    quoted = tags.quoted(dataset, keyword)
    return f"{quoted}, which is unknown" if quoted else "unknown"
