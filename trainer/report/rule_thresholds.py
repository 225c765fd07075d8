# SPDX-License-Identifier: MIT
"""The thresholds that sections call images at: chosen on validation, or a finished model's own."""

from trainer.evaluation.auc import Floats
from trainer.evaluation.operating_points import choose
from trainer.report.source import EXTERNAL, Source

VALIDATION, OWN = "validation", "the model's own validation"


def of(source: Source, rule: str) -> tuple[list[float | None], str]:
    """Returns a threshold on `scores` for each finding, and what they were chosen on; "" for none.

    Args:
        source: its headline split is what the thresholds are for.
        rule: one of `operating_points.RULES`.
    """
    findings = source.predictions.findings
    if given := source.context.get(EXTERNAL, {}).get("thresholds"):
        return [given.get(name, {}).get(rule) for name in findings], OWN
    if source.headline != "test" or VALIDATION not in source.splits:
        return [None] * len(findings), ""
    rows = source.rows(VALIDATION)
    columns = zip(rows.labels.T, rows.scores.T, strict=True)
    return [choose(labels, found, rule) for labels, found in columns], VALIDATION


def lacking(source: Source) -> str:
    """Returns why there are no thresholds, where `of` says that nothing chose them."""
    split = "test" if source.headline != "test" else VALIDATION
    return (
        f"The predictions hold no {split} split, and a threshold must be chosen on other images "
        "than those it is judged by"
    )


def scores(source: Source) -> Floats:
    """Returns the scores of the headline split, [n, L]; a finished model's before calibration."""
    rows = source.rows(source.headline)
    return rows.raw if EXTERNAL in source.context and rows.raw is not None else rows.scores
