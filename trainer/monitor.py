# SPDX-License-Identifier: MIT
"""Writes what a run is and measures to TensorBoard, from the chief only.

Whatever a restart says again stands at the step at which it was said before, so that TensorBoard's
data server shows the later of the two and one line a curve.
"""

import datetime
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary as session
from tensorboard.plugins.hparams import summary_v2 as hparams

from preprocessing.contract import settings
from preprocessing.contract.manifest import Manifest
from trainer.config import Config
from trainer.example_pictures import example_picture
from trainer.memory import memory
from trainer.pr_curve import pr_curve
from trainer.run_card import config_text, data_set_text

# An object store cannot append: every flush uploads the whole file again. Unless told otherwise
# TensorFlow flushes after 10 summaries, which is about once a point of the training curves.
_QUEUE = 100_000
_FLUSH_MILLISECONDS = 120_000

Floats = npt.NDArray[np.floating[Any]]


class Monitor:
    """A TensorBoard log.

    What was logged is written out every two minutes, after `begin` and validations, and in `flush`.
    On an object store each time costs an upload of the file so far, and training waits for it. A
    picture takes about 50 kB, a finding's PR curve 3 kB, a scalar 100 bytes: after 20 epochs with 8
    pictures and 14 findings about 10 MB.

    Args:
        folder: where the events go, local or gs://; empty to write nothing (workers that are not
            chief).
    """

    def __init__(self, folder: str) -> None:
        self._on = bool(folder)
        self._writer = (
            tf.summary.create_file_writer(
                folder, max_queue=_QUEUE, flush_millis=_FLUSH_MILLISECONDS
            )
            if folder
            else tf.summary.create_noop_writer()
        )

    def begin(self, step: int, *, config: Config, manifest: Manifest) -> None:
        """Logs what the run is, and that it starts here: for texts and HParams, at once.

        Args:
            step: optimiser steps done before.
            config: all settings.
            manifest: of the data set.
        """
        if not self._on:
            return
        self._write_at(0)
        tf.summary.text("run/config", config_text(config))
        tf.summary.text("run/data_set", data_set_text(manifest))
        # No list of columns goes with it: left alone, TensorBoard shows first those in which the
        # runs below a folder differ, and the metric whose tag comes first, best/mean_auc.
        hparams.hparams({**settings.flat(config), "data_set": manifest.identity[:12]})
        tf.summary.text("run/starts", _start(step), step=step)
        self.flush()

    def training(self, step: int, scalars: Mapping[str, float]) -> None:
        """Logs a stretch of training steps that ended at `step`, and the memory in use.

        Args:
            step: optimiser steps done.
            scalars: tag -> value; values that are not finite are left out.
        """
        if self._on:
            self._scalars(step, {**scalars, **memory()})

    def validation(
        self,
        step: int,
        *,
        mean_auc: float,
        aucs: Mapping[str, float],
        labels: Floats,
        scores: npt.NDArray[np.float32],
    ) -> None:
        """Logs how well the validation split is told apart, and writes everything out.

        Args:
            step: optimiser steps done.
            mean_auc: over the findings.
            aucs: finding -> AUC, in the order of the columns; undefined ones are left out.
            labels: [n, findings]; 1 present, 0 absent, NaN unknown.
            scores: float32 [n, findings], 0 to 1.
        """
        if not self._on:
            return
        each = {f"validation_auc/{name}": auc for name, auc in aucs.items()}
        self._scalars(step, {"validation/mean_auc": mean_auc, **each})
        self._write_at(step)
        for at, name in enumerate(aucs):
            curve = pr_curve(f"validation_pr/{name}", labels[:, at], scores[:, at])
            if curve is not None:
                tf.summary.experimental.write_raw_pb(curve)
        self.flush()

    def examples(
        self,
        step: int,
        *,
        ids: Sequence[str],
        pixels: npt.NDArray[np.uint8],
        labels: Floats,
        scores: npt.NDArray[np.float32],
        findings: Sequence[str],
    ) -> None:
        """Logs pictures with their labels and scores; before `validation`, which writes them out.

        The same pictures every time show how the network changes its mind of them.

        Args:
            step: optimiser steps done.
            ids: of the n pictures.
            pixels: uint8 [n, size, size].
            labels: [n, findings]; 1 present, 0 absent, NaN unknown.
            scores: float32 [n, findings], 0 to 1.
            findings: names of the columns.
        """
        if not self._on:
            return
        self._write_at(step)
        for at, name in enumerate(ids):
            picture = example_picture(
                name=name,
                pixels=pixels[at],
                labels=labels[at],
                scores=scores[at],
                findings=findings,
            )
            tf.summary.image(f"validation_examples/{name}", picture[np.newaxis, :, :, np.newaxis])

    def end(self, step: int, metrics: Mapping[str, float]) -> None:
        """Logs the result of a run that is done, and writes everything out.

        Args:
            step: optimiser steps done.
            metrics: tag -> value; best/mean_auc is the column that HParams shows by itself.
        """
        if not self._on:
            return
        self._scalars(step, metrics)
        done = session.session_end_pb(api_pb2.STATUS_SUCCESS)
        self._write_at(step)
        tf.summary.experimental.write_raw_pb(done.SerializeToString())
        self.flush()

    def flush(self) -> None:
        """Puts everything logged so far where a reader finds it."""
        self._writer.flush()

    def _write_at(self, step: int) -> None:
        """Directs the summaries that follow.

        Not by `as_default`, which flushes at its end.
        """
        self._writer.set_as_default(step)

    def _scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        self._write_at(step)
        for name, value in scalars.items():
            if math.isfinite(value):
                tf.summary.scalar(name, value)


def _start(step: int) -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    kinds = [device.device_type for device in tf.config.list_logical_devices()]
    devices = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
    verb = f"went on after step {step}" if step else "started"
    return (
        f"{verb} on {now:%Y-%m-%d at %H:%M:%S} UTC: TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, Python {sys.version.split()[0]}, {devices}"
    )
