# SPDX-License-Identifier: MIT
"""Reads frontal chest radiographs from DICOM files, and refuses all others by their tags.

No text that leaves this package repeats what a file says of a person: messages name the attribute
by keyword and number, and repeat only known words and codes that have no part of a name or number.
"""

from collections.abc import Mapping

from preprocessing.contract import vocabulary
from preprocessing.contract.pictures.image import Original

REASONS = (
    "not_dicom",
    "not_a_radiograph",
    "not_human",
    "not_chest",
    "not_frontal",
    "multi_frame",
    "no_pixels",
    "pixel_type",
    "too_large",
    "cut_short",
    "damaged",
    "burned_in_text",
    "identifier_in_name",
)


def read(encoded: bytes, name: str, words: Mapping[str, str] | None = None) -> Original:
    """Reads a frontal chest radiograph from the content of a DICOM file.

    Its picture is as a viewer shows it: head up, the patient's left on the right. Its warnings are
    one for each attribute that is missing, odd or wrong: what was assumed.

    Args:
        encoded: content of the file.
        name: of the file; it must not give the patient away (`person.check_name`).
        words: more words for parts and views, as `vocabulary.Vocabulary` takes them.

    Raises:
        ImageError: no frontal chest radiograph that can be used; the reason is one of `REASONS`.
    """
    # Not at the top: pydicom takes half a second, and jobs on PNG files need neither.
    from preprocessing.contract.dicom import eligibility, files, geometry, person, pixels

    warnings: list[str] = []
    dataset, is_cut = files.parse(encoded)
    view = eligibility.check(dataset, vocabulary.of(words or {}), warnings)
    person.check_name(dataset, name)
    grey = pixels.read(dataset, is_cut=is_cut, warnings=warnings)
    upright = geometry.upright(grey, dataset, view, warnings)
    return Original(
        pixels=upright,
        patient=person.patient(dataset, warnings),
        view=view,
        sex=person.sex(dataset, warnings),
        age=person.age(dataset, warnings),
        warnings=tuple(warnings),
    )
