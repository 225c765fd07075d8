# SPDX-License-Identifier: MIT
"""Reports to Vertex AI how good the run of a hyperparameter trial is; imports no TensorFlow.

The service reads a file of JSON lines in the container, in the form that Google's package
cloudml-hypertune writes: numbers as texts under the metric's own name. A container that is started
again may find its file or an empty disk, so what is known from before is reported again.
"""

import json
import math
import os
import time
from collections.abc import Mapping

from absl import logging

from preprocessing.contract.files import faults

# What a study maximises, as its metricId: by this number the best network is chosen, unless
# train.monitor says by the loss; the number is then that of the network at hand all the same.
METRIC = "validation_mean_auc"
TRIAL, FILE = "CLOUD_ML_TRIAL_ID", "CLOUD_ML_HP_METRIC_FILE"
_DEFAULT = "/tmp/hypertune/output.metrics"


def report(step: int, mean_auc: float, environ: Mapping[str, str]) -> None:
    """Adds the result of a validation to the trial's file, if this process is part of a trial.

    To be called by the chief alone. A step that is there already is left as it is, and a file that
    cannot be written is only warned of: the run is worth more than the study.

    Args:
        step: optimiser steps done; 0 if there was no validation yet, which is not reported.
        mean_auc: over the findings, of the validation split.
        environ: the process's environment, which says whether this is a trial.
    """
    if not (environ.get(TRIAL) or environ.get(FILE)) or not step or not math.isfinite(mean_auc):
        return
    path = environ.get(FILE) or _DEFAULT
    entry = {
        "timestamp": time.time(),
        "trial": environ.get(TRIAL) or "0",
        "global_step": str(step),
        METRIC: str(float(mean_auc)),
        "checkpoint_path": "",
    }
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        before = _read(path)
        if any(_is_of(line, entry) for line in before.splitlines()):
            return
        # A process that was killed may have left half a line, to which nothing must be added.
        begin = "\n" if before and not before.endswith("\n") else ""
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{begin}{json.dumps(entry, sort_keys=True)}\n")
    except OSError as error:
        logging.warning(
            f"the tuning study does not learn the {METRIC} of step {step}: {path} cannot be "
            f"written ({faults.line(error)})"
        )


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _is_of(line: str, entry: Mapping[str, object]) -> bool:
    """Tells whether a line is whole and reports the same step of the same trial."""
    try:
        found = json.loads(line)
    except ValueError:
        return False
    same = ("trial", "global_step")
    return (
        isinstance(found, dict)
        and METRIC in found
        and all(found.get(key) == entry[key] for key in same)
    )
