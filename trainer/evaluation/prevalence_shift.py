# SPDX-License-Identifier: MIT
"""How much more common a finding is in a test than in a model's own data, and PPV at either."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.evaluation import intervals
from trainer.evaluation.auc import Floats
from trainer.evaluation.operating_points import called_counts, measures, predictive_values


def shifts(
    labels: Floats,
    scores: Floats,
    thresholds: Sequence[float | None],
    own: Sequence[float | None],
    draws: intervals.Resamples,
) -> list[dict[str, Any]]:
    """Compares how common each finding is here with how common it is there.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown (left out).
        scores: [n, L]; an image is called at the threshold and above.
        thresholds: L of them; None where there is none.
        own: share of images with each finding there, taken as it stands; None if not known.
        draws: resamples of the patients here.

    Returns:
        For each `prevalence` here and `ratio`, here over there, with intervals; `ppv` of the calls
        `here`, and at the prevalence `there` if sensitivity and specificity stay. None: undefined.
    """
    known = ~np.isnan(labels)
    positives, images = np.split(draws.sums(np.hstack([labels == 1, known])), 2, axis=1)
    with np.errstate(invalid="ignore"):
        drawn = np.where(draws.several(known), positives / images, np.nan)
    found = []
    for at, there in enumerate(own):
        truth, ends = labels[known[:, at], at], drawn[:, at]
        here = float(truth.mean()) if len(truth) else None
        ratio = here / there if here is not None and there else None
        counts = called_counts(labels[:, at], scores[:, at], [thresholds[at]]).sum(axis=0)
        hit, spared, ppv = measures(counts)[0, :3]
        values = {"here": ppv, "there": predictive_values(hit, spared, there or np.nan)[0]}
        found.append(
            {
                "prevalence": intervals.entry(here, ends),
                "ratio": intervals.entry(ratio, ends / (there or np.nan)),
                "ppv": {key: None if np.isnan(one) else float(one) for key, one in values.items()},
            }
        )
    return found
