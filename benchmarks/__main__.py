# SPDX-License-Identifier: MIT
"""Runs the benchmarks and prints one table of ratios.

    python -m benchmarks [FOLDER] [--only=NAME,NAME] [--torch-python=PYTHON]

FOLDER keeps the phantom and its shards for the next time. What the input
pipeline and augmentation are compared with of PyTorch is run by PYTHON, an interpreter with torch,
torchvision and Pillow; without one the rows say so.
"""

import argparse
import json
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterable

from benchmarks import (
    augmentation,
    hosts,
    input_pipeline,
    prediction,
    preprocessing,
    processes,
    report,
    training,
)
from benchmarks.ratio import HEADER, Ratio
from benchmarks.rounds import say

# Seconds of each part, the last time that it was measured on this machine.
_TOOK = pathlib.Path(tempfile.gettempdir(), "cxr14-bench-seconds.json")


def main() -> None:
    """Prints the table, each row as soon as it is measured, and what is still to come."""
    parser = argparse.ArgumentParser(description="prints ratios against named alternatives")
    parser.add_argument("folder", nargs="?", default="", help="keeps the data for the next time")
    parser.add_argument("--only", default="", help="names of parts, with commas between them")
    parser.add_argument(
        "--torch-python",
        default=os.environ.get("CXR14_TORCH_PYTHON", ""),
        help="interpreter with torch, torchvision and Pillow [$CXR14_TORCH_PYTHON]",
    )
    arguments = parser.parse_args()
    folder = arguments.folder or tempfile.mkdtemp(prefix="cxr14-bench-")
    feeding: dict[str, float] = {}

    def pipeline() -> list[Ratio]:
        rows, rates = input_pipeline.measure(folder, arguments.torch_python)
        feeding.update(rates.per_core)
        return rows

    parts: dict[str, Callable[[], Iterable[Ratio]]] = {
        "preprocessing": lambda: preprocessing.measure(folder),
        "input_pipeline": pipeline,
        "augmentation": lambda: augmentation.measure(arguments.torch_python),
        "training": lambda: training.measure(folder),
        "processes": lambda: processes.measure(folder),
        "prediction": lambda: prediction.measure(folder),
        "report": report.measure,
    }
    wanted = arguments.only.split(",") if arguments.only else list(parts)
    if unknown := sorted(set(wanted) - parts.keys()):
        parser.error(f"no part {unknown[0]!r}: there are {', '.join(parts)}")
    print(HEADER, flush=True)
    took: dict[str, float] = json.loads(_TOOK.read_text()) if _TOOK.exists() else {}
    for at, name in enumerate(wanted):
        say(_still_to_come(wanted[at:], took))
        start = time.monotonic()
        for row in parts[name]():
            print(row.line(), flush=True)
        took[name] = time.monotonic() - start
        _TOOK.write_text(json.dumps(took))
    if feeding:
        print("\nImages that one busy core makes ready in a second: ", end="")
        print(", ".join(f"{speed:,.0f} {name}" for name, speed in feeding.items()) + "\n")
        print(hosts.table(feeding), flush=True)


def _still_to_come(parts: list[str], took: dict[str, float]) -> str:
    """Says which parts are left, and how long they take if they did not change."""
    known = [took[name] for name in parts if name in took]
    minutes = f"about {sum(known) / 60:.0f} min by the last time" if known else "for the first time"
    new = len(parts) - len(known)
    more = f", and {new} for the first time" if known and new else ""
    return f"still to come: {', '.join(parts)} ({minutes}{more})"


if __name__ == "__main__":
    main()
