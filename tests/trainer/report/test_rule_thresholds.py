# SPDX-License-Identifier: MIT
"""Thresholds are of validation, or a finished model's own on its scores before calibration."""

import dataclasses
from collections.abc import Callable

from trainer.evaluation.operating_points import choose
from trainer.predictions.table import Predictions
from trainer.report import rule_thresholds
from trainer.report.source import EXTERNAL, Source


def test_thresholds_are_chosen_on_validation_alone(make: Callable[..., Predictions]) -> None:
    source = Source(make(), resamples=2)
    values, chosen_on = rule_thresholds.of(source, "youden")
    rows = source.rows("validation")
    assert chosen_on == "validation"
    assert values[0] == choose(rows.labels[:, 0], rows.scores[:, 0], "youden")
    assert rule_thresholds.of(Source(make(("test",)), resamples=2), "youden")[1] == ""


def test_a_finished_model_brings_its_own(make: Callable[..., Predictions]) -> None:
    made = make(("test",))
    first = made.findings[0]
    raw = dataclasses.replace(made, raw=made.scores / 2)
    context = {EXTERNAL: {"thresholds": {first: {"youden": 0.25}}}}
    source = Source(raw, resamples=2, context=context)
    values, chosen_on = rule_thresholds.of(source, "youden")
    assert (values[0], set(values[1:]), chosen_on) == (0.25, {None}, rule_thresholds.OWN)
    assert (rule_thresholds.scores(source) == made.scores / 2).all()
    assert (rule_thresholds.scores(Source(raw, resamples=2)) == made.scores).all()
