# SPDX-License-Identifier: MIT
"""Which words stand beside thresholds depends on where those were chosen."""

import dataclasses
from collections.abc import Callable

from trainer.predictions.table import Predictions
from trainer.report.sections import operating_points
from trainer.report.sections import operating_points_words as words
from trainer.report.source import EXTERNAL, Source

OWN = {name: {"youden": 0.5} for name in ("Mass", "Edema", "Hernia")}


def test_thresholds_of_this_report_flatter_on_validation(
    make: Callable[..., Predictions],
) -> None:
    notes = operating_points.build(Source(make(), resamples=20))["notes"]
    assert {words.CHOSEN, words.FLATTERS, *words.LIMITS} <= {*notes}
    assert words.GIVEN not in notes


def test_given_thresholds_are_called_the_models_own(make: Callable[..., Predictions]) -> None:
    test = make(("test",))
    raw = dataclasses.replace(test, raw=test.scores / 2)
    context = {EXTERNAL: {"thresholds": OWN}}
    section = operating_points.build(Source(raw, resamples=20, context=context))
    assert {words.GIVEN, *words.FIXED} <= {*section["notes"]}
    assert not {words.CHOSEN, words.FLATTERS} & {*section["notes"]}
    # No raw score reaches what half of the scores do.
    found = section["findings"]["Mass"]["rules"]["youden"]
    assert found["test"]["sensitivity"]["value"] == 0
    assert section["findings"]["Mass"]["rules"]["max_f1"]["reason"]
