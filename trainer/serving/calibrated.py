# SPDX-License-Identifier: MIT
"""From raw scores to probabilities and flags, as operations of the SavedModel's graph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.evaluation.logistic import SMALLEST
from trainer.serving import names


class Answers:
    """Makes the outputs of a signature out of raw scores.

    Args:
        findings: names, F of them.
        thresholds: finding -> rule -> threshold on raw scores, or None; empty for no flags.
        calibration: finding -> parameters of `recalibration`; empty for no probabilities.
    """

    def __init__(
        self,
        findings: tuple[str, ...],
        thresholds: Mapping[str, Mapping[str, float | None]],
        calibration: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._findings = findings
        self._rules = tuple(next(iter(thresholds.values()), {}))
        table = [
            [thresholds[name][rule] for rule in self._rules] for name in findings if thresholds
        ]
        # No score reaches NaN.
        self._thresholds = np.array(table, np.float64)
        self._lines = np.array([_line(calibration[name]) for name in findings if calibration])

    def __call__(self, scores: tf.Tensor, reason: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the outputs.

        Args:
            scores: float32 [n, F].
            reason: string [n], empty for what could be used.
        """
        usable = tf.equal(reason, "")
        scores = tf.where(usable[:, tf.newaxis], scores, np.nan)
        outputs = self.numbers(scores) | {
            names.FINDINGS: tf.broadcast_to(tf.constant(self._findings), tf.shape(scores)),
            names.USABLE: usable,
            names.REASON: reason,
        }
        if self._rules:
            outputs |= self._flags(scores, usable)
        return outputs

    def numbers(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns scores, float32 [n, F], and their probabilities if there is a calibration."""
        if not len(self._lines):
            return {names.SCORES: scores}
        return {names.SCORES: scores, names.PROBABILITIES: self._probabilities(scores)}

    def _probabilities(self, scores: tf.Tensor) -> tf.Tensor:
        # In float64 like `recalibration.apply`: a logit of a score near 1 loses all in float32.
        plain, intercept, slope = self._lines.T
        wide = tf.cast(scores, tf.float64)
        kept = tf.clip_by_value(wide, SMALLEST, 1 - SMALLEST)
        line = intercept + slope * (tf.math.log(kept) - tf.math.log(1 - kept))
        mapped = tf.where(plain == 1, wide, tf.sigmoid(line))
        return tf.cast(mapped, tf.float32)

    def _flags(self, scores: tf.Tensor, usable: tf.Tensor) -> dict[str, tf.Tensor]:
        wide = tf.cast(scores, tf.float64)[:, :, tf.newaxis]
        reached = tf.cast(wide >= self._thresholds, tf.int32)
        known = usable[:, tf.newaxis, tf.newaxis] & ~np.isnan(self._thresholds)
        count = tf.shape(scores)[0]
        return {
            names.FLAGS: tf.where(known, reached, -1),
            names.RULES: tf.broadcast_to(tf.constant(self._rules), [count, len(self._rules)]),
        }


def _line(parameters: Mapping[str, Any]) -> tuple[float, float, float]:
    """Returns 1 for a score that stays as it is, and the intercept and slope on its logit.

    Raises:
        ValueError: the map is not a line on logits.
    """
    method = parameters["method"]
    if method == "none":
        return 1.0, 0.0, 1.0
    if method == "temperature":
        return 0.0, 0.0, 1 / parameters["temperature"]
    if method == "platt":
        return 0.0, parameters["intercept"], parameters["slope"]
    raise ValueError(f"calibration by {method} cannot be exported")
