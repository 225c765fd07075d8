# SPDX-License-Identifier: MIT
"""What a SavedModel takes along from a report: thresholds and calibration, chosen on validation."""

import json
from collections.abc import Mapping
from typing import Any

from preprocessing.contract.errors import ConfigError


def assets(report: Mapping[str, Any]) -> dict[str, str]:
    """Returns the files that lie beside a SavedModel, by name.

    Args:
        report: the content of report.json.

    Returns:
        `thresholds.json`: for each finding and rule the threshold on the scores that the model
        gives, or null; a score at or above it is called. `calibration.json`: for each finding the
        method and parameters that turn a score into a calibrated one
        (`trainer.evaluation.recalibration.apply`). A file is left out where the predictions held
        no validation split to choose on.
    """
    files = {}
    points = report.get("operating_points", {})
    if points.get("available"):
        thresholds = {
            name: {rule: entry["threshold"] for rule, entry in finding["rules"].items()}
            for name, finding in points["findings"].items()
        }
        files["thresholds.json"] = _text(thresholds)
    recalibration = report.get("calibration", {}).get("recalibration") or {}
    if export := recalibration.get("export"):
        files["calibration.json"] = _text(export)
    return files


def check_views(report: Mapping[str, Any], views: str) -> None:
    """Checks that a report is on the scores that a SavedModel will give.

    Args:
        report: the content of report.json. One of an earlier version names no views: there was one.
        views: over which the SavedModel averages, as `evaluation.views`.

    Raises:
        ConfigError: it is on scores of other views.
    """
    settings = report.get("context", {}).get("config")
    found = settings and settings["evaluation"].get("views", "one")
    if found not in (None, views):
        raise ConfigError(
            f"thresholds and calibration of the report were chosen on scores of evaluation.views="
            f"{found}, which do not hold for {views}: export with --config.evaluation.views="
            f"{found}, or have all made again with {views} (--mode=all)"
        )


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
