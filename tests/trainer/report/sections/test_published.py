# SPDX-License-Identifier: MIT
"""Published results stand beside the model's only where the test images are the same."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.evaluation.auc import aurocs
from trainer.predictions import metadata
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import published
from trainer.report.sections.published_tables import FINDINGS, RESULTS
from trainer.report.source import Source

Make = Callable[..., Predictions]


@pytest.fixture(scope="module")
def official(nih: Path) -> Predictions:
    """Made-up scores for the real images and labels of the official test list."""
    known = metadata.read(str(nih / "Data_Entry_2017_v2020.csv"))
    rows = np.isin(known.ids, (nih / "test_list.txt").read_text().split())
    labels = known.labels[rows][:, [known.findings.index(name) for name in FINDINGS]]
    noise = np.random.default_rng(0).normal(0, 1, labels.shape)
    return Predictions(
        ids=known.ids[rows],
        patients=known.patients[rows],
        splits=np.full(rows.sum(), "test"),
        labels=labels,
        scores=1 / (1 + np.exp(-(1.3 * labels + noise))),
        findings=FINDINGS,
    )


def built(predictions: Predictions, **context: Any) -> dict[str, Any]:
    section = published.build(Source(predictions, 2, 0, context))
    return json.loads(json.dumps(section, allow_nan=False))


def report_on(predictions: Predictions) -> dict[str, Any]:
    """As much of a report as the section's words look at."""
    areas = aurocs(predictions.labels, predictions.scores)
    area = {"low": None, "high": None, "dropped_resamples": 0}
    return {
        "findings": list(predictions.findings),
        "splits": {
            "test": {
                "mean_auc": area | {"value": float(areas.mean())},
                "findings": {
                    name: {"auc": area | {"value": None if np.isnan(value) else float(value)}}
                    for name, value in zip(predictions.findings, areas, strict=True)
                },
            }
        },
    }


def shown(section: dict[str, Any], predictions: Predictions) -> tuple[str, str]:
    """The section as Markdown and as HTML."""
    report = report_on(predictions)
    made = published.parts(section, report)
    return parts.markdown("Title", made), parts.html("published", "Title", made)


def test_other_test_images_are_not_compared(make: Make) -> None:
    for predictions in (make(), make(("validation",))):
        section = built(predictions, manifest={"official_split": True})
        assert section["available"] is False and len(section) == 2
        assert "compared" in section["reason"]


def test_on_the_official_list_every_result_stands_beside_the_model(official: Predictions) -> None:
    section = built(official)
    mean = aurocs(official.labels, official.scores).mean()
    assert section["mean_auc"] == pytest.approx(mean) and section["other_labels"] == {}
    assert [row["name"] for row in section["results"]] == [result.name for result in RESULTS]
    for level in section["levels"]:
        assert level["reached"] == (mean >= level["mean_auc"])
    assert {level["reached"] for level in section["levels"]} == {True, False}
    markdown, page = shown(section, official)
    for result in RESULTS:
        assert result.source.split(",")[0].replace("_", "\\_") in markdown
        assert (
            f"{mean - result.mean_auc:+.3f}".replace("-", "\N{MINUS SIGN}") in markdown
            and result.name in page
        )
    assert "0.7451" in markdown and "0.8170 \N{PLUS-MINUS SIGN} 0.0015" in page
    assert "0.015 to 0.034" in markdown and "chosen on test" in page


def test_older_labels_of_the_same_images_are_told(official: Predictions) -> None:
    older = dataclasses.replace(official, labels=official.labels.copy())
    column = FINDINGS.index("Pneumonia")
    older.labels[np.flatnonzero(older.labels[:, column] == 1)[:37], column] = 0
    older.labels[:5, 0] = np.nan
    section = built(older)
    assert section["other_labels"]["Pneumonia"] == {
        "positives": 518,
        "published": 555,
        "unknown": 0,
    }
    assert section["other_labels"]["Atelectasis"]["unknown"] == 5
    assert any("Pneumonia 518 instead of 555" in note for note in section["notes"])
    assert "other labels" in shown(section, older)[1]


def test_fewer_findings_leave_the_means_alone(official: Predictions) -> None:
    few = dataclasses.replace(
        official,
        labels=official.labels[:, :3],
        scores=official.scores[:, :3],
        findings=FINDINGS[:3],
    )
    section = built(few)
    assert section["mean_auc"] is None and section["findings"] == list(FINDINGS[:3])
    assert {level["reached"] for level in section["levels"]} == {None}
    markdown, _ = shown(section, few)
    assert "Infiltration" in section["notes"][1] and "| not defined | validation |" in markdown
    others = dataclasses.replace(few, findings=("a", "b", "c"))
    assert "None of the findings" in built(others)["reason"]


def test_a_finding_more_does_not_enter_the_mean(official: Predictions) -> None:
    more = dataclasses.replace(
        official,
        labels=np.concatenate([official.labels, official.labels[:, :1]], axis=1),
        scores=np.concatenate([official.scores, 1 - official.scores[:, :1]], axis=1),
        findings=(*FINDINGS, "Fracture"),
    )
    section = built(more)
    assert section["mean_auc"] == pytest.approx(aurocs(official.labels, official.scores).mean())
    assert "Fracture" not in section["findings"]
    assert f"this model's {section['mean_auc']:.3f} lies" in shown(section, more)[0]
