# SPDX-License-Identifier: MIT
"""What a report on the mean of several runs says of the runs alone, which its context holds."""

from collections.abc import Mapping
from typing import Any

from preprocessing.contract.tables import Cell, Table, numeric
from preprocessing.contract.wording import words
from trainer.report.parts import Part, Words

KEY = "series"


def parts(report: Mapping[str, Any]) -> list[Part]:
    """Returns how far the runs lie apart; nothing where the report is on one run."""
    found = report["context"].get(KEY)
    if not found:
        return []
    count, by = len(found["runs"]), found["by"]
    test = report["splits"]["test"]
    folds = (
        "Each network validates on one fold and is trained on the others: the validation scores "
        "here are those of the network that did not train on the patient. Thresholds and "
        "calibration are chosen on these scores of one network, and applied to the mean of all."
    )
    return [
        *([Words(folds, "plain")] if by == "fold" else []),
        Words(
            f"The test scores of this report are the mean of {count} networks that differ only in "
            f"the {by}. Below is how well each does alone, over the {count} of them. The "
            "intervals elsewhere cover the luck of the tested patients; this shows that of the "
            f"{by}.",
            "plain",
        ),
        Table(
            "Test AUC of the runs alone: mean, standard deviation and range; and of the mean of "
            "their scores.",
            ["Finding", "Mean", "SD", "Lowest", "Highest", "Mean of scores"],
            [
                _row(words(name), each, test["findings"][name]["auc"]["value"])
                for name, each in found["findings"].items()
            ],
            [_row("Mean", found["mean"], test["mean_auc"]["value"])],
        ),
        Table(
            "Mean test AUC of each run.",
            ["Run", "Mean AUC"],
            [[name, numeric(value, ".4f")] for name, value in found["runs"].items()],
        ),
    ]


def _row(name: str, over: Mapping[str, Any], together: float | None) -> list[Cell | str]:
    figures = [numeric(over[key]) for key in ("mean", "sd", "low", "high")]
    return [name, *figures, numeric(together)]
