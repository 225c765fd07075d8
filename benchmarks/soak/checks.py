# SPDX-License-Identifier: MIT
"""Checks what a run of the soak has left, and puts the record into words."""

import csv
import json
import pathlib
import statistics
from typing import Any

import numpy as np

from preprocessing.contract.manifest import Manifest
from trainer.monitoring import goodput, ledger

_TRACED = 60  # seconds after which a process has traced its steps and filled its buffers
_SETTLED = 180  # seconds after which its allocator knows how much it needs


def line(start: Any) -> str:
    """Returns one start as a row of the table."""
    first = next((point[1:] for point in start.memory if point[0] >= _TRACED), None)
    last = start.memory[-1][1:] if start.memory else None
    memory = f"{_mebibytes(first)} -> {_mebibytes(last)}"
    run = "reference" if start.run < 0 else str(start.run)
    codes = ", ".join(map(str, start.codes))
    steps = f"{start.steps[0]} -> {start.steps[1]}"
    return (
        f"| {run} | {start.began:.1f} | {start.lived:.0f} | {start.event} | {codes} | "
        f"{start.gone:.1f} | {steps} | {memory} | {start.files} | {start.written} | "
        f"{start.scratch} |"
    )


def table(starts: list[Any]) -> str:
    """Returns all starts as a table in Markdown."""
    head = (
        "| run | began, min | lived, s | event | exit codes | gone after, s | step | "
        "memory at 1 min -> end, MiB | open files | files of the run | temporary files |"
    )
    return "\n".join([head, "|" + "---|" * 11, *map(line, starts)])


def _mebibytes(values: list[float] | None) -> str:
    return "+".join(f"{value:.0f}" for value in values) if values else "?"


def settled(starts: list[Any]) -> list[list[float]]:
    """Returns the memory of each worker of the longest start, MiB, medians of four equal times.

    What comes before it has settled is left out, and so a short start says nothing.
    """
    longest = max(starts, key=lambda start: start.lived, default=None)
    points = [point for point in longest.memory if point[0] >= _SETTLED] if longest else []
    if len(points) < 8:
        return []
    quarters = np.array_split(np.array(points, float), 4)
    return [np.median(quarter, axis=0)[1:].tolist() for quarter in quarters]


def summary(starts: list[Any]) -> str:
    """Returns the record in a few sentences."""
    kills = [start for start in starts if start.event.startswith("SIG")]
    gone = {
        name: [start.gone for start in kills if start.event.startswith(name)]
        for name in ("SIGKILL", "SIGTERM")
    }
    lines = [f"{len(starts)} starts, {len(kills)} interruptions"]
    for name, seconds in gone.items():
        if seconds:
            lines.append(
                f"{name}: {len(seconds)}; all workers gone after {statistics.median(seconds):.1f} s"
                f" in the median, {max(seconds):.1f} s at most"
            )
    if quarters := settled(starts):
        workers = (
            ", ".join(f"{value:,.0f}" for value in worker) for worker in zip(*quarters, strict=True)
        )
        lines.append(
            "memory of the longest start, MiB, medians of its quarters after "
            f"{_SETTLED / 60:.0f} minutes: {' and '.join(workers)}"
        )
    return "\n".join(lines)


def ledger_of(output: pathlib.Path, seconds: float) -> tuple[str, list[str]]:
    """Returns where a finished run says that its time went, and what is wrong with that.

    Args:
        output: folder of the run.
        seconds: from its first command to its end, by our clock.
    """
    made = goodput.summary(ledger.read(str(output)))
    told = sum(made["seconds"].values())
    parts = ", ".join(f"{name} {spent:.0f}" for name, spent in made["seconds"].items() if spent)
    line = (
        f"goodput {made['percent']}% of {made['of_seconds']:.0f} s of training in "
        f"{made['starts']} starts; seconds: {parts}; in all {told:.1f} of {seconds:.1f}"
    )
    apart = abs(told - seconds) > 0.01 * seconds
    return line, [f"the buckets add up to {told:.1f} s of {seconds:.1f}"] * apart


def problems_of(output: pathlib.Path, manifest: Manifest) -> list[str]:
    """Returns what is wrong with a finished run: predictions and report against the data set."""
    predictions = output / "predictions" / "predictions.csv"
    missing = [
        name
        for name in ("training.json", "report/report.html", "saved_model/saved_model.pb")
        if not (output / name).is_file()
    ]
    if missing or not predictions.is_file():
        return [f"{output} is finished without {', '.join(missing) or 'predictions'}"]
    with predictions.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    report = json.loads((output / "report" / "report.json").read_text())
    for split in ("validation", "test"):
        own = [row for row in rows if row["split"] == split]
        ids = {row["id"] for row in own}
        if not len(own) == len(ids) == manifest.splits[split].examples:
            found.append(f"{split}: {len(own)} rows, {len(ids)} ids")
        for name, entry in report["splits"][split]["findings"].items():
            stated, ours = entry["auc"]["value"], _auc(own, name)
            if (stated is None) != (ours is None) or abs((stated or 0) - (ours or 0)) > 1e-9:
                found.append(f"{split}: the report says {name} has AUC {stated}, it is {ours}")
    return found


def _auc(rows: list[dict[str, str]], finding: str) -> float | None:
    """Counts pairs, the plainest definition of the area under the curve."""
    labels = np.array([row[f"label:{finding}"] for row in rows])
    scores = np.array([float(row[f"score:{finding}"]) for row in rows])
    positive, negative = scores[labels == "1"], scores[labels == "0"]
    if not len(positive) or not len(negative):
        return None
    above = positive[:, None] - negative[None, :]
    return float(((above > 0) + 0.5 * (above == 0)).mean())
