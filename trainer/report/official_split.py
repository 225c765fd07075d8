# SPDX-License-Identifier: MIT
"""Decides by hash whether the images of a test split are the official test list of ChestX-ray14.

The NIH publishes train_val_list.txt (86,524 images) and test_list.txt (25,596) with the images
(Wang et al., CVPR 2017, arXiv:1705.02315v5). AUCs of other test images, even of the same data set,
are not comparable: the same model scores 0.01 to 0.03 higher on a random split by patient.
"""

import collections
import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from preprocessing.contract import patients as people
from trainer.predictions.table import Predictions
from trainer.report.source import Source

_NAME = re.compile(r"\d{8}_\d{3}")
_NO_COMPARISON = "The test AUCs cannot be compared with published results."
_ELSEWHERE = (
    "The test split is the complete official test list of ChestX-ray14, but the model was made "
    "with another data set, and those of published results with the rest of this one."
)


@dataclasses.dataclass(frozen=True)
class OfficialList:
    """What proves a test list without holding it.

    Attributes:
        images: how many it names.
        patients: of how many patients.
        sha256: of the image names with `.png`, sorted and joined by LF.
        patients_sha256: of lines "patient count", sorted and joined by LF: how many images each
            patient has, the patient as a number without leading zeros.
    """

    images: int
    patients: int
    sha256: str
    patients_sha256: str


OFFICIAL = OfficialList(
    images=25_596,
    patients=2_797,
    sha256="38ca5ef7f756092946f57c1a59faca882ed589a1ab1f72590b45dc06c6d5e1cc",
    patients_sha256="c01431afe407b6ce4758e0b4b1d3da4996b9f027f774b07a8403e57ac3478f1c",
)


def identity(
    predictions: Predictions, manifest: Any = None, official: OfficialList = OFFICIAL
) -> dict[str, Any]:
    """Says what is known of the test split, from the ids of the images themselves.

    Args:
        predictions: of any splits.
        manifest: the facts of the data set's manifest, if there are any; `official_split` says
            whether ChestX-ray14's published lists made the split.
        official: the list to compare with.

    Returns:
        `certainty`: "proven" by the hash of the names; "probable" where the names are others but
        every patient has as many images; "part" where the manifest says official and not all
        images are here; "other"; "unknown"; "no test split". `official`: True for proven and
        part, False for other, else None. `comparable`: True where it is proven, the patients fit
        the names and none is in two splits. `statement`: all that in words. Further `images`,
        `patients`, `sha256` of the names, the list's `official_images`, `official_patients` and
        `official_sha256`, `patients_in_two_splits`, and `patients_fit_names`: whether images are of
        one patient exactly where their names say so.
    """
    test = predictions.select("test")
    names = [_name(name) for name in test.ids.tolist()]
    patients = people.values(test.patients).tolist() if names else []
    found = _found(predictions, names, patients, official)
    said = manifest.get("official_split") if isinstance(manifest, Mapping) else None
    counts = (f"{patient} {count}" for patient, count in collections.Counter(patients).items())
    certainty = _certainty(found, names, _sha256(counts) == official.patients_sha256, said)
    problem = _problem(found) if certainty == "proven" else None
    return {
        "official": {"proven": True, "part": True, "other": False}.get(certainty),
        "comparable": certainty == "proven" and problem is None,
        "certainty": certainty,
        "statement": problem or _statement(certainty, found, manifest),
        **found,
    }


def of(source: Source) -> dict[str, Any]:
    """Returns the `identity` of a report's test split, for a model of other data not comparable."""
    found = identity(source.predictions, source.context.get("manifest"))
    if found["comparable"] and source.elsewhere:
        found |= {"comparable": False, "statement": f"{_ELSEWHERE} {_NO_COMPARISON}"}
    return found


def _found(
    predictions: Predictions, names: list[str], patients: list[str], official: OfficialList
) -> dict[str, Any]:
    """What is counted and hashed, beside what the list demands."""
    return {
        "images": len(names),
        "patients": len(set(patients)),
        "sha256": _sha256(names) if names else None,
        "official_images": official.images,
        "official_patients": official.patients,
        "official_sha256": official.sha256,
        "patients_in_two_splits": patients_in_two_splits(predictions),
        "patients_fit_names": _fit(names, patients),
    }


