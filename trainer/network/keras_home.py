# SPDX-License-Identifier: MIT
"""Keeps Keras from taking settings from the shell or the home folder of the user.

A keras.json that another project left there chooses another backend, channels_first or float64
for every program; one that is damaged ends them all. Imports no Keras: it comes before that.
"""

import os
from collections.abc import MutableMapping

# Nothing can lie below it, so Keras finds no keras.json there and leaves none.
_NOWHERE = os.devnull


def ignore(environ: MutableMapping[str, str] = os.environ) -> None:
    """Sets the variables that Keras reads when it is imported; all else keeps its default."""
    environ["KERAS_HOME"] = _NOWHERE
    environ["KERAS_BACKEND"] = "tensorflow"
    for name in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
        environ.pop(name, None)
