# SPDX-License-Identifier: MIT
"""Records what the accelerator and the host do in a few chosen steps, for TensorBoard's Profile."""

import tensorflow as tf
from absl import logging


class Profiler:
    """Traces the host calls from one step to another.

    The trace appears as plugins/profile/TIME/HOST.xplane.pb below the folder; TensorBoard shows it
    if the package xprof (before 2025: tensorboard-plugin-profile) is installed beside it. A trace
    takes memory for every operation: ten or twenty steps are enough. What cannot be traced is
    reported and training goes on.

    Args:
        folder: of the TensorBoard log, local or gs://; empty to trace nothing (workers that are
            not chief).
        span: first and last step to trace, counted from 1; None for none.
    """

    def __init__(self, folder: str, span: tuple[int, int] | None) -> None:
        self._folder = folder
        self._span = span if folder else None
        self._running = False
        self._call: tf.profiler.experimental.Trace | None = None

    @property
    def duties(self) -> tuple[int, ...]:
        """Steps done at which a host call must end, so that the trace begins and ends there."""
        return (self._span[0] - 1, self._span[1]) if self._span else ()

    def before(self, step: int) -> None:
        """Tells that a host call begins.

        Args:
            step: optimiser steps done. A run that goes on in the middle of the span traces what is
                left of it.
        """
        if self._span and not self._running and self._span[0] <= step + 1 <= self._span[1]:
            self._start()
        if self._running:
            # The mark by which the profiler tells one call's operations from the next one's.
            self._call = tf.profiler.experimental.Trace("train", step_num=step + 1, _r=1)
            self._call.__enter__()

    def after(self, step: int) -> None:
        """Tells that a host call is over.

        Args:
            step: optimiser steps done.
        """
        self._leave_call()
        if self._span and self._running and step >= self._span[1]:
            self.close()

    def close(self) -> None:
        """Ends a trace that is running; for training that ends before the span does."""
        self._leave_call()
        if not self._running:
            return
        self._running, self._span = False, None
        try:
            tf.profiler.experimental.stop()
        except tf.errors.OpError as error:
            logging.warning(f"the profile could not be written: {error.message}")
            return
        logging.info(f"profile written below {self._folder}/plugins/profile")

    def _start(self) -> None:
        try:
            tf.profiler.experimental.start(self._folder)
        except tf.errors.OpError as error:
            self._span = None
            logging.warning(f"these steps cannot be profiled: {error.message}")
            return
        self._running = True

    def _leave_call(self) -> None:
        if self._call is not None:
            self._call.__exit__(None, None, None)
            self._call = None
