# SPDX-License-Identifier: MIT
"""Writes what a run is and measures to TensorBoard, from the chief only.

What a restart logs again gets the step at which it was logged before, so that TensorBoard's
data server shows the later of the two and one line a curve.
"""

import datetime
import math
import os
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary as session
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata

from preprocessing.contract.manifest import Manifest
from preprocessing.contract.settings import settings
from trainer.config import Config
from trainer.monitoring import first_screen
from trainer.monitoring.event_log import EventLog, value
from trainer.monitoring.example_pictures import example_picture
from trainer.monitoring.pr_curve import pr_curve
from trainer.monitoring.run_card import config_text, data_set_text

Floats = npt.NDArray[np.floating[Any]]
MIB = 2**20

# Fields of /proc/PID/statm count pages; the second is the resident set (proc(5)).
_STATM = pathlib.Path("/proc/self/statm")
_RESIDENT = 1


class Monitor:
    """A TensorBoard log.

    What was logged is written out every two minutes, after `begin` and validations, and in `flush`.
    On an object store each time costs an upload of the file so far, and training waits for it. A
    picture takes about 50 kB, a finding's PR curve 3 kB, a scalar 100 bytes: after 20 epochs with 8
    pictures and 14 findings about 10 MB.

    What a restart repeats takes the place of what was logged before, and a log that cannot be
    written is only warned of.

    Args:
        folder: where the events go, local or gs://; empty to write nothing (workers that are not
            chief).
        clock: seconds since 1970.
        further: returns what else is logged with the training, tag -> value.
    """

    def __init__(
        self,
        folder: str,
        clock: Callable[[], float] = time.time,
        further: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self._further = further
        self._log = EventLog(folder, clock) if folder else None

    def begin(self, step: int, *, config: Config, manifest: Manifest) -> None:
        """Logs what the run is, and that it starts here: for texts and HParams, at once.

        Args:
            step: optimiser steps done before.
            config: all settings.
            manifest: of the data set.
        """
        if self._log is None:
            return
        self._log.begin(step)
        about = [
            _text("run/config", config_text(config)),
            _text("run/data_set", data_set_text(manifest)),
        ]
        # No list of columns goes with it: left alone, TensorBoard shows first those in which the
        # runs below a folder differ, and the metric whose tag comes first, `first_screen.BEST`.
        flat = {**settings.flat(config), "data_set": manifest.identity[:12]}
        self._log.add(0, [*about, first_screen.layout(), *hparams.hparams_pb(flat).value])
        self._log.add(step, [_text("run/starts", _start(step))])
        self.flush()

    def augmented(self, sheet: npt.NDArray[np.uint8]) -> None:
        """Logs training pictures as they are augmented, uint8 [height, width], at step 0."""
        if self._log is not None:
            self._log.add(0, [_image("training_examples/augmented", sheet)])

    def training(self, step: int, scalars: Mapping[str, float]) -> None:
        """Logs a stretch of training steps that ended at `step`, and the memory in use.

        Args:
            step: optimiser steps done.
            scalars: tag -> value; values that are not finite are left out.
        """
        if self._log is not None:
            shown = first_screen.with_first(scalars)
            self._log.add(step, _scalars({**shown, **memory(), **self._further()}))

    def validation(
        self,
        step: int,
        *,
        mean_auc: float,
        aucs: Mapping[str, float],
        labels: Floats,
        scores: npt.NDArray[np.float32],
        loss: float = math.nan,
        ids: Sequence[str] = (),
        pixels: Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8] = (),
    ) -> None:
        """Logs how well findings of the validation split are found, and writes everything out.

        The pictures, the same every time, show how the network's opinion of them changes.

        Args:
            step: optimiser steps done.
            mean_auc: over the findings.
            aucs: finding -> AUC, in the order of the columns; undefined ones are left out.
            labels: [n, findings]; 1 present, 0 absent, NaN unknown.
            scores: float32 [n, findings], 0 to 1.
            loss: mean binary cross-entropy over the known labels, in nats; NaN leaves it out.
            ids: of the first of the n pictures.
            pixels: those pictures, uint8 [size, size] each.
        """
        if self._log is None or self._log.repeats("validation/mean_auc", step):
            return
        names = list(aucs)
        for name, *one in zip(ids, pixels, labels, scores, strict=False):
            picture = example_picture(name, *one, findings=names)
            self._log.add(step, [_image(f"validation_examples/{name}", picture)])
        self._log.add(step, _scalars({f"validation_auc/{name}": auc for name, auc in aucs.items()}))
        for at, name in enumerate(names):
            curve = pr_curve(f"validation_pr/{name}", labels[:, at], scores[:, at])
            if curve is not None:
                self._log.add(step, Summary.FromString(curve).value)
        # Last: where it is, the rest is.
        self._log.add(step, _scalars(first_screen.of_validation(loss, mean_auc)))
        self.flush()

    def best(self, step: int, mean_auc: float) -> None:
        """Logs the validation mean AUC of the best network so far: the column that HParams shows.

        Args:
            step: optimiser steps done, of the validation.
            mean_auc: of that network; negative before there is one, which is left out.
        """
        if self._log is not None and mean_auc >= 0:
            self._log.add(step, _scalars({first_screen.BEST: mean_auc}))

    def end(self, step: int, metrics: Mapping[str, float]) -> None:
        """Logs the result of a run that is done, and writes everything out.

        Args:
            step: optimiser steps done.
            metrics: tag -> value.
        """
        if self._log is None:
            return
        done = session.session_end_pb(api_pb2.STATUS_SUCCESS)
        # In TensorFlow's own class, where that is installed.
        ended = Summary.FromString(done.SerializeToString()).value
        self._log.add(step, [*_scalars(metrics), *ended])
        self.flush()

    def flush(self) -> None:
        """Puts everything logged so far where a reader finds it."""
        if self._log is not None:
            self._log.flush()


