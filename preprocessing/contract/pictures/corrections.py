# SPDX-License-Identifier: MIT
"""Applies what a picture file says beside its pixels: turns it upright, spreads its bits."""

import numpy as np
import numpy.typing as npt

from preprocessing.contract.pictures.picture_files import Pixels

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turns and mirrors uint8 [height, width] from an EXIF orientation, 1 to 8, to upright."""
    if orientation >= 5:
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def spread(samples: Samples, bits: int) -> Samples:
    """Spreads the low bits of 8 or 16 over the whole range (rule 0).

    Which bits are in use the samples tell: low ones never exceed 2^bits - 1, and high ones leave
    the lowest empty, or fill them with a copy, which is empty too in a picture so dark.
    """
    full, top = int(np.iinfo(samples.dtype).max), (1 << bits) - 1
    colours = samples[..., :3] if samples.ndim == 3 else samples
    if int(colours.max()) > top or not (colours % ((full + 1) >> bits)).any():
        return samples
    # Alpha, which is dropped, need not come out right, but must not overflow either.
    wide = np.minimum(samples, top).astype(np.uint32)
    scaled = (wide * full + top // 2) // top
    return scaled.astype(np.uint8) if full == 255 else scaled.astype(np.uint16)


def unused_bits(samples: Samples) -> str:
    """Returns a warning if the top bits of uint16 samples are never used, else nothing."""
    colours = samples[..., :3] if samples.ndim == 3 else samples
    used = int(colours.max()).bit_length()
    if used == 16:
        return ""
    return (
        f"the PNG has 16 bits, of which the top {16 - used} are never used: it is stored as dark "
        "as that makes it; if its values mean less than 16 bits, scale them to 16, or say how many "
        "in an sBIT chunk"
    )
