# SPDX-License-Identifier: MIT
"""The section on confusion: which other findings go with an error, and how scores spread.

In report.json rows and columns of `matrices` are findings in the order of `counts`: in the images
of the row's finding, the share of the column's. `excess` is such a share less that of all images
(`called`, `labelled`), with ends. `histograms` counts images between `edges`, which are scores.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from preprocessing.contract.tables import Cell, Column, Table, numeric
from preprocessing.contract.wording import NOT_DEFINED, words
from trainer.evaluation import confusion, intervals
from trainer.evaluation.operating_points import RULES
from trainer.report import controls, rule_thresholds
from trainer.report.figures import plots
from trainer.report.parts import Fold, Heading, Notes, Part
from trainer.report.source import Source

RULE = "youden"
# Fewer errors than these say nothing of what goes with them.
_FEW = 20
_NAMED = 3
_TITLES = {
    "called_if_missed": "Called where another is missed",
    "called_if_false_alarm": "Called where another is called in error",
    "labelled_if_false_alarm": "Labelled where another is called in error",
    "called_if_called": "Called where another is called",
    "labelled_if_labelled": "Labelled where another is labelled",
}
_FIXED = (
    "A share above that of all images says that two findings go together, not why: they may look "
    "alike, share a cause, or come from the same wording in the reports that the labels were read "
    "from. A label that is missing from a report turns a correct call into a false alarm.",
    "In the histograms both shapes are scaled to their own largest bin, so that a rare finding can "
    "be seen at all: compare where they lie, never how high they are. The axis is one of log odds.",
)


def build(source: Source) -> dict[str, Any]:
    """Returns shares between findings at Youden's thresholds, and histograms of scores.

    Args:
        source: calls need a validation split, to choose thresholds on, and a test split; or the
            thresholds of an external test.
    """
    split = source.headline
    rows, names = source.rows(split), source.predictions.findings
    thresholds, chosen_on = rule_thresholds.of(source, RULE)
    lacking = rule_thresholds.lacking(source)
    reason = None if chosen_on else f"Calls and errors are not shown. {lacking}."
    called = confusion.calls(rule_thresholds.scores(source), thresholds)
    found = confusion.matrices(rows.labels, called)
    if reason:
        found = {"labelled_if_labelled": found["labelled_if_labelled"]}
    draws = source.free_draws(split)
    section: dict[str, Any] = {
        "available": True,
        "split": split,
        "reason": reason,
        "rule": RULE,
        "thresholds": dict(zip(names, thresholds, strict=True)),
        "counts": dict(zip(names, confusion.counts(rows.labels, called), strict=True)),
        "labelled": dict(zip(names, _column_means(rows.labels), strict=True)),
        "called": dict(zip(names, _column_means(called), strict=True)),
        "matrices": {key: _plain(matrix) for key, matrix in found.items()},
        "excess": {} if reason else _excess(rows.labels, called, draws),
        "histograms": {
            "edges": confusion.edges(),
            "findings": {
                name: confusion.histogram(rows.labels[:, place], rows.scores[:, place])
                for place, name in enumerate(names)
            },
        },
    }
    return section | {"notes": _notes(section, chosen_on)}


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns what goes with errors, the shares of every pair of findings, and histograms."""
    shown: list[Part] = [Notes([words(note) for note in section["notes"]])]
    if not section["reason"]:
        shown += [Heading("What goes with an error"), _errors(section)]
    shown.append(Heading("Every pair"))
    shown += [Fold(_TITLES[key], [_pairs(section, key)]) for key in section["matrices"]]
    colours = [("positive", "with the finding"), ("negative", "without it")]
    scale = (
        f"; {section['split']} split, from a score of 0.001 at the left over 0.5 in the middle to "
        "0.999 at the right, in log odds"
    )
    title = "Scores of images with and without each finding"
    drawn = [
        (
            name,
            f"{sum(groups['positive']):,} with",
            plots.histogram(
                {kind: groups[kind] for kind in ("negative", "positive")},
                f"Scores of {name}, {section['split']} split: {sum(groups['positive']):,} images "
                f"with the finding, {sum(groups['negative']):,} without",
            ),
        )
        for name, groups in section["histograms"]["findings"].items()
    ]
    return [*shown, controls.key(colours, scale, title), controls.multiples(drawn)]


