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

from preprocessing.contract.picture_files import Pixels
from preprocessing.dicom import tags

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]


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
    present = np.bincount(stored.codes.reshape(-1), minlength=values.size) > 0
    present &= ~padding
    values = _modality(values, dataset, warnings)
    if not present.any():
        return np.zeros(stored.codes.shape, np.uint8)
    unit = _voi(values, present, dataset, warnings)
    if unit is None:
        counted = values if stored.bits <= 8 else values[present]
        unit = _stretched(values, counted.min(), counted.max())
    levels = np.floor(np.clip(unit, 0, 1) * 255 + 0.5).astype(np.uint8)
    if _is_inverted(dataset, warnings):
        levels = 255 - levels
    levels[padding] = 0
    return np.asarray(levels[stored.codes], np.uint8)


def _stretched(values: _Floats, low: float, high: float) -> _Floats:
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _padding(stored: Stored, values: _Floats, dataset: Dataset, warnings: list[str]) -> _Bools:
    """Says of every code whether it is padding (C.7.5.1.1.2): one value, or a range with both ends.

    Taken modulo the width of a value, as the attribute may be written with the other sign.
    """
    first = tags.integer(dataset, "PixelPaddingValue")
    last = tags.integer(dataset, "PixelPaddingRangeLimit")
    if first is None:
        if last is not None:
            title = tags.title("PixelPaddingRangeLimit")
            warnings.append(f"{title} is there without PixelPaddingValue: left")
        return np.zeros(values.size, np.bool_)
    ends = [values[int(end) % values.size] for end in (first, first if last is None else last)]
    return np.asarray((values >= min(ends)) & (values <= max(ends)), np.bool_)


def _modality(values: _Floats, dataset: Dataset, warnings: list[str]) -> _Floats:
    items = tags.values(dataset, "ModalityLUTSequence")
    if items:
        table = _table(items[0])
        if table is not None:
            return table.at(values)
        warnings.append(f"{tags.title('ModalityLUTSequence')} cannot be read: left")
    slope = tags.number(dataset, "RescaleSlope")
    intercept = tags.number(dataset, "RescaleIntercept")
    if slope == 0 or max(abs(slope or 0), abs(intercept or 0)) > 1e12:
        warnings.append(f"{tags.title('RescaleSlope')} is no factor: left")
        return values
    return values * (1 if slope is None else slope) + (intercept or 0)


def _voi(values: _Floats, present: _Bools, dataset: Dataset, warnings: list[str]) -> _Floats | None:
    """Returns every code's grey in [0, 1] by VOI LUT or window; None if there is neither."""
    unit, keyword = None, ""
    items = tags.values(dataset, "VOILUTSequence")
    if items:
        table, keyword = _table(items[0]), "VOILUTSequence"
        unit = table.at(values) / table.highest if table else None
    if unit is None and tags.values(dataset, "WindowWidth"):
        keyword, unit = "WindowWidth", _window(values, dataset)
    if unit is None:
        if keyword:
            warnings.append(f"{tags.title(keyword)} cannot be used: all values are shown")
        return None
    seen, spread = np.clip(unit[present], 0, 1), np.ptp(values[present])
    if spread and not np.ptp(seen):
        warnings.append(f"{tags.title(keyword)} hides the whole picture: all values are shown")
        return None
    return unit


def _window(values: _Floats, dataset: Dataset) -> _Floats | None:
    """Returns grey levels by the first window (C.11.2.1.2 and C.11.2.1.3); None if it is none."""
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


@dataclasses.dataclass(frozen=True)
class _Table:
    """A lookup table: its entries, the value of the first, and the highest entry possible."""

    entries: _Floats
    first: int
    highest: float

    def at(self, values: _Floats) -> _Floats:
        at = np.clip(np.floor(values + 0.5) - self.first, 0, self.entries.size - 1)
        return np.asarray(self.entries[at.astype(np.int64)])


def _table(item: Dataset) -> _Table | None:
    """Reads an item of a LUT sequence (C.11.1.1); None if it contradicts itself."""
    try:
        count, first, bits = (int(number) for number in tags.values(item, "LUTDescriptor"))
        data = item.get("LUTData")
        if isinstance(data, bytes):
            count = count or 1 << 16
            entries = np.frombuffer(data, "<u2" if len(data) >= 2 * count else np.uint8)
        else:
            entries = np.asarray(data, np.uint16)
    except Exception:  # whatever a hostile item makes of a conversion
        return None
    count = count or 1 << 16
    if entries.size < count or not 8 <= bits <= 16:
        return None
    entries = entries[:count].astype(np.float64)
    return _Table(entries, first, float(max((1 << bits) - 1, entries.max())))


def _is_inverted(dataset: Dataset, warnings: list[str]) -> bool:
    """MONOCHROME1 and INVERSE are the same said twice (C.8.11.3.1.2), not twice inverted."""
    shape = tags.text(dataset, "PresentationLUTShape").upper()
    is_first = tags.text(dataset, "PhotometricInterpretation").upper() == "MONOCHROME1"
    if shape and is_first != (shape == "INVERSE"):
        title = tags.title("PresentationLUTShape")
        warnings.append(f"{title} contradicts PhotometricInterpretation: inverted")
    return is_first or shape == "INVERSE"
