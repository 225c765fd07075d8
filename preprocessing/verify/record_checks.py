# SPDX-License-Identifier: MIT
"""Says what is wrong with one record, its picture aside."""

from preprocessing.contract import patients
from preprocessing.contract.cells import OLDEST_YEARS
from preprocessing.contract.labels import ABSENT, PRESENT, UNKNOWN
from preprocessing.contract.schema import Record

VIEWS, SEXES = ("AP", "PA", ""), ("M", "F", "")

# Boxes are 32-bit floats: their sums are right to about six decimals.
_ROUNDING = 1e-5


def check(record: Record, findings: int) -> list[str]:
    """Returns one half-sentence for each thing that is wrong.

    Args:
        record: as decoded.
        findings: number of findings of the data set.
    """
    return [*_names(record), *_targets(record, findings), *_person(record), *_boxes(record)]


def _names(record: Record) -> list[str]:
    wrong = [f"{name} is empty" for name in ("id", "patient") if not getattr(record, name)]
    if record.patient and patients.is_missing(record.patient):
        wrong.append(f"the patient is {record.patient!r}, which names nobody")
    return wrong


def _targets(record: Record, findings: int) -> list[str]:
    if len(record.targets) != findings:
        return [f"it has {len(record.targets)} targets, the data set has {findings} findings"]
    strange = sorted(set(record.targets) - {PRESENT, ABSENT, UNKNOWN})
    return [f"a target is {strange[0]}, not 1, 0 or -1"] if strange else []


def _person(record: Record) -> list[str]:
    wrong = []
    if record.view not in VIEWS:
        wrong.append(f"the view is {record.view!r}, not AP or PA")
    if record.sex not in SEXES:
        wrong.append(f"the sex is {record.sex!r}, not M or F")
    if not -1 <= record.age <= OLDEST_YEARS:
        wrong.append(f"the age is {record.age} years, not 0 to {OLDEST_YEARS} or -1")
    if record.follow_up < -1:
        wrong.append(f"the follow-up number is {record.follow_up}, not -1 or more")
    if min(record.width, record.height) < 0:
        wrong.append(f"the original has {record.width} x {record.height} pixels")
    return wrong


def _boxes(record: Record) -> list[str]:
    wrong = []
    numbers = iter(record.boxes)
    corners = zip(numbers, numbers, numbers, numbers, strict=True)
    for finding, (x, y, width, height) in zip(record.box_findings, corners, strict=True):
        if not 0 <= finding < len(record.targets):
            wrong.append(f"a box shows finding {finding} of {len(record.targets)}")
        # Written so that NaN is outside.
        inside = (
            min(x, y) >= -_ROUNDING
            and width > 0
            and height > 0
            and max(x + width, y + height) <= 1 + _ROUNDING
        )
        if not inside:
            wrong.append(f"a box ({x:.3f}, {y:.3f}, {width:.3f}, {height:.3f}) leaves the picture")
    return wrong
