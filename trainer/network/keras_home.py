# SPDX-License-Identifier: MIT
"""Keeps Keras from taking settings from the shell or the home folder of the user.

A keras.json that another project left there chooses another backend, channels_first or float64
for every program; one that is damaged ends them all. Imports no Keras: it comes before that.
"""

import os
import sys

# Nothing can lie below it, so Keras finds no keras.json there and leaves none.
_NOWHERE = os.devnull


def ignore() -> None:
    """Sets the variables that Keras reads when it is imported; all else keeps its default."""
    os.environ["KERAS_HOME"] = _NOWHERE
    os.environ["KERAS_BACKEND"] = "tensorflow"
    for name in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
        os.environ.pop(name, None)
    # Where Matplotlib can be imported, Keras does so, with the user's settings, and draws nothing
    # here; `trainer.report.matplotlib_home` brings it back for the figures.
    sys.modules.setdefault("matplotlib", None)  # type: ignore[arg-type]
