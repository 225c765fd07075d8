# SPDX-License-Identifier: MIT
"""The report as Markdown, and as the table that a terminal shows at the end of a run."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

NOT_DEFINED = "not defined"


def auc_text(area: Mapping[str, Any] | None, *, with_interval: bool) -> str:
    """An AUC to three decimals, with its interval where there is one.

    >>> auc_text({"value": 0.8123, "low": 0.8, "high": 0.824}, with_interval=True)
    '0.812 [0.800, 0.824]'
    >>> auc_text({"value": None, "low": None, "high": None}, with_interval=True)
    'not defined'
    >>> auc_text(None, with_interval=True)
    '-'
    """
    if area is None:
        return "-"
    if area["value"] is None:
        return NOT_DEFINED
    if not with_interval or area["low"] is None:
        return f"{area['value']:.3f}"
    return f"{area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}]"


def table(report: Mapping[str, Any]) -> str:
    """Returns the AUC of every finding as aligned text, the mean on the last line.

    Args:
        report: what `trainer.report.report.build` returned.
    """
    rows = [_header(report), *_rows(report)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        name = row[0].ljust(widths[0])
        numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([name, *numbers]).rstrip())
    rule = "-" * max(len(line) for line in lines)
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def render(report: Mapping[str, Any]) -> str:
    """Returns report.md.

    Args:
        report: what `trainer.report.report.build` returned.
    """
    parts = ["# AUC report", *_summary(report), "## AUC by finding", _pipes(report)]
    parts += ["## Images", _split_table(report), "## How to read this"]
    parts.append("\n".join(f"- {escape(note['text'])}" for note in report["notes"]))
    if report["unknown"]:
        parts.append("Not known to this report:")
        parts.append("\n".join(f"- {escape(fact)}" for fact in report["unknown"]))
    parts += ["## Provenance", _provenance(report)]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    r"""Makes text stand in Markdown as it is: no markup, no HTML, no new cell or line.

    >>> print(escape("a|b_c <i>"))
    a\|b\_c &lt;i&gt;
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_|\[\]])", r"\\\1", " ".join(text.split()))


def flatten(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Turns nested facts into rows of a dotted name and a text, in their order.

    >>> flatten({"model": {"name": "resnet50", "size": None}, "gpus": [1, 2]})
    [('model.name', 'resnet50'), ('model.size', 'unknown'), ('gpus', '1, 2')]
    """
    rows: list[tuple[str, str]] = []
    for key, value in facts.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += flatten(value, f"{name}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
            rows += flatten(
                {str(position): item for position, item in enumerate(value)}, f"{name}."
            )
        elif isinstance(value, list):
            rows.append((name, ", ".join(str(item) for item in value) or "none"))
        else:
            rows.append((name, "unknown" if value is None else str(value)))
    return rows


def _summary(report: Mapping[str, Any]) -> list[str]:
    lines = []
    for split, entry in reversed(report["splits"].items()):
        mean = auc_text(entry["mean_auc"], with_interval=True)
        defined = len(report["findings"]) - len(entry["undefined_findings"])
        lines.append(
            f"- **{split.capitalize()}**: mean AUC {escape(mean)} over {defined} of "
            f"{len(report['findings'])} findings; {entry['n']:,} images of "
            f"{entry['patients']:,} patients"
        )
    return ["\n".join(lines)]


def headline_split(report: Mapping[str, Any]) -> str:
    """The split that the report is about: test, or else validation, or else train."""
    return next(name for name in ("test", "validation", "train") if name in report["splits"])


def _header(report: Mapping[str, Any]) -> list[str]:
    headline = headline_split(report)
    other = ["validation AUC"] if headline == "test" else []
    return ["finding", "n", "positives", *other, f"{headline} AUC [95% interval]"]


def _rows(report: Mapping[str, Any]) -> list[list[str]]:
    """One row a finding and one of the means; the counts are those of the headline split."""
    headline = headline_split(report)
    counted, validation = report["splits"][headline], report["splits"].get("validation")
    rows = []
    for name in report["findings"]:
        entry = counted["findings"][name]
        mark = " *" if entry["few_positives"] else ""
        areas = [validation and validation["findings"][name]["auc"], entry["auc"]]
        rows.append([f"{name}{mark}", f"{entry['n']}", f"{entry['positives']}", *_areas(areas)])
    means = [validation and validation["mean_auc"], counted["mean_auc"]]
    rows.append(["mean", f"{counted['n']}", "", *_areas(means)])
    return rows if headline == "test" else [row[:3] + row[4:] for row in rows]


def _areas(areas: Sequence[Mapping[str, Any] | None]) -> list[str]:
    return [auc_text(areas[0], with_interval=False), auc_text(areas[1], with_interval=True)]


def _pipes(report: Mapping[str, Any]) -> str:
    lines = _pipe_lines(_header(report), _rows(report))
    return (
        f"{lines}\n\n\\* fewer than {report['few_positives_below']} positives. "
        f"n and positives are of the {headline_split(report)} split."
    )


def _split_table(report: Mapping[str, Any]) -> str:
    splits = report["splits"]
    header = ["finding", *(f"{name}: positives of n (prevalence)" for name in splits)]
    rows = []
    for finding in report["findings"]:
        cells = []
        for entry in splits.values():
            counts = entry["findings"][finding]
            share = "-" if counts["prevalence"] is None else f"{counts['prevalence']:.1%}"
            cells.append(f"{counts['positives']:,} of {counts['n']:,} ({share})")
        rows.append([finding, *cells])
    return _pipe_lines(header, rows)


def _provenance(report: Mapping[str, Any]) -> str:
    facts = {
        "predictions": report["predictions"],
        "report": {"schema_version": report["schema_version"], **report["request"]},
        **report["context"],
    }
    return _pipe_lines(["fact", "value"], flatten(facts), numbers=False)


def _pipe_lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True
) -> str:
    rule = ["---", *("---:" if numbers else "---" for _ in header[1:])]
    lines = [[escape(cell) for cell in header], rule]
    lines += [[escape(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
