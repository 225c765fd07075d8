# SPDX-License-Identifier: MIT
"""The sections that a report may hold beside its findings, in the order in which they are read."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from trainer.report import parts
from trainer.report.sections import (
    baselines,
    calibration,
    card,
    comparison,
    confusion,
    decision,
    discrimination,
    external,
    follow_ups,
    gallery,
    label_noise,
    localisation,
    operating_points,
    published,
    radiologists,
    subgroups,
)
from trainer.report.source import Source

# What readers ask of a report, in this order.
QUESTIONS: Mapping[str, str] = {
    "good": "Is it good?",
    "whom": "For whom?",
    "trust": "Can I trust the numbers?",
    "change": "What would it change?",
}


class Room(Protocol):
    """A module of `trainer.report.sections`, as the report uses it."""

    def build(self, source: Source, /) -> dict[str, Any]:
        """Returns the section as data: `available`, and then its figures or the `reason`."""

    def parts(self, section: dict[str, Any], report: dict[str, Any], /) -> Sequence[parts.Part]:
        """Returns what the page and report.md show of the section, below its heading."""


class Section(NamedTuple):
    """A section.

    Attributes:
        title: in the table of contents, in few words.
        module: that makes its text.
        question: of `QUESTIONS`, which it helps to answer.
        heading: of the section, where it says more.
    """

    title: str
    module: Room
    question: str
    heading: str = ""


# A report holds section X as report["X"].
SECTIONS: Mapping[str, Section] = {
    "discrimination": Section("Discrimination", discrimination, "good", "Discrimination in detail"),
    "comparison": Section(
        "Comparison of models", comparison, "good", "Comparison with another model"
    ),
    "operating_points": Section("Operating points", operating_points, "change"),
    "decision": Section("Decision curves", decision, "change"),
    "calibration": Section("Calibration", calibration, "trust"),
    "external": Section("External test", external, "whom"),
    "subgroups": Section("Subgroups", subgroups, "whom"),
    "follow_ups": Section("Order of films", follow_ups, "whom", "New and repeated findings"),
    "baselines": Section("Context", baselines, "trust", "What needs no image"),
    "published": Section("Published results", published, "good", "Beside published results"),
    "radiologists": Section("Radiologists' labels", radiologists, "trust"),
    "label_noise": Section("If labels are wrong", label_noise, "trust"),
    "localisation": Section("Localisation", localisation, "trust"),
    "gallery": Section("Cases", gallery, "trust", "Gallery"),
    "confusion": Section("Confusion", confusion, "good", "Confusion between findings"),
    "card": Section("Model card", card, "whom", "Model card and data sheet"),
}


def present(report: Mapping[str, Any]) -> list[str]:
    """The sections that a report holds, in order."""
    return [name for name in SECTIONS if report.get(name, {}).get("available")]


def missing(report: Mapping[str, Any]) -> list[str]:
    """The sections that could not be made; each holds its `reason`."""
    return [name for name in SECTIONS if not report.get(name, {"available": True})["available"]]
