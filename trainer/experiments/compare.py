# SPDX-License-Identifier: MIT
"""Compares runs that have come to their end, as a table and as files; imports no TensorFlow."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from preprocessing.contract import cells
from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import number, words
from trainer.experiments import finished, spread

JSON, CSV = "comparison.json", "comparison.csv"
_ALPHA = 0.05


def run(paths: Sequence[str], output: str, *, resamples: int, seed: int) -> str:
    """Compares runs and returns what a terminal shows.

    Args:
        paths: folders of runs, or predictions files, the one first that the others are compared to.
        output: where to write both files; empty for nowhere.
        resamples: of patients, behind every interval.
        seed: of the resamples.

    Raises:
        UsageError: a run is named twice.
        DataError: a run is missing, not finished, or of other test images.
    """
    places = [storage.join(path) for path in paths]
    real = [path if storage.scheme_of(path) else os.path.realpath(path) for path in places]
    if twice := [path for path, at in zip(places, real, strict=True) if real.count(at) > 1]:
        raise UsageError(f"--runs names {twice[-1]} twice: name each run once")
    found = spread.compare(finished.read(places), resamples=resamples, seed=seed)
    if output:
        write(output, found)
    return text(found)


def write(output: str, found: Mapping[str, Any]) -> None:
    """Writes comparison.json, and comparison.csv with a line for each run and finding."""
    storage.write_text(storage.join(output, CSV), _lines(found))
    storage.write_text(storage.join(output, JSON), json.dumps(found, indent=2) + "\n")


def text(found: Mapping[str, Any]) -> str:
    """Returns the tables and how to read them."""
    first = found["runs"][0]["run"]
    shown = [_runs(found).text()]
    several = any(len(group["runs"]) > 1 for group in found["groups"])
    if several:
        shown.append(_groups(found).text())
    lines = [
        f"AUCs are exact, of {found['images']:,} {found['split']} images. 95% intervals and p come "
        f"from the same {found['resamples']:,} resamples of patients for all runs, so each "
        f"difference to {first} is paired; * p after Holm below {_ALPHA:g}."
    ]
    if several:
        lines.append(
            "Runs that differ in the seed alone are one group: its AUCs are means over the seeds, "
            "in every resample too. Their interval and p cover the luck of the patients; SD and "
            "range show that of the seeds."
        )
    return "\n\n".join([*shown, "\n".join(lines)])


def _runs(found: Mapping[str, Any]) -> Table:
    return Table(
        "",
        [
            *("Run", Column("Differs in", "text"), "Test mean AUC", "Difference", "p"),
            Column("Largest differences", "text"),
        ],
        [
            [each["run"], _settings(each["settings"]), *_cells(each["mean"]), _largest(each)]
            for each in found["runs"]
        ],
    )


def _groups(found: Mapping[str, Any]) -> Table:
    rows: list[list[Cell | str]] = []
    for group in found["groups"]:
        over, others = group["spread"]["mean"], len(group["runs"]) - 1
        ends = "" if over["low"] is None else f"{number(over['low'])} to {number(over['high'])}"
        rows.append(
            [
                group["runs"][0] + (f" and {others} more" if others else ""),
                _settings(group["settings"]),
                ", ".join(map(str, group["seeds"])),
                *_cells(group["mean"])[:1],
                numeric(over["sd"], ".4f") if over["sd"] is not None else "",
                ends,
                *_cells(group["mean"])[1:],
            ]
        )
    first = ("Group", Column("Differs in", "text"), "Seeds", "Mean AUC", "SD", "Range")
    return Table("", [*first, "Difference", "p"], rows)


def _cells(entry: Mapping[str, Any]) -> list[Cell | str]:
    if entry["difference"] is None:
        return [interval(entry["auc"]), "", ""]
    chance = entry["p_value"]
    small = chance is not None and chance < 0.001
    shown = "< 0.001" if small else number(chance)
    return [interval(entry["auc"]), interval(entry["difference"], "+.3f"), shown]


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _largest(entry: Mapping[str, Any], count: int = 2) -> str:
    gaps = {
        name: each
        for name, each in entry["findings"].items()
        if each["difference"] and each["difference"]["value"] is not None
    }
    largest = sorted(gaps, key=lambda name: -abs(gaps[name]["difference"]["value"]))[:count]
    return ", ".join(
        f"{words(name)} {number(gaps[name]['difference']['value'], '+.3f')}"
        + "*" * ((gaps[name]["p_holm"] if gaps[name]["p_holm"] is not None else 1) < _ALPHA)
        for name in largest
    )


def _lines(found: Mapping[str, Any]) -> str:
    """A line for each run or group and finding, or the mean, with names of columns as in JSON."""
    rows = []
    for entry in [*found["runs"], *found["groups"]]:
        over = entry.get("spread", {"mean": {}, "findings": {}})
        over = {"mean": over["mean"], **over["findings"]}
        run = entry["run"] if "run" in entry else " ".join(entry["runs"])
        for name, each in {"mean": entry["mean"], **entry["findings"]}.items():
            about = {"run": cells.harmless(run), "finding": name}
            rows.append(about | each | {"spread": over.get(name, {})})
    return pd.json_normalize(rows).to_csv(index=False, lineterminator="\n")
