# SPDX-License-Identifier: MIT
"""Programs beside a report by which anybody recomputes it: R's pROC and scikit-learn, not cxr14."""

import shlex
from collections.abc import Mapping
from importlib import resources
from typing import Any

from trainer.report.parts import Notes, Part, Words

# By the file that holds each, which is not a module of this package.
PROGRAMS = {"verify.R": "verify.R", "verify.py": "verify.py.txt"}
_TEXT = (
    "Programs that share no code with what wrote this report recompute its AUCs, average "
    "precisions and counts, and exit with status 0 only where all agree to 1e-9. Run them in the "
    "folder of the report, with the path of what it was made of:"
)


def programs() -> dict[str, str]:
    """Returns the text of each program by its name."""
    folder = resources.files(__package__) / "templates"
    return {name: (folder / file).read_text("utf-8") for name, file in PROGRAMS.items()}


def parts(report: Mapping[str, Any]) -> list[Part]:
    """Returns how to run them on what the report was made of."""
    about = report["predictions"]
    files = [each["file"] or "predictions.csv" for each in about.get("mean_of", [about])]
    given = shlex.join(files)
    by_python, by_r = f"python3 verify.py {given}", f"Rscript verify.R {given}"
    if not all(name.lower().endswith(".csv") for name in files):
        by_python, by_r = f"{by_python} --csv=scored.csv", "Rscript verify.R scored.csv"
    lines = [f"{by_python} (scikit-learn and pandas)", f"{by_r} (R with its package pROC)"]
    return [Words(_TEXT, "known"), Notes(lines)]
