# SPDX-License-Identifier: MIT
"""The section that sets the model beside published results, where the test images are the same."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import NOT_DEFINED, ends, estimate, words
from trainer.evaluation.auc import aurocs
from trainer.predictions.table import Predictions
from trainer.report import official_split
from trainer.report.parts import Fold, Heading, Notes, Part, flagged, unavailable
from trainer.report.sections.published_tables import FINDINGS, LEVELS, RESULTS, TEST_POSITIVES
from trainer.report.source import Source

# Results whose AUCs are known for each finding.
_BY_FINDING = [result for result in RESULTS if result.findings]


def build(source: Source) -> dict[str, Any]:
    """Returns published results, or why none can be compared with the model's.

    Args:
        source: the ids of its test images decide.
    """
    identity = official_split.of(source)
    if not identity["comparable"]:
        return unavailable(identity["statement"])
    test = source.rows("test")
    shared = [name for name in FINDINGS if name in test.findings]
    if not shared:
        reason = "None of the findings of the predictions is one that published results cover."
        return unavailable(reason)
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
            f"{words(name)} {counts['positives']:,} instead of {counts['published']:,}"
            + (f" and {counts['unknown']:,} unknown" if counts["unknown"] else "")
            for name, counts in section["other_labels"].items()
        )
        notes.append(
            "The images are those of the list, but the labels are not those of the label file of "
            f"2020 (positives: {named}). For these findings the comparison does not hold."
        )
    if section["mean_auc"] is None:
        missing = [words(name) for name in FINDINGS if name not in section["findings"]]
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


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns published means, their sources, the findings side by side, and what a mean means."""
    results = section["results"]
    sources = [f"{each['name']}: {'; '.join(_source(each))}." for each in results]
    return [
        Notes(section["notes"]),
        Heading("Means over the 14 findings"),
        _means(section, _our_mean(section, report)),
        Fold("Sources", [Notes(sources)]),
        Heading("Published AUCs, finding by finding"),
        _findings(section, report["splits"]["test"]["findings"]),
        Heading("What a mean AUC is worth here"),
        Table(
            "Levels of the mean AUC on the official test list, from what is published.",
            ["It takes", "Mean AUC of at least", "Reached"],
            [
                [level["meaning"], numeric(level["mean_auc"]), _yes(level["reached"])]
                for level in section["levels"]
            ],
        ),
    ]


def _source(result: Mapping[str, Any]) -> list[str]:
    return [text for text in (result["source"], result["remark"]) if text]


def _means(section: Mapping[str, Any], ours: Mapping[str, Any] | None) -> Table:
    distance = f", and how far this model's {estimate(ours)} lies from them" if ours else ""
    mean = section["mean_auc"]
    return Table(
        f"Published mean AUCs on the official test list{distance}. An interval or a spread is "
        "given where it is published.",
        [
            *("Model", Column("Mean AUC", css="strong"), "Ours minus theirs", "Chosen on"),
            *("Pixels", "Year"),
        ],
        [
            [
                flagged(each["name"], "chosen on test", each["chosen_on"] == "test"),
                _mean_cell(each),
                numeric(None if mean is None else mean - each["mean_auc"], "+.3f"),
                each["chosen_on"] or "not stated",
                Cell("none") if each["pixels"] is None else numeric(each["pixels"], "d"),
                numeric(each["year"], "d"),
            ]
            for each in section["results"]
        ],
        sortable=True,
    )


def _mean_cell(result: Mapping[str, Any]) -> Cell:
    value, spread = result["mean_auc"], result["spread"]
    text = f"{value:.4f}"
    if spread is None and result["low"] is None:
        # Three decimals where no more were published.
        text = text.removesuffix("0")
    if spread is not None:
        text += f" \N{PLUS-MINUS SIGN} {spread:.4f}"
    return Cell(text, below="" if result["low"] is None else ends(result, ".4f"), value=value)


def _findings(section: Mapping[str, Any], ours: Mapping[str, Any]) -> Table:
    heads = [f"{result.name}, {result.year}" for result in _BY_FINDING]
    return Table(
        "AUC of this model on the official test list with its 95% interval, and published ones "
        "where every finding is known here.",
        ["Finding", Column("This model", css="strong"), *heads],
        [
            [
                flagged(name, "other labels", name in section["other_labels"]),
                interval(ours[name]["auc"]),
                *(numeric(result.findings[FINDINGS.index(name)]) for result in _BY_FINDING),
            ]
            for name in section["findings"]
        ],
        sortable=True,
    )


def _our_mean(section: Mapping[str, Any], report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The report's mean with its interval where it is over the same findings."""
    if section["mean_auc"] is None:
        return None
    if set(report["findings"]) == set(FINDINGS):
        mean: Mapping[str, Any] = report["splits"]["test"]["mean_auc"]
        return mean
    return {"value": section["mean_auc"], "low": None, "high": None}


def _yes(reached: bool | None) -> str:
    return NOT_DEFINED if reached is None else "yes" if reached else "no"
