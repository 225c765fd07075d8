# SPDX-License-Identifier: MIT
"""Runs the benchmarks and prints one table of ratios.

    python -m benchmarks [FOLDER] [--only=NAME,NAME] [--torch-python=PYTHON]

FOLDER keeps the phantom and its shards for the next time. What the input
pipeline and augmentation are compared with of PyTorch is run by PYTHON, an interpreter with torch,
torchvision and Pillow; without one the rows say so.
"""

import argparse
import os
import tempfile
from collections.abc import Callable

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


def main() -> None:
    """Prints the table, each part as soon as it is measured."""
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

    parts: dict[str, Callable[[], list[Ratio]]] = {
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
    for name in wanted:
        for row in parts[name]():
            print(row.line(), flush=True)
    if feeding:
        print("\nImages that one busy core makes ready in a second: ", end="")
        print(", ".join(f"{speed:,.0f} {name}" for name, speed in feeding.items()) + "\n")
        print(hosts.table(feeding), flush=True)


if __name__ == "__main__":
    main()
