# SPDX-License-Identifier: MIT
"""Names splits, and turns labels as text into numbers: 1 present, 0 absent, -1 unknown."""

from collections.abc import Sequence

from preprocessing.contract.errors import DataError

PRESENT, ABSENT, UNKNOWN = 1, 0, -1
NO_FINDING = "No Finding"
# Of a data set, in this order.
SPLITS = ("train", "validation", "test")


def encode(text: str, findings: Sequence[str]) -> tuple[int, ...]:
    """Encodes a list of findings separated by "|", as ChestX-ray14 writes it.

    >>> encode("Effusion|Mass", ["Mass", "Nodule", "Effusion"])
    (1, 0, 1)
    >>> encode("No Finding", ["Mass", "Nodule"])
    (0, 0)

    Args:
        text: names separated by "|", or "No Finding".
        findings: all names, in the order of the model's outputs.

    Returns:
        One number for each of `findings`: `PRESENT` or `ABSENT`.

    Raises:
        DataError: a name that is not among the findings, an empty text, a name given twice, or
            "No Finding" beside another.
    """
    named = [name.strip() for name in text.split("|")]
    if named == [NO_FINDING]:
        return (ABSENT,) * len(findings)
    if NO_FINDING in named:
        raise DataError(f"{NO_FINDING!r} is named beside a finding in {text!r}")
    strange = [name for name in named if name not in findings]
    if strange:
        raise DataError(f"label {strange[0]!r} is not among the {len(findings)} findings")
    if len(set(named)) != len(named):
        raise DataError(f"a finding is named twice in {text!r}")
    return tuple(PRESENT if name in named else ABSENT for name in findings)


def decode(targets: Sequence[int], findings: Sequence[str]) -> str:
    """Returns the text that `encode` reads; unknown findings are left out.

    >>> decode((1, 0, 1), ["Mass", "Nodule", "Effusion"])
    'Mass|Effusion'
    """
    named = [name for name, target in zip(findings, targets, strict=True) if target == PRESENT]
    return "|".join(named) or NO_FINDING
