# SPDX-License-Identifier: MIT
"""Whether a model is no worse than another by a margin that was fixed beforehand, or equivalent.

No worse (non-inferior) is shown where the lower end of the 95% interval of the difference lies
above minus the margin, a one-sided test at 2.5% (FDA, Non-Inferiority Clinical Trials to Establish
Effectiveness, 2016). Equivalent is shown where the 90% interval lies inside the margin on both
sides: two one-sided tests at 5% (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 1987;
15:657-680; for AUCs of the same patients Obuchowski, American Journal of Roentgenology 1997;
168:13-17, and Liu et al., Statistics in Medicine 2006; 25:1219-1238). A large p-value of no
difference shows neither. The intervals are those of resampled patients, and the p-values take the
difference as normal with its spread over the resamples; a claim needs both.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation.intervals import NOTHING, Interval, percentile, standard_error

# One-sided levels; the interval of equivalence leaves out one of them at either end.
NO_WORSE, EQUIVALENT = 0.025, 0.05


@dataclass(frozen=True)
class Claim:
    """What is to be shown of a difference.

    Attributes:
        level: of the test, one-sided.
        inside: whether the interval lies where it must.
        p_value: of the opposite, one-sided; of two tests the larger; None without an interval.
        p_holm: the same, corrected for the number of such claims; None where there is one only.
    """

    level: float
    inside: bool = False
    p_value: float | None = None
    p_holm: float | None = None

    @property
    def shown(self) -> bool:
        """Whether the interval and the p-value, corrected if there is more than one, say so."""
        p = self.p_value if self.p_holm is None else self.p_holm
        return self.inside and p is not None and p < self.level


@dataclass(frozen=True)
class Within:
    """Both claims about a difference.

    Attributes:
        no_worse: that it lies above minus the margin.
        equivalent: that it lies between minus the margin and the margin.
        interval: the 90% interval that `equivalent` asks of.
    """

    no_worse: Claim
    equivalent: Claim
    interval: Interval

    @classmethod
    def of(cls, difference: Interval, drawn: npt.NDArray[np.float64], margin: float) -> "Within":
        """Tests a difference.

        Args:
            difference: with its 95% interval.
            drawn: float64 [B], the difference in every resample.
            margin: above 0, in the unit of the difference, fixed before it was seen.
        """
        narrow = percentile(difference.value, drawn, level=1 - 2 * EQUIVALENT)
        value, error = difference.value, standard_error(drawn)
        if value is None or error is None or difference.low is None or narrow.low is None:
            return UNTESTED
        if error == 0 and value != 0:
            return UNTESTED  # of a difference that never varies nothing can be learned
        below, above = (_chance(margin + gap, error) for gap in (value, -value))
        inside = -margin < narrow.low and (narrow.high or 0) < margin
        return cls(
            Claim(NO_WORSE, difference.low > -margin, below),
            Claim(EQUIVALENT, inside, max(below, above)),
            narrow,
        )

    def corrected(self, no_worse: float | None, equivalent: float | None) -> "Within":
        """Returns the claims with their p-values corrected for others of their kind."""
        return Within(
            dataclasses.replace(self.no_worse, p_holm=no_worse),
            dataclasses.replace(self.equivalent, p_holm=equivalent),
            self.interval,
        )


UNTESTED = Within(Claim(NO_WORSE), Claim(EQUIVALENT), NOTHING)


def as_json(within: Within | None) -> dict[str, Any] | None:
    """Returns both claims as files hold them; None without a margin."""
    if within is None:
        return None
    ninety = {"low": within.interval.low, "high": within.interval.high}
    no_worse, equivalent = (
        {"p_value": claim.p_value, "p_holm": claim.p_holm, "shown": claim.shown}
        for claim in (within.no_worse, within.equivalent)
    )
    return {"no_worse": no_worse, "equivalent": ninety | equivalent}


def _chance(distance: float, error: float) -> float:
    """The chance of a difference so far inside a margin, or farther, if it lay at the margin."""
    return 0.5 * math.erfc(distance / error / math.sqrt(2)) if error else 0.0
