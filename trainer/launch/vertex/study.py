# SPDX-License-Identifier: MIT
"""Renders a search for better settings as a HyperparameterTuningJobSpec of Vertex AI.

What is varied are the trainer's own flags, which Vertex AI adds to the arguments of each trial. It
writes numbers of a list as 64.0, which is not a whole number to the trainer: only settings that are
real numbers are listed as numbers, all others as words, which arrive as they are.
"""

from typing import Any

from trainer.launch.description import tuning_checks
from trainer.launch.description.arguments import text
from trainer.launch.description.tuning import Parameter, Tuning
from trainer.launch.manifests import Spec
from trainer.monitoring.tuning import METRIC

_ALGORITHMS = {
    "bayesian": "ALGORITHM_UNSPECIFIED",  # the name of Vertex AI's own, which is Bayesian
    "random": "RANDOM_SEARCH",
    "grid": "GRID_SEARCH",
}
_SCALES = {
    "linear": "UNIT_LINEAR_SCALE",
    "log": "UNIT_LOG_SCALE",
    "reverse_log": "UNIT_REVERSE_LOG_SCALE",
}
_MEASUREMENTS = {"best": "BEST_MEASUREMENT", "last": "LAST_MEASUREMENT"}
_STOPPING: dict[str, Spec] = {
    "none": {},
    "median": {"medianAutomatedStoppingSpec": {}},
    "decay_curve": {"decayCurveStoppingSpec": {}},
}


def render(tuning: Tuning, trial: Spec) -> Spec:
    """Returns the search over runs.

    Args:
        tuning: what is tried.
        trial: the CustomJobSpec of a run, without the settings that are tried.
    """
    given_up = {"maxFailedTrialCount": tuning.failed_trials} if tuning.failed_trials else {}
    return {
        "studySpec": {
            "metrics": [{"metricId": METRIC, "goal": "MAXIMIZE"}],
            "parameters": [_parameter(*item) for item in tuning.parameters.items()],
            "algorithm": _ALGORITHMS[tuning.algorithm],
            "measurementSelectionType": _MEASUREMENTS[tuning.measurement],
            **_STOPPING[tuning.early_stopping],
        },
        "maxTrialCount": tuning.trials,
        "parallelTrialCount": tuning.parallel_trials,
        **given_up,
        "trialJobSpec": trial,
    }


def _parameter(name: str, parameter: Parameter) -> Spec:
    kind = tuning_checks.kind_of(name)
    scale = {"scaleType": _SCALES[parameter.scale or "linear"]}
    spec: dict[str, Any]
    if parameter.values is None and kind is int:
        # JSON's form of a number of 64 bits is a text.
        ends = {"minValue": f"{parameter.min:.0f}", "maxValue": f"{parameter.max:.0f}"}
        spec = {"integerValueSpec": ends, **scale}
    elif parameter.values is None:
        spec = {"doubleValueSpec": {"minValue": parameter.min, "maxValue": parameter.max}, **scale}
    elif kind is float:
        spec = {"discreteValueSpec": {"values": sorted(map(float, parameter.values))}, **scale}
    else:
        words = [text(value) for value in parameter.values]
        spec = {"categoricalValueSpec": {"values": words}}
    return {"parameterId": f"config.{name}", **spec}
