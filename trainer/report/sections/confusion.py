# SPDX-License-Identifier: MIT
"""The section on confusion: which other findings go with an error, and how scores spread.

In report.json rows and columns of `matrices` are findings in the order of `counts`: in the images
of the row's finding, the share of the column's. `excess` is such a share less that of all images
(`called`, `labelled`), with ends. `histograms` counts images between `edges`, which are scores.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainer.evaluation import confusion, intervals
from trainer.evaluation.operating_points import RULES, choose
from trainer.predictions.table import Predictions
from trainer.report.figures import plots
from trainer.report.markdown import NOT_DEFINED, escape, pipe_lines
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
_NOT_BOTH = (
    "Calls and errors are not shown: thresholds are chosen on a validation split and applied to a "
    "test split, and the predictions do not hold both."
)
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
        source: calls need a validation split, to choose thresholds on, and a test split.
    """
    split = source.headline
    rows, names = source.rows(split), source.predictions.findings
    reason = None
    thresholds: list[float | None] = [None] * len(names)
    if "validation" not in source.splits or split != "test":
        reason = _NOT_BOTH
    else:
        thresholds = _thresholds(source.rows("validation"))
    called = confusion.calls(rows.scores, thresholds)
    found = confusion.matrices(rows.labels, called)
    if reason:
        found = {"labelled_if_labelled": found["labelled_if_labelled"]}
    draws = source.draws(split)
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
    return section | {"notes": _notes(section)}


def markdown(section: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Returns the section as Markdown."""
    parts = ["## Confusion between findings", *_bullets(section["notes"])]
    if not section["reason"]:
        header = ["finding", "missed", "called there", "false alarms", "labelled there"]
        rows = []
        for row in _summary(section):
            missed, alarms = (_words(row[key]) for key in ("with_misses", "with_alarms"))
            counts = [
                NOT_DEFINED if row[key] is None else f"{row[key]:,}"
                for key in ("missed", "false_alarms")
            ]
            rows.append([row["name"], counts[0], missed, counts[1], alarms])
        parts.append(pipe_lines(header, rows, numbers=False))
    for key, matrix in section["matrices"].items():
        parts += [f"### {_TITLES[key]}", _matrix_table(section, matrix)]
    return "\n\n".join(parts)


def page(section: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns rows, tinted tables and histograms."""
    names = list(section["counts"])
    tables = [
        {
            "key": key,
            "title": _TITLES[key],
            "rows": [
                (name, [(share, plots.shade(share, 1.0)) for share in row])
                for name, row in zip(names, matrix, strict=True)
            ],
        }
        for key, matrix in section["matrices"].items()
    ]
    drawn = [
        {
            "name": name,
            "positives": sum(groups["positive"]),
            "drawing": plots.histogram(
                {kind: groups[kind] for kind in ("negative", "positive")},
                f"Scores of {name}, {section['split']} split: {sum(groups['positive']):,} images "
                f"with the finding, {sum(groups['negative']):,} without",
            ),
        }
        for name, groups in section["histograms"]["findings"].items()
    ]
    return {
        "names": names,
        "rows": [] if section["reason"] else _summary(section),
        "tables": tables,
        "histograms": drawn,
        "rule": RULES[RULE],
    }


def _thresholds(validation: Predictions) -> list[float | None]:
    columns = zip(validation.labels.T, validation.scores.T, strict=True)
    return [choose(labels, scores, RULE) for labels, scores in columns]


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


def _notes(section: Mapping[str, Any]) -> list[str]:
    if section["reason"]:
        return [section["reason"], *_FIXED]
    undefined = [name for name, threshold in section["thresholds"].items() if threshold is None]
    notes = [
        f"Images are called at the thresholds of {RULES[RULE]}, chosen on validation. Missing one "
        "in a hundred images with the finding weighs as much there as calling one in a hundred "
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


def _words(found: Sequence[tuple[str, float, float]] | None) -> str:
    if found is None:
        return f"fewer than {_FEW} errors"
    if not found:
        return "none clearly more often"
    return "; ".join(f"{name} {share:.0%} ({usual:.0%} of all)" for name, share, usual in found)


def _bullets(lines: Sequence[str]) -> list[str]:
    return ["\n".join(f"- {escape(line)}" for line in lines)]


def _matrix_table(section: Mapping[str, Any], matrix: Sequence[Sequence[float | None]]) -> str:
    names = list(section["counts"])
    rows = [
        [name, *("" if share is None else f"{share:.1%}" for share in row)]
        for name, row in zip(names, matrix, strict=True)
    ]
    return pipe_lines(["where (rows), share of (columns)", *names], rows)
