# SPDX-License-Identifier: MIT
"""Reads the lookup tables of a file: modality LUT and VOI LUT (PS3.3, C.11.1.1 and C.11.2.1.1)."""

import dataclasses

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from preprocessing.contract.dicom import tags

_Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Table:
    """A lookup table.

    Attributes:
        entries: float64 [count].
        first: the value that the first entry is for.
        highest: the entry that stands for white.
        is_of_other_depth: the entries have more bits than the descriptor states, or use less than
            half of their range.
    """

    entries: _Floats
    first: int
    highest: float
    is_of_other_depth: bool

    def at(self, values: _Floats) -> _Floats:
        """Looks values up; those beyond an end get the entry at that end."""
        at = np.clip(np.floor(values + 0.5) - self.first, 0, self.entries.size - 1)
        return np.asarray(self.entries[at.astype(np.int64)])


def read(item: Dataset, *, is_little: bool, least: float) -> Table | None:
    """Reads an item of a LUT sequence.

    Args:
        item: with LUTDescriptor and LUTData.
        is_little: the file's byte order, which data as OW have.
        least: of the values that will be looked up.

    Returns:
        The table; None if the item contradicts itself.
    """
    try:
        count, first, bits = (int(number) for number in tags.values(item, "LUTDescriptor"))
        count = count or 1 << 16
        if first >= 0x8000 and least < 0:
            first -= 0x10000  # a negative value, written as unsigned
        data = item.get("LUTData")
        if isinstance(data, bytes):
            words = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if is_little else ">u2")
            # Entries of 8 bits may be packed, the first in the low byte of a word.
            packed = words.astype("<u2").view(np.uint8)
            entries = words if words.size >= count else packed
        else:
            entries = np.asarray(data, np.uint16)
    except Exception:  # whatever a hostile item makes of a conversion
        return None
    if entries.size < count or not 8 <= bits <= 16:
        return None
    highest = int(entries[:count].max())
    # No table has fewer than 8 bits; one that is black throughout says nothing of its depth.
    is_other = highest > 0 and max(8, highest.bit_length()) != bits
    white = float(highest if is_other else (1 << bits) - 1)
    return Table(entries[:count].astype(np.float64), first, white, is_other)
