# SPDX-License-Identifier: MIT
"""Compares runs that have come to their end, as a table and as files; imports no TensorFlow."""

import json
import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from preprocessing.contract import cells
from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import number, words
from trainer.evaluation.intervals import MINIMUM_USABLE_SHARE
from trainer.experiments import finished, spread
from trainer.experiments.spread import SPLIT
from trainer.predictions import listed
from trainer.report.sections import comparison_margin
from trainer.report.sections.comparison_words import chance

JSON, CSV = "comparison.json", "comparison.csv"
_ALPHA = 0.05
# Columns of a terminal that lines keep to; findings that a sentence names.
_WIDTH, _SHOWN = 120, 3


def run(
    paths: Sequence[str], output: str, resamples: int, seed: int, margin: float | None = None
) -> str:
    """Compares runs and returns what a terminal shows.

    Args:
        paths: folders of runs, or predictions files, the one first that the others are compared to.
        output: where to write both files; empty for nowhere.
        resamples: of patients, behind every interval.
        seed: of the resamples.
        margin: by which a run may be worse than the first, fixed beforehand; None for no test.

    Raises:
        UsageError: a run is named twice.
        DataError: a run is missing, not finished, or of other test images.
    """
    places = [storage.join(path) for path in paths]
    real = [listed.real(path) for path in places]
    if twice := [path for path, at in zip(places, real, strict=True) if real.count(at) > 1]:
        raise UsageError(f"--runs names {twice[-1]} twice: name each run once")
    runs = finished.read(places)
    found = spread.compare(runs, resamples=resamples, seed=seed, margin=margin)
    found |= {} if margin is None else {"margin": margin}
    if output:
        write(output, found)
    return text(found)


def write(output: str, found: Mapping[str, Any]) -> None:
    """Writes comparison.json, and comparison.csv with a line for each run and finding."""
    storage.write_text(storage.join(output, CSV), _lines(found))
    storage.write_text(storage.join(output, JSON), json.dumps(found, indent=2) + "\n")


def text(found: Mapping[str, Any]) -> str:
    """Returns the tables and how to read them."""
    short = _short([each["run"] for each in found["runs"]])
    shown = [_runs(found, short, 2).text()]
    if max(map(len, shown[0].splitlines())) > _WIDTH:
        shown = [_runs(found, short, 1).text()]
    several = any(len(group["runs"]) > 1 for group in found["groups"])
    if several:
        shown.append(_groups(found, short).text())
    if any(each["settings"] for each in found["runs"]):
        shown.append("\n".join(_settings(found, short)))
    lines = [
        f"AUCs are exact, of {found['images']:,} {found['split']} images. 95% intervals and p come "
        f"from the same {found['resamples']:,} resamples of patients for all runs, so each "
        f"difference to {short[found['runs'][0]['run']]} is paired; * p after Holm below "
        f"{_ALPHA:g}."
    ]
    if several:
        lines.append(
            "Runs that differ in the seed alone are one group: its AUCs are means over the seeds, "
            "in every resample too. Their interval and p cover the luck of the patients; SD and "
            "range show that of the seeds."
        )
    lines += [*_by_margin(found, short), *_seeds(found), *_averaged(found, short), *_left(found)]
    return "\n\n".join([*shown, "\n".join(lines)])


def _short(names: Sequence[str]) -> dict[str, str]:
    """Returns names without the folders that all of them have in common.

    >>> _short(["/r/a/seed-0", "/r/b/seed-0", "c"])
    {'/r/a/seed-0': 'a/seed-0', '/r/b/seed-0': 'b/seed-0', 'c': 'c'}
    """
    folders = [name.split("/")[:-1] for name in names if "/" in name]
    shared = len(os.path.commonprefix(folders))
    short = {name: "/".join(name.split("/")[shared * ("/" in name) :]) for name in names}
    return short if len({*short.values()}) == len(names) else {name: name for name in names}


def _runs(found: Mapping[str, Any], short: Mapping[str, str], count: int) -> Table:
    columns = ("Run", "Test mean AUC", "Difference", "p", Column("Largest differences", "text"))
    rows = [
        [short[each["run"]], *_cells(each["mean"]), _largest(each, count)] for each in found["runs"]
    ]
    return Table("", columns, rows)


