# SPDX-License-Identifier: MIT
"""What the command line fixes for a report before any figure is seen."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from absl import flags

from preprocessing.contract.errors import UsageError

NAMES = ("margin", "threshold_range")
# Ends of a range of thresholds, and how far they are apart, at the least: figures of a page tell
# no finer ones apart.
_LEAST = 0.0001, 0.001


@dataclasses.dataclass(frozen=True)
class Asked:
    """Choices that would flatter if they followed the figures.

    Attributes:
        margin: how far a compared AUC may be off and still count as no worse; None for no test.
        threshold_range: lowest and highest threshold probability of the decision curves, each
            inside 0 to 1.
    """

    margin: float | None = None
    threshold_range: tuple[float, float] = (0.01, 0.5)

    def check(self, *, compares: bool) -> None:
        """Raises UsageError where a margin is given and no model is compared."""
        if self.margin is not None and not compares:
            raise UsageError(
                f"--margin={self.margin} goes with --compare=FILE, which names the model that it "
                "is asked of, or with --mode=compare: add one, or leave it out"
            )

    def as_json(self) -> dict[str, Any]:
        """Returns what a report holds of them."""
        return {"margin": self.margin, "threshold_range": list(self.threshold_range)}


# Of a command line that says nothing.
USUAL = Asked()


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_float(
        "margin",
        None,
        "How far below the AUC here that of a compared model may be and still count as no worse, "
        "fixed before the figures are seen, such as 0.01; with --compare.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "threshold_range",
        ["0.01", "0.5"],
        "Lowest and highest threshold probability of the decision curves: at which risk somebody "
        "would act, fixed before the figures are seen.",
        flag_values=values,
    )


def given(values: flags.FlagValues) -> Asked:
    """Returns what was given.

    Raises:
        UsageError: a margin or a range that cannot be.
    """
    margin = values.margin
    if margin is not None and not 0 < margin < 1:
        raise UsageError(
            f"--margin={margin} is not allowed: give a difference of AUC above 0 and "
            "below 1, such as 0.01"
        )
    return Asked(margin, _range(values.threshold_range))


def _range(texts: Sequence[str]) -> tuple[float, float]:
    try:
        low, high = (float(text) for text in texts)
    except ValueError:
        low = high = math.nan
    end, apart = _LEAST
    if not (end <= low < high <= 1 - end and round(high - low, 9) >= apart):
        raise UsageError(
            f"--threshold_range={','.join(texts)} is not allowed: give two probabilities from "
            f"{end} to {1 - end}, the lower first and {apart} apart or more, such as 0.01,0.5"
        )
    return low, high
