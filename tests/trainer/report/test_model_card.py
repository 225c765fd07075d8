# SPDX-License-Identifier: MIT
"""The card beside a model says what it is, how well it does and what it is not for."""

from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.manifest import Manifest, Split
from trainer.predictions.table import Predictions
from trainer.report import model_card, report
from trainer.report.source import Source


def manifest(phantom: str = "") -> Manifest:
    train = Split(70, 30, {}, {}, {}, [])
    return Manifest(
        schema_version=1,
        findings=["Mass", "Edema", "Hernia"],
        stored_size=40,
        encoding="png",
        splits={"train": train},
        official_split=False,
        list_hashes={},
        counters={},
        parameters={},
        sources={},
        writer="test",
        phantom=phantom,
    )


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return {"identity": "ab" * 32, "step": 1200, "auc": 0.81234}


def test_the_card_states_what_the_report_found(
    make: Callable[..., Predictions], facts: dict[str, Any]
) -> None:
    found = report.build(Source(make(), resamples=20))
    text = model_card.text(manifest(), found, **facts)
    mean = found["splits"]["test"]["mean_auc"]["value"]
    for words in (
        "Not a medical device",
        "Trained on 70 images of 30 patients",
        "step 1,200 of the run abab",
        "mean AUC of 0.8123 on validation",
        f"Mean AUC on test: {mean:.3f}",
        "youden (Youden's index)",
        "calibrated on validation",
        "| Mass |",
        "### Limits",
    ):
        assert words.replace("_", "\\_") in text, words


def test_a_network_that_was_chosen_for_its_loss_is_not_said_to_have_the_best_auc(
    facts: dict[str, Any],
) -> None:
    text = model_card.text(manifest(), None, **facts, monitor="loss")
    assert "chosen for their loss, with a mean AUC of 0.8123 on validation" in text


def test_without_test_or_report_it_claims_no_figure(
    make: Callable[..., Predictions], facts: dict[str, Any]
) -> None:
    alone = report.build(Source(make(("validation",)), resamples=20))
    text = model_card.text(manifest(), alone, **facts)
    assert "AUC on validation, 240 images" in text and "Thresholds" not in text
    text = model_card.text(manifest("drawn"), None, **facts)
    assert "exported without a report" in text and "a phantom's, drawn" in text
    assert "Out of scope" in text and "on test" not in text