def _groups(found: Mapping[str, Any], short: Mapping[str, str]) -> Table:
    rows: list[list[Cell | str]] = []
    for group in found["groups"]:
        over, others = group["spread"]["mean"], len(group["runs"]) - 1
        ends = "" if over["low"] is None else f"{number(over['low'])} to {number(over['high'])}"
        rows.append(
            [
                short[group["runs"][0]] + (f" and {others} more" if others else ""),
                *_cells(group["mean"])[:1],
                numeric(over["sd"], ".4f") if over["sd"] is not None else "",
                ends,
                *_cells(group["mean"])[1:],
            ]
        )
    return Table("", ["Group", "Mean AUC", "SD", "Range", "Difference", "p"], rows)


def _settings(found: Mapping[str, Any], short: Mapping[str, str]) -> list[str]:
    """Returns a line for each group: its runs, and its settings that are not the first's."""
    lines = ["Settings that differ (first in full, then only what is unlike the first):"]
    first = None
    for group in found["groups"]:
        own = {k: v for k, v in group["settings"].items() if not first or first[k] != v}
        first = first or group["settings"]
        if any("seed" in each["settings"] for each in found["runs"]):
            own["seed"] = ", ".join(map(str, group["seeds"]))
        said = "; ".join(f"{name}={value}" for name, value in own.items())
        known = group["seeds"] != [None]
        line = f"{', '.join(short[run] for run in group['runs'])}: {said if known else 'not known'}"
        lines.append(
            textwrap.fill(
                line,
                _WIDTH,
                initial_indent="  ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    return lines


def _by_margin(found: Mapping[str, Any], short: Mapping[str, str]) -> list[str]:
    """Says of each run, and of each group of several, what follows from a margin."""
    if (margin := found.get("margin")) is None:
        return []
    others = {short[each["run"]]: each for each in found["runs"][1:]}
    for group in found["groups"][1:]:
        if len(group["runs"]) > 1:
            others[f"the group of {short[group['runs'][0]]}"] = group
    lines = [
        comparison_margin.sentence({"other": name, "splits": {SPLIT: each}}, SPLIT, margin)
        for name, each in others.items()
    ]
    return [*lines, "Each is tested by itself, one-sided: no worse at 2.5%, equivalent at 5%."]


def _seeds(found: Mapping[str, Any]) -> list[str]:
    """Warns where a difference of groups may be one of their seeds."""
    counts = {len(group["runs"]) for group in found["groups"]}
    if len(found["groups"]) == 1 or (len(counts) == 1 and counts != {1}):
        return []
    return [
        "A difference of this size may be the luck of the seed, which p does not cover: compare "
        "equal numbers of seeds, two or more, of each recipe."
    ]


def _averaged(found: Mapping[str, Any], short: Mapping[str, str]) -> list[str]:
    return [
        f"{short[each['run']]} has scores averaged over {each['averaged']} runs: an ensemble, not "
        "the mean of the runs' AUCs; for that, name its runs in --runs."
        for each in found["runs"]
        if each["averaged"] > 1
    ]


def _left(found: Mapping[str, Any]) -> list[str]:
    """Says how many resamples are behind figures that are not defined in all of them.

    They are the same for all runs, whose labels are.
    """
    total, first = found["resamples"], found["runs"][0]
    areas = {name: each["auc"] for name, each in first["findings"].items()}
    dropped = {name: each["dropped_resamples"] for name, each in areas.items()}
    lost = [name for name, each in areas.items() if each["value"] is None]
    fewest = sorted(
        (name for name in areas if dropped[name] and name not in lost), key=lambda x: -dropped[x]
    )
    lines = []
    if fewest:
        left = [f"{total - first['mean']['auc']['dropped_resamples']:,} are left for the mean"]
        left += [f"{total - dropped[name]:,} for {words(name)}" for name in fewest[:_SHOWN]]
        if others := len(fewest) - len(left) + 1:
            left.append(f"as many or more for {others} others")
        lines.append(
            f"Of the {total:,} resamples, those in which a finding has no positive or no negative, "
            "or has all of either from one patient alone, are left out of its figures and the "
            f"mean's: {', '.join(left)}; an interval and p need "
            f"{math.ceil(total * MINIMUM_USABLE_SHARE):,}."
        )
    if lost:
        lines.append(
            f"The mean leaves out {', '.join(map(words, lost))}, without a positive or a negative."
        )
    return lines


def _cells(entry: Mapping[str, Any]) -> list[Cell | str]:
    if entry["difference"] is None:
        return [interval(entry["auc"]), "", ""]
    gap = interval(entry["difference"], "+.3f")
    return [interval(entry["auc"]), gap, chance(entry["p_value"])]


def _largest(entry: Mapping[str, Any], count: int) -> str:
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
