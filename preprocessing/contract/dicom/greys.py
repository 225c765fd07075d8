# SPDX-License-Identifier: MIT
"""Brings stored pixel values to the grey levels that a viewer shows (PS3.3, C.11 and C.7.6.3).

A table over all possible stored values does it, at most 65,536 of them, in full precision:
modality LUT or rescale; then VOI LUT, or the first window, or without both the range of the values
present (with 8 bits or fewer the range of all values, so that 8 bits stay as they are); then
MONOCHROME1 or PresentationLUTShape INVERSE is inverted; then 8 bits, rounded half up; and padding
becomes black and counts in no range.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from preprocessing.contract.dicom import tags
from preprocessing.contract.pictures.picture_files import Pixels

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]
_Counts = npt.NDArray[np.int64]

# A window of another bit depth leaves most of a film outside, or in a sliver of the greys. One hot
# pixel among values that are shown in full leaves the film less than half of them.
_MOST, _LEAST_SPREAD, _LEAST_SPREAD_OF_ALL = 0.5, 1 / 8, 1 / 2


@dataclasses.dataclass(frozen=True)
class Stored:
    """Pixels as stored.

    Attributes:
        codes: uint8 or uint16 [height, width]: the low `bits` bits of each value.
        bits: of a value, 1 to 16.
        is_signed: whether a code is two's complement.
    """

    codes: npt.NDArray[np.unsignedinteger]
    bits: int
    is_signed: bool

    def values(self) -> _Floats:
        """Returns the value of every code, float64 [2 ** bits]."""
        codes = np.arange(1 << self.bits, dtype=np.float64)
        return np.where(self.is_signed & (codes >= codes.size // 2), codes - codes.size, codes)


def shown(stored: Stored, dataset: Dataset, warnings: list[str]) -> Pixels:
    """Returns uint8 [height, width], 0 black.

    Args:
        stored: the pixels.
        dataset: with the attributes of the chain.
        warnings: gains what is odd, and what was assumed.
    """
    values = stored.values()
    padding = _padding(stored, values, dataset, warnings)
    counts = np.bincount(stored.codes.reshape(-1), minlength=values.size)
    counts[padding] = 0
    present = counts > 0
    values = _modality(values, dataset, warnings)
    if not present.any():
        return np.zeros(stored.codes.shape, np.uint8)
    unit = _voi(values, counts, dataset, warnings)
    if unit is None:
        counted = values if stored.bits <= 8 else values[present]
        unit = _stretched(values, counted.min(), counted.max())
        if stored.bits > 8 and np.ptp(counted) and _spread(unit, counts) < _LEAST_SPREAD_OF_ALL:
            tags.warn(
                warnings, "PixelData", "has a few values far from the rest: they take up most greys"
            )
    levels = np.floor(np.clip(unit, 0, 1) * 255 + 0.5).astype(np.uint8)
    if _is_inverted(dataset, warnings):
        levels = 255 - levels
    levels[padding] = 0
    return np.asarray(levels[stored.codes], np.uint8)


def _stretched(values: _Floats, low: float, high: float) -> _Floats:
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _padding(stored: Stored, values: _Floats, dataset: Dataset, warnings: list[str]) -> _Bools:
    """Says of every code whether it is padding (C.7.5.1.1.2): one value, or a range with both ends.

    An end that the stored bits cannot hold marks nothing: folded into them, it would be a grey.
    """
    ends: list[int] = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        number = tags.integer(dataset, keyword)
        if number is None:
            continue
        if keyword == "PixelPaddingRangeLimit" and not ends:
            tags.warn(warnings, keyword, "has no PixelPaddingValue: ignored")
            continue
        # Of 16 bits even if the pixels have fewer, and often written with the other sign.
        is_negative = stored.is_signed and 0x8000 <= number <= 0xFFFF
        value = number - 0x10000 if is_negative else number
        if not stored.is_signed and -0x8000 <= number < 0:
            value = number + 0x10000
        if values.min() <= value <= values.max():
            ends.append(value)
        else:
            tags.warn(warnings, keyword, f"cannot occur in {stored.bits} bits: ignored")
    if not ends:
        return np.zeros(values.size, np.bool_)
    return np.asarray((values >= min(ends)) & (values <= max(ends)), np.bool_)


def _modality(values: _Floats, dataset: Dataset, warnings: list[str]) -> _Floats:
    items = tags.values(dataset, "ModalityLUTSequence")
    if items:
        table = read_table(items[0], is_little=_is_little(dataset), least=values.min())
        if table is not None:
            return table.at(values)
        tags.warn(warnings, "ModalityLUTSequence", "cannot be read: ignored")
    slope = tags.number(dataset, "RescaleSlope")
    intercept = tags.number(dataset, "RescaleIntercept")
    if (slope is None) != (intercept is None):
        lone, other = ("RescaleIntercept", "RescaleSlope")[:: 1 if slope is None else -1]
        tags.warn(warnings, lone, f"has no {other}: ignored")
        return values
    if slope == 0 or max(abs(slope or 0), abs(intercept or 0)) > 1e12:
        tags.warn(warnings, "RescaleSlope", "is not a factor: ignored")
        return values
    return values * (1 if slope is None else slope) + (intercept or 0)


def _voi(values: _Floats, counts: _Counts, dataset: Dataset, warnings: list[str]) -> _Floats | None:
    """Returns every code's grey in [0, 1] by VOI LUT or window; None if there is neither."""
    unit, keyword = None, ""
    items = tags.values(dataset, "VOILUTSequence")
    if items:
        keyword = "VOILUTSequence"
        table = read_table(items[0], is_little=_is_little(dataset), least=values.min())
        unit = table.at(values) / table.highest if table else None
        if table and table.is_of_other_depth:
            tags.warn(
                warnings, keyword, "states another depth than its values have: theirs is used"
            )
    if unit is None and tags.values(dataset, "WindowWidth"):
        keyword, unit = "WindowWidth", _window(values, dataset)
    if unit is None:
        if keyword:
            tags.warn(warnings, keyword, "cannot be used: all values are shown")
        return None
    present = counts > 0
    if np.ptp(values[present]) and not np.ptp(np.clip(unit[present], 0, 1)):
        tags.warn(warnings, keyword, "hides the whole picture: all values are shown")
        return None
    saturated = counts[(unit <= 0) | (unit >= 1)].sum() / counts.sum()
    if saturated > _MOST:
        tags.warn(warnings, keyword, "shows most of the film as plain black or white")
    elif _spread(unit, counts) < _LEAST_SPREAD:
        tags.warn(warnings, keyword, "shows most of the film in few grey levels")
    return unit