def patients_in_two_splits(predictions: Predictions) -> int:
    """Counts the patients who have images in more than one split: the leak check."""
    pairs = np.unique(np.stack([people.values(predictions.patients), predictions.splits]), axis=1)
    return int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())


def list_sha256(ids: Iterable[str]) -> str:
    """Returns the SHA-256 of image names, with `.png`, sorted and joined by LF.

    >>> list_sha256(["00000002_000", "00000001_000.png"]) == _sha256(
    ...     ["00000001_000.png", "00000002_000.png"]
    ... )
    True
    """
    return _sha256(_name(name) for name in ids)


def _certainty(found: Mapping[str, Any], names: list[str], same_counts: bool, said: Any) -> str:
    if not names:
        return "no test split"
    if found["sha256"] == found["official_sha256"]:
        return "proven"
    named = all(_NAME.fullmatch(name.removesuffix(".png")) for name in names)
    if same_counts and not named:
        return "probable"
    if said is True and found["images"] < found["official_images"]:
        return "part"
    # Other names for as many images of as many patients: nothing here speaks for or against.
    as_many = (found["images"], found["patients"]) == (
        found["official_images"],
        found["official_patients"],
    )
    return "unknown" if as_many and not named and said is not False else "other"


def _fit(names: list[str], patients: list[str]) -> bool:
    """Whether the first eight digits of the names part the images as the patients do."""
    pairs = set(zip((name[:8] for name in names), patients, strict=True))
    return len(pairs) == len({name[:8] for name in names}) == len(set(patients))


def _problem(found: Mapping[str, Any]) -> str | None:
    """What forbids the comparison although the images are those of the list."""
    if found["patients_in_two_splits"]:
        return (
            "The test split is the complete official test list of ChestX-ray14, but "
            f"{found['patients_in_two_splits']:,} patients are in two splits. {_NO_COMPARISON}"
        )
    if not found["patients_fit_names"]:
        return (
            "The test split holds the names of the complete official test list of ChestX-ray14, "
            "but its patients are not those that the names give: the rows of the columns id and "
            f"patient do not belong together. {_NO_COMPARISON}"
        )
    return None


def _statement(certainty: str, found: Mapping[str, Any], manifest: Any) -> str:
    images, every = f"{found['images']:,}", f"{found['official_images']:,}"
    if certainty == "no test split":
        return "The predictions hold no test split, so nothing can be compared."
    if certainty == "proven":
        trained = (
            ""
            if manifest
            else " Which images the model was trained on is not known to this report: it must not "
            "have seen any of these patients."
        )
        return (
            f"The test split is the complete official test list of ChestX-ray14: its {every} image "
            "names have the SHA-256 of the published list. The test AUCs may be set beside "
            f"published results on the official split, and no others.{trained}"
        )
    texts = {
        "probable": (
            "The test split is probably the official test list of ChestX-ray14: every patient has "
            "as many images as in that list. It is not proven, because the ids are not the names "
            "of the images: give predictions with ids such as 00000013_005.png."
        ),
        "part": (
            f"The split follows the official lists of ChestX-ray14, but {images} of the {every} "
            "official test images were scored."
        ),
        "other": (
            f"The test split is not the official test list of ChestX-ray14: it holds {images} "
            f"images of {found['patients']:,} patients, that list {every} of "
            f"{found['official_patients']:,}, and the SHA-256 of the names differs."
        ),
        "unknown": (
            "Nothing given to this report says whether the test split is the official "
            "one of ChestX-ray14: give predictions whose ids are the names of the images."
        ),
    }
    return f"{texts[certainty]} {_NO_COMPARISON}"


def _name(image: str) -> str:
    """The name in the form of the published lists."""
    name = image.strip().rpartition("/")[2]
    return f"{name}.png" if _NAME.fullmatch(name) else name


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
