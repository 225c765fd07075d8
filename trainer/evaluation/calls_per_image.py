# SPDX-License-Identifier: MIT
"""What a threshold for every finding does to whole images: how many are called, how often rightly.

The mean of a measure over findings says nothing of this: one image may be called for several.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.evaluation import intervals
from trainer.evaluation.auc import Floats
from trainer.evaluation.confusion import calls


def per_image(
    labels: Floats,
    scores: Floats,
    thresholds: Sequence[float | None],
    draws: intervals.Resamples,
) -> dict[str, Any]:
    """Returns what the thresholds of all findings together call, with intervals by patients.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown. A call of an unknown label is left out of `right`.
        scores: [n, L]; an image is called for a finding at its threshold and above.
        thresholds: L of them; a finding without one is called in no image.
        draws: resamples of these images.

    Returns:
        `findings` with a threshold, and figures with intervals: `called`, the share of images with
        a call; `calls` an image; `right`, the share of calls whose finding is labelled; and
        `unlabelled_called`, `called` among images labelled 0 for every finding.
    """
    called = np.nan_to_num(calls(scores, thresholds)).astype(bool)
    some, plain = called.any(axis=1), (labels == 0).all(axis=1)
    judged, right = called & ~np.isnan(labels), called & (labels == 1)
    every = np.ones(len(labels), bool)
    # By figure: what is counted in an image, among what, and the images that it rests on.
    pairs = {
        "called": (some, every, every),
        "calls": (called.sum(axis=1), every, every),
        "right": (right.sum(axis=1), judged.sum(axis=1), judged.any(axis=1)),
        "unlabelled_called": (some & plain, plain, plain),
    }
    columns = np.stack([column for pair in pairs.values() for column in pair[:2]], axis=1)
    sums = np.vstack([columns.sum(axis=0), draws.sums(columns)])
    with np.errstate(invalid="ignore"):
        shares = sums[:, ::2] / sums[:, 1::2]
    found: dict[str, Any] = {"findings": sum(threshold is not None for threshold in thresholds)}
    for (name, (*_, rests_on)), values in zip(pairs.items(), shares.T, strict=True):
        drawn = values[1:] if draws.several(rests_on) else np.full_like(values[1:], np.nan)
        found[name] = intervals.entry(float(values[0]), drawn)
    return found
