# SPDX-License-Identifier: MIT
"""The section that sets the model beside published results, where the test images are the same."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainer.evaluation.auc import aurocs
from trainer.predictions.table import Predictions
from trainer.report import official_split
from trainer.report.markdown import auc_text, escape, pipe_lines, signed
from trainer.report.sections.published_tables import FINDINGS, LEVELS, RESULTS, TEST_POSITIVES
from trainer.report.source import Source

# Results with AUCs of findings that stand beside the model's, finding by finding.
_BY_FINDING = [result for result in RESULTS if result.findings]


def build(source: Source) -> dict[str, Any]:
    """Returns published results, or why none may stand beside the model's.

    Args:
        source: the ids of its test images decide.
    """
    identity = official_split.identity(source.predictions, source.context.get("manifest"))
    if not identity["comparable"]:
        return {"available": False, "reason": identity["statement"]}
    test = source.rows("test")
    shared = [name for name in FINDINGS if name in test.findings]
    if not shared:
        reason = "None of the findings of the predictions is one that published results cover."
        return {"available": False, "reason": reason}
    mean = _mean(test)
    section = {
        "available": True,
        "findings": shared,
        "mean_auc": mean,
        "results": [result.as_json() for result in RESULTS],
        "levels": [
            {
                "mean_auc": level.mean_auc,
                "meaning": level.meaning,
                "reached": None if mean is None else mean >= level.mean_auc,
            }
            for level in LEVELS
        ],
        "other_labels": _other_labels(test),
    }
    return {**section, "notes": _notes(section, identity)}


def _mean(test: Predictions) -> float | None:
    """The mean over exactly the 14 findings of published means; None unless each has an AUC."""
    if not set(FINDINGS) <= set(test.findings):
        return None
    columns = [test.findings.index(name) for name in FINDINGS]
    aucs = aurocs(test.labels[:, columns], test.scores[:, columns])
    return None if np.isnan(aucs).any() else float(aucs.mean())


def _other_labels(test: Predictions) -> dict[str, dict[str, int]]:
    """Findings whose positives are not as many as in the label file of 2020, or not all known."""
    found = {}
    for name in FINDINGS:
        if name in test.findings:
            labels = test.labels[:, test.findings.index(name)]
            positives, unknown = int((labels == 1).sum()), int(np.isnan(labels).sum())
            if positives != TEST_POSITIVES[name] or unknown:
                found[name] = {
                    "positives": positives,
                    "published": TEST_POSITIVES[name],
                    "unknown": unknown,
                }
    return found


def _notes(section: Mapping[str, Any], identity: Mapping[str, Any]) -> list[str]:
    notes = [identity["statement"]]
    if section["other_labels"]:
        named = ", ".join(
            f"{name.replace('_', ' ')} {counts['positives']:,} instead of {counts['published']:,}"
            + (f" and {counts['unknown']:,} unknown" if counts["unknown"] else "")
            for name, counts in section["other_labels"].items()
        )
        notes.append(
            "The images are those of the list, but the labels are not those of the label file of "
            f"2020 (positives: {named}). For these findings the comparison does not hold."
        )
    if section["mean_auc"] is None:
        missing = [name.replace("_", " ") for name in FINDINGS if name not in section["findings"]]
        lack = f"{', '.join(missing)} missing" if missing else "a finding has no AUC"
        notes.append(
            f"Published means are over 14 findings; here {lack}, so no means are compared."
        )
    return [
        *notes,
        "A published figure is one training run, or the mean of a few, on the same 25,596 images. "
        "Two runs of one recipe that differ only in their seed lie 0.001 to 0.005 apart, so a "
        "smaller difference says nothing.",
        "Validation AUCs of the same models lie 0.015 to 0.034 higher, for example 0.841 before "
        "0.811 or 0.865 before 0.836: the official test patients are sicker, are more often taken "
        "in bed and have nine images each, not three. Compare test with test only.",
        "CheXNet's 0.841 and most other figures above 0.84 are of random splits of the same data "
        "set, on which the same model scores 0.016 to 0.034 more. They are left out here.",
    ]


def markdown(section: dict[str, Any], report: dict[str, Any]) -> str:
    """Returns the section as Markdown."""
    parts = ["## Beside published results"]
    parts.append("\n".join(f"- {escape(note)}" for note in section["notes"]))
    shown = page(section, report)
    header = ["model", "year", "pixels", "mean AUC", "ours minus theirs", "chosen on", "source"]
    rows = [
        [row["name"], row["year"], row["pixels"], _with_ends(row), row["minus"], row["chosen_on"]]
        + [f"{row['source']}{'; ' if row['remark'] else ''}{row['remark']}"]
        for row in shown["results"]
    ]
    parts.append(pipe_lines(header, rows, numbers=False))
    head = ["finding", "this model", *(f"{column.name}" for column in _BY_FINDING)]
    lines = [
        [name, auc_text(area, with_interval=True), *others]
        for name, area, others in _rows(section, report)
    ]
    parts.append(pipe_lines(head, lines))
    levels = [
        [f"{level['mean_auc']:.3f}", level["meaning"], _yes(level["reached"])]
        for level in section["levels"]
    ]
    parts.append(pipe_lines(["mean AUC of at least", "is", "reached"], levels, numbers=False))
    return "\n\n".join(parts)


def page(section: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """Returns the rows of the three tables as texts."""
    return {
        "ours": _our_mean(section, report),
        "results": [_result(row, section["mean_auc"]) for row in section["results"]],
        "columns": [{"name": result.name, "year": result.year} for result in _BY_FINDING],
        "rows": _rows(section, report),
        "levels": [{**level, "reached": _yes(level["reached"])} for level in section["levels"]],
    }


def _result(row: Mapping[str, Any], mean: float | None) -> dict[str, Any]:
    published = f"{row['mean_auc']:.4f}"
    if row["spread"] is None and row["low"] is None:
        # Three decimals where no more were published.
        published = published.removesuffix("0")
    if row["spread"] is not None:
        published += f" \N{PLUS-MINUS SIGN} {row['spread']:.4f}"
    minus = None if mean is None else mean - row["mean_auc"]
    return {
        **row,
        "year": str(row["year"]),
        "pixels": "none" if row["pixels"] is None else str(row["pixels"]),
        "mean": published,
        "difference": minus,
        "minus": "-" if minus is None else signed(minus),
        "chosen_on": row["chosen_on"] or "not stated",
    }


def _with_ends(row: Mapping[str, Any]) -> str:
    ends = "" if row["low"] is None else f" [{row['low']:.4f}, {row['high']:.4f}]"
    return f"{row['mean']}{ends}"


def _rows(
    section: Mapping[str, Any], report: Mapping[str, Any]
) -> list[tuple[str, Mapping[str, Any], list[str]]]:
    """For each finding the model's AUC and the published ones as texts."""
    ours = report["splits"]["test"]["findings"]
    return [
        (
            name,
            ours[name]["auc"],
            [f"{result.findings[FINDINGS.index(name)]:.3f}" for result in _BY_FINDING],
        )
        for name in section["findings"]
    ]


def _our_mean(section: Mapping[str, Any], report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The report's mean with its interval where it is over the same findings."""
    if section["mean_auc"] is None:
        return None
    if set(report["findings"]) == set(FINDINGS):
        mean: Mapping[str, Any] = report["splits"]["test"]["mean_auc"]
        return mean
    return {"value": section["mean_auc"], "low": None, "high": None}


def _yes(reached: bool | None) -> str:
    return "-" if reached is None else "yes" if reached else "no"