def _errors(section: Mapping[str, Any]) -> Table:
    rows: list[list[Cell | str]] = []
    for row in _summary(section):
        cells: list[Cell | str] = [words(row["name"]), numeric(row["positives"], ",")]
        for count, others in (("missed", "with_misses"), ("false_alarms", "with_alarms")):
            most = row[others][0][1] if row[others] else -1
            cells += [numeric(row[count], ","), Cell(_named(row[others]), value=most)]
        rows.append(cells)
    return Table(
        f"Errors on test at the thresholds for {RULES[RULE]}, and up to {_NAMED} other findings "
        "that go with them clearly more often than with all images. In brackets: the share among "
        "all images.",
        [
            *("Finding", "Positives", "Missed", Column("Called where it is missed", "text")),
            *("False alarms", Column("Labelled where it is called in error", "text")),
        ],
        rows,
        sortable=True,
    )


def _pairs(section: Mapping[str, Any], key: str) -> Table:
    names = [words(name) for name in section["counts"]]
    nothing = Cell(Markup("&ndash;"), unseen=NOT_DEFINED)
    # Of a finding with itself: a dash in Markdown too.
    itself = Cell("\N{EN DASH}", unseen=NOT_DEFINED)
    return Table(
        f"{_TITLES[key]}: rows say in which images, columns which finding is counted; "
        f"{section['split']} split.",
        ["Finding", *names],
        [
            [
                name,
                *(
                    (itself if names[at] == name else nothing)
                    if share is None
                    else numeric(share, ".0%", css=plots.shade(share, 1.0))
                    for at, share in enumerate(row)
                ),
            ]
            for name, row in zip(names, section["matrices"][key], strict=True)
        ],
        css="numbers matrix",
    )


def _excess(labels: Any, called: Any, draws: intervals.Resamples) -> dict[str, Any]:
    """How much more often than in all images B goes with an error on A, as matrices."""
    wrong = confusion.errors(labels, called)
    found = {
        "called_if_missed": confusion.excess(wrong["missed"], called, draws),
        "labelled_if_false_alarm": confusion.excess(wrong["false_alarms"], labels, draws),
    }
    return {
        name: {
            key: [[getattr(one, key) for one in row] for row in rows]
            for key in ("value", "low", "high")
        }
        for name, rows in found.items()
    }


def _column_means(values: Any) -> list[float | None]:
    means = (column[~np.isnan(column)] for column in values.T)
    return [float(known.mean(dtype=np.float64)) if len(known) else None for known in means]


def _plain(matrix: Any) -> list[list[float | None]]:
    return [[None if np.isnan(share) else share for share in row] for row in matrix.tolist()]


def _notes(section: Mapping[str, Any], chosen_on: str) -> list[str]:
    if section["reason"]:
        return [section["reason"], *_FIXED]
    undefined = [name for name, threshold in section["thresholds"].items() if threshold is None]
    notes = [
        f"Images are called at the thresholds of {RULES[RULE]}, chosen on {chosen_on}. Missing "
        "one in a hundred images with the finding weighs as much there as calling one in a hundred "
        "without it, so that a rare finding has far more false alarms than hits.",
        "Named beside an error are findings that go with it more often than with all images, by "
        "more than resampling explains; one pair in forty would by chance.",
    ]
    if undefined:
        notes.append(f"Without a threshold, and so without calls: {', '.join(undefined)}.")
    return [*notes, *_FIXED]


def _summary(section: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a finding: its errors, and what goes with them more often than with all images."""
    return [
        {
            "name": name,
            **entry,
            "with_misses": _most(section, place, "called_if_missed", entry["missed"]),
            "with_alarms": _most(section, place, "labelled_if_false_alarm", entry["false_alarms"]),
        }
        for place, (name, entry) in enumerate(section["counts"].items())
    ]


def _most(
    section: Mapping[str, Any], place: int, key: str, errors: int | None
) -> list[tuple[str, float, float]] | None:
    """The findings farthest above their usual share; None where errors are too few to tell."""
    if errors is None or errors < _FEW:
        return None
    usual = section["called" if key.startswith("called") else "labelled"]
    found, shares = section["excess"][key], section["matrices"][key][place]
    columns = zip(usual, shares, found["value"][place], found["low"][place], strict=True)
    above = [(more, name, part) for name, part, more, low in columns if low is not None and low > 0]
    return [(name, part, usual[name]) for _, name, part in sorted(above, reverse=True)[:_NAMED]]


def _named(found: Sequence[tuple[str, float, float]] | None) -> str:
    if found is None:
        return f"fewer than {_FEW} errors"
    lines = (f"{words(name)} {share:.0%} ({usual:.0%} of all)" for name, share, usual in found)
    return "\n".join(lines) or "none clearly more often"
