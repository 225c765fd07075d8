# SPDX-License-Identifier: MIT
"""Runs every benchmark and prints one table of ratios: `python -m benchmarks [folder]`."""

import sys
import tempfile

from benchmarks import preprocessing, training


def main() -> None:
    """Prints the table; a folder given on the command line keeps the phantom for the next time."""
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="cxr14-bench-")
    rows = [*preprocessing.measure(folder), *training.measure(folder)]
    print("\n| work | this project | alternative | ratio | aim |\n|---|---|---|---|---|")
    for row in rows:
        ours, theirs = f"{row.ours:.1f} images/s", f"{row.theirs:.1f} images/s"
        ratio = f"{row.ours / row.theirs:.2f}"
        print(f"| {row.work} | {ours} | {row.alternative}: {theirs} | {ratio} | {row.aim} |")


if __name__ == "__main__":
    main()
