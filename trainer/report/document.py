# SPDX-License-Identifier: MIT
"""The report as one Markdown file, report.md."""

from collections.abc import Iterable, Mapping
from typing import Any

from trainer.report.contents import SECTIONS, as_markdown, missing, present
from trainer.report.markdown import (
    auc_text,
    escape,
    finding_rows,
    flatten,
    headline_split,
    pipe_lines,
    sentence,
)


def render(report: dict[str, Any], figures: Iterable[str] = ()) -> str:
    """Returns report.md.

    Args:
        report: what `trainer.report.report.build` returned.
        figures: paths of pictures, relative to the folder of report.md, which shows them.
    """
    parts = ["# AUC report", _summary(report), "## AUC by finding", _finding_table(report)]
    parts += ["## Images", _split_table(report)]
    parts += [as_markdown(name, report) for name in present(report)]
    if pictures := [f"![{_title(path)}]({path})" for path in figures]:
        parts += ["## Figures", "\n\n".join(pictures)]
    parts += ["## How to read this", _bullets(note["text"] for note in report["notes"])]
    absent = missing(report)
    if absent:
        lines = [sentence(f"{SECTIONS[name].title}: {report[name]['reason']}") for name in absent]
        parts += ["## Not in this report", _bullets(lines)]
    if report["unknown"]:
        parts += ["Not known to this report:", _bullets(report["unknown"])]
    parts += ["## Provenance", _provenance(report)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _title(path: str) -> str:
    """What a figure is called: `plots/precision_recall_test.svg` is "precision recall, test"."""
    name = path.rpartition("/")[2].rpartition(".")[0]
    kind, _, split = name.rpartition("_")
    return f"{kind.replace('_', ' ')}, {split}" if kind else name


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _summary(report: Mapping[str, Any]) -> str:
    lines = []
    for split, entry in reversed(report["splits"].items()):
        mean = auc_text(entry["mean_auc"], with_interval=True)
        defined = len(report["findings"]) - len(entry["undefined_findings"])
        lines.append(
            f"- **{split.capitalize()}**: mean AUC {escape(mean)} over {defined} of "
            f"{len(report['findings'])} findings; {entry['n']:,} images of "
            f"{entry['patients']:,} patients"
        )
    return "\n".join(lines)


def _finding_table(report: Mapping[str, Any]) -> str:
    header, *rows = finding_rows(report)
    return (
        f"{pipe_lines(header, rows)}\n\n\\* fewer than {report['few_positives_below']} positives. "
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
    return pipe_lines(header, rows)


def _provenance(report: Mapping[str, Any]) -> str:
    facts = {
        "predictions": report["predictions"],
        "report": {"schema_version": report["schema_version"], **report["request"]},
        **report["context"],
    }
    return pipe_lines(["fact", "value"], flatten(facts), numbers=False)
