# SPDX-License-Identifier: MIT
"""Published AUCs on the official test list of ChestX-ray14, with their sources.

Results on other test images of the same data set, CheXNet's 0.841 among them, are left out: they
cannot be compared with any of these.
"""

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)

# Positives of each finding on the official test list, counted in Data_Entry_2017_v2020.csv. The
# labels of the first release of 2017 lack some of them.
TEST_POSITIVES: Mapping[str, int] = dict(
    zip(
        FINDINGS,
        (3279, 1069, 4658, 6112, 1748, 1623, 555, 2665, 1815, 925, 1093, 435, 1143, 86),
        strict=True,
    )
)


_TEXTS = ("name", "chosen_on", "source", "remark")
_FIGURES = ("spread", "low", "high")


@dataclasses.dataclass(frozen=True)
class Result:
    """A published result.

    Attributes:
        name: of the model.
        year: of publication.
        pixels: side of the input in pixels; None where it is not stated or there is no image.
        mean_auc: over the 14 findings.
        spread: standard deviation over several training runs, if published.
        low: lower end of the published 95% interval, if any.
        high: upper end.
        findings: AUCs in the order of `FINDINGS`; empty where they are not known here.
        chosen_on: the images by which the checkpoint was chosen, "validation" or "test"; "" where
            that is not stated.
        source: where it is published.
        remark: what else a reader must know.
    """

    name: str
    year: int
    pixels: int | None
    mean_auc: float
    source: str
    spread: float | None
    low: float | None
    high: float | None
    findings: tuple[float, ...]
    chosen_on: str
    remark: str

    def as_json(self) -> dict[str, Any]:
        """Returns the attributes, the findings by name, None where one is not known here."""
        aucs = self.findings or (None,) * len(FINDINGS)
        return {**dataclasses.asdict(self), "findings": dict(zip(FINDINGS, aucs, strict=True))}


def _results() -> Iterator[Result]:
    """Reads published.csv: one result a line, empty where something is not published."""
    text = resources.files(__package__).joinpath("published.csv").read_text("utf-8")
    for row in csv.DictReader(io.StringIO(text)):
        given: dict[str, Any] = {name: row[name] for name in _TEXTS}
        given |= {name: float(row[name]) if row[name] else None for name in _FIGURES}
        yield Result(
            year=int(row["year"]),
            pixels=int(row["pixels"]) if row["pixels"] else None,
            mean_auc=float(row["mean_auc"]),
            findings=tuple(float(row[name]) for name in FINDINGS if row[name]),
            **given,
        )


RESULTS = tuple(_results())


@dataclasses.dataclass(frozen=True)
class Level:
    """A mean AUC on the official test list, and what reaching it means."""

    mean_auc: float
    meaning: str


LEVELS = (
    Level(0.63, "more than metadata give without any image (0.59 to 0.63)"),
    Level(0.805, "what careful single networks at 224 to 320 pixels reach"),
    Level(
        0.817,
        "a ResNet-50 from ImageNet at its best published, \N{PLUS-MINUS SIGN}0.002 between runs",
    ),
    Level(0.822, "more pretraining on radiographs, or a newer network at 384 pixels"),
    Level(0.834, "knowledge from a model of many more radiographs, or an average of models"),
)