def memory() -> dict[str, float]:
    """Returns what is in use, in MiB.

    Returns:
        memory/host_mib, the resident set of this process, where the system is Linux; for each GPU
        memory/gpu0_mib, what tensors take now, and memory/gpu0_peak_mib, the most they ever took.
        TensorFlow reserves more of a GPU than that.
    """
    found: dict[str, float] = {}
    if _STATM.exists():
        pages = int(_STATM.read_text(encoding="ascii").split()[_RESIDENT])
        found["memory/host_mib"] = pages * os.sysconf("SC_PAGE_SIZE") / MIB
    for at, device in enumerate(tf.config.list_logical_devices("GPU")):
        used = tf.config.experimental.get_memory_info(device.name)
        found[f"memory/gpu{at}_mib"] = used["current"] / MIB
        found[f"memory/gpu{at}_peak_mib"] = used["peak"] / MIB
    return found


def _scalars(scalars: Mapping[str, float]) -> list[Summary.Value]:
    about = scalar_metadata.create_summary_metadata("", "")
    finite = {tag: number for tag, number in scalars.items() if math.isfinite(number)}
    return [value(tag, about, np.float32(number)) for tag, number in finite.items()]


def _text(tag: str, text: str) -> Summary.Value:
    return value(tag, text_metadata.create_summary_metadata("", ""), text.encode())


def _image(tag: str, picture: npt.NDArray[np.uint8]) -> Summary.Value:
    about = image_metadata.create_summary_metadata("", "", converted_to_tensor=True)
    height, width = (str(side).encode() for side in picture.shape[:2])
    return value(tag, about, [width, height, cv2.imencode(".png", picture)[1].tobytes()])


def _start(step: int) -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    kinds = [device.device_type for device in tf.config.list_logical_devices()]
    devices = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
    verb = f"went on after step {step}" if step else "started"
    return (
        f"{verb} on {now:%Y-%m-%d at %H:%M:%S} UTC: TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, Python {sys.version.split()[0]}, {devices}"
    )
