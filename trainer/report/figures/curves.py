# SPDX-License-Identifier: MIT
"""ROC and precision-recall charts of a split, all findings in one."""

from collections.abc import Mapping
from typing import Any

from preprocessing.contract.wording import estimate
from trainer.report.figures.charts import Axis, Chart, Line


def roc(report: Mapping[str, Any], split: str) -> Chart:
    """The ROC curves of a split; a finding without an AUC has none.

    Args:
        report: what `trainer.report.report.build` returned.
        split: one of the report's.
    """
    lines = [
        Line(
            name=name,
            x=entry["roc"]["false_positive_rates"],
            y=entry["roc"]["true_positive_rates"],
            words=[("AUC", estimate(entry["auc"]))],
            more={"Score at least": _thresholds(entry["roc"]["thresholds"])},
        )
        for name, entry in report["splits"][split]["findings"].items()
        if entry["roc"] is not None
    ]
    return Chart(
        label=f"ROC curves of {len(lines)} findings, {split} split; the AUCs are in the table",
        x=Axis("1 \N{MINUS SIGN} specificity"),
        y=Axis("sensitivity"),
        lines=lines,
        references=[(0, 0, 1, 1)],
        split=split,
    )


def precision_recall(report: Mapping[str, Any], split: str) -> Chart | None:
    """The precision-recall curves of a split; None where no finding has one.

    Args:
        report: what `trainer.report.report.build` returned.
        split: one of the report's.
    """
    lines = []
    for name, entry in report["splits"][split]["findings"].items():
        if entry["precision_recall"] is not None:
            area = estimate(entry["average_precision"])
            lines.append(
                Line(
                    name=name,
                    x=entry["precision_recall"]["recalls"],
                    y=entry["precision_recall"]["precisions"],
                    words=[
                        ("Average precision", area),
                        ("Prevalence", f"{entry['prevalence']:.1%}"),
                    ],
                    more={"Score at least": entry["precision_recall"]["thresholds"]},
                )
            )
    if not lines:
        return None
    return Chart(
        label=(
            f"Precision-recall curves of {len(lines)} findings, {split} split; the average "
            "precisions are in a table below"
        ),
        x=Axis("recall"),
        y=Axis("precision"),
        lines=lines,
        split=split,
    )


def _thresholds(values: list[float | None]) -> list[float | str]:
    return ["infinity" if value is None else value for value in values]