def _spread(unit: _Floats, counts: _Counts) -> float:
    """Returns the share of the greys over which all but 0.2 % of the pixels are spread."""
    order = np.argsort(unit, kind="stable")
    shares = np.cumsum(counts[order]) / counts.sum()
    low, high = unit[order[np.searchsorted(shares, (0.001, 0.999))]]
    return float(min(high, 1) - max(low, 0))


def _is_little(dataset: Dataset) -> bool:
    return dataset.original_encoding[1] is not False


def _window(values: _Floats, dataset: Dataset) -> _Floats | None:
    """Returns grey levels by the first window (C.11.2.1.2, C.11.2.1.3); None if it is not valid."""
    center, width = tags.number(dataset, "WindowCenter"), tags.number(dataset, "WindowWidth")
    function = tags.text(dataset, "VOILUTFunction").upper() or "LINEAR"
    if center is None or width is None or max(abs(center), width) > 1e12:
        return None
    if function == "SIGMOID" and width > 0:
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-4 * (values - center) / width)))
    if function == "LINEAR_EXACT" and width > 0:
        return (values - center) / width + 0.5
    if function == "LINEAR" and width > 1:
        return (values - (center - 0.5)) / (width - 1) + 0.5
    if function == "LINEAR" and width == 1:
        return np.asarray(values > center - 0.5, np.float64)
    return None


def _is_inverted(dataset: Dataset, warnings: list[str]) -> bool:
    """MONOCHROME1 and INVERSE are the same said twice (C.8.11.3.1.2), not twice inverted."""
    shape = tags.text(dataset, "PresentationLUTShape").upper()
    is_first = tags.text(dataset, "PhotometricInterpretation").upper() == "MONOCHROME1"
    if shape and is_first != (shape == "INVERSE"):
        tags.warn(
            warnings, "PresentationLUTShape", "contradicts PhotometricInterpretation: inverted"
        )
    return is_first or shape == "INVERSE"


@dataclasses.dataclass(frozen=True)
class Table:
    """A lookup table.

    Attributes:
        entries: float64 [count].
        first: the value that the first entry is for.
        highest: the entry that is white.
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


def read_table(item: Dataset, *, is_little: bool, least: float) -> Table | None:
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
    except Exception:  # hostile items raise every type there is
        return None
    if entries.size < count or not 8 <= bits <= 16:
        return None
    highest = int(entries[:count].max())
    # No table has fewer than 8 bits; one that is black throughout says nothing of its depth.
    is_other = highest > 0 and max(8, highest.bit_length()) != bits
    white = float(highest if is_other else (1 << bits) - 1)
    return Table(entries[:count].astype(np.float64), first, white, is_other)
