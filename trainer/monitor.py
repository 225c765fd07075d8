# SPDX-License-Identifier: MIT
"""Writes what a run measures to TensorBoard, from the chief only."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from preprocessing.contract import storage

FOLDER = "tensorboard"


class Monitor:
    """A TensorBoard log.

    Args:
        output: folder of the run; empty to write nothing (workers that are not chief).
    """

    def __init__(self, output: str) -> None:
        self._writer = (
            tf.summary.create_file_writer(storage.join(output, FOLDER))
            if output
            else tf.summary.create_noop_writer()
        )

    def training(self, step: int, *, loss: float, rate: float, images_per_second: float) -> None:
        """Logs a stretch of training steps that ended at `step`.

        Args:
            step: optimiser steps done.
            loss: mean binary cross-entropy over the stretch, in nats.
            rate: learning rate of the last step.
            images_per_second: over all replicas, evaluation and saving left out.
        """
        self._scalars(
            step,
            {
                "train/loss": loss,
                "train/learning_rate": rate,
                "train/images_per_second": images_per_second,
            },
        )

    def validation(self, step: int, mean_auc: float, aucs: Mapping[str, float]) -> None:
        """Logs the validation AUC, the mean and each finding's; undefined ones are left out."""
        scalars = {f"validation_auc/{name}": auc for name, auc in aucs.items()}
        self._scalars(step, {"validation/mean_auc": mean_auc, **scalars})
        self.flush()

    def flush(self) -> None:
        """Puts everything logged so far where a reader finds it."""
        self._writer.flush()

    def _scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        with self._writer.as_default(step=step):
            for name, value in scalars.items():
                if not np.isnan(value):
                    tf.summary.scalar(name, value)
