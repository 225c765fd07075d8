# SPDX-License-Identifier: MIT
"""Errors of mined labels that radiologists found: counted here, published, or not known."""

import pathlib

import numpy as np
import pytest

from trainer.evaluation.radiologists import REFERENCES, combined_labels
from trainer.predictions import metadata
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import counted_labels
from trainer.report.source import Source

FINDINGS = tuple(name for reference in REFERENCES for name in reference.findings)


@pytest.fixture(scope="module")
def official(nih: pathlib.Path) -> Predictions:
    """The official test list with its labels, and scores that know them but for noise."""
    known = metadata.read(str(nih / "Data_Entry_2017_v2020.csv"))
    rows = np.isin(known.ids, (nih / "test_list.txt").read_text().split())
    labels = known.labels[rows][:, [known.findings.index(name) for name in FINDINGS]]
    scores = labels + np.random.default_rng(0).normal(size=labels.shape)
    about = (known.ids[rows], known.patients[rows], np.full(int(rows.sum()), "test"))
    return Predictions(*about, labels, 1 / (1 + np.exp(-scores)), FINDINGS)


def test_published_counts_are_those_of_the_radiologists_file(
    official: Predictions, nih: pathlib.Path
) -> None:
    path = str(nih / "google2019_nih-chest-xray-labels.csv")
    here = counted_labels.build(Source(official, resamples=20, radiologists=path))
    elsewhere = counted_labels.build(Source(official, resamples=20))
    assert here["counted_here"] and not elsewhere["counted_here"]
    for one, other in zip(here["references"], elsewhere["references"], strict=True):
        assert (one["images"], other["images"]) == (1962, 25596)
        for key in ("wrong", "missed", "highest"):
            assert one[key]["value"] == pytest.approx(other[key]["value"], abs=1e-12)
            assert one[key]["low"] < one[key]["value"] == other[key]["low"]
        assert other["found"]["value"] is None
    lung = here["references"][0]
    assert lung["highest"]["value"] == pytest.approx((97 / 200 + 1664 / 1762) / 2)
    # Scores made from the mined labels know nothing of the truth beside them.
    assert lung["found"]["high"] < lung["highest"]["value"]
    page = parts.html("x", "x", counted_labels.parts(here))
    assert "not what random errors would give: Pneumothorax (0." in page and "cannot be<" in page
    assert ">51.5%<" in page and "--radiologists" not in page
    assert "--radiologists" in parts.html("x", "x", counted_labels.parts(elsewhere))


def test_another_test_split_without_radiologists_says_what_to_give(official: Predictions) -> None:
    some = official.select("test")
    rows = np.arange(200)
    part = Predictions(
        *(getattr(some, name)[rows] for name in ("ids", "patients", "splits", "labels", "scores")),
        FINDINGS,
    )
    found = counted_labels.build(Source(part, resamples=5))
    assert found["references"] == [] and "--radiologists" in found["reason"]
    assert "--radiologists" in parts.html("x", "x", counted_labels.parts(found))


def test_a_reference_whose_findings_lack_is_left_out(official: Predictions) -> None:
    assert combined_labels(official.labels[:1, :1]).shape == (1,)
    lacking = Predictions(
        official.ids,
        official.patients,
        official.splits,
        official.labels[:, :2],
        official.scores[:, :2],
        FINDINGS[:2],
    )
    found = counted_labels.build(Source(lacking, resamples=5))
    assert [entry["name"] for entry in found["references"]] == ["Pneumothorax"]
