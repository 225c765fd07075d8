# SPDX-License-Identifier: MIT
"""What the comparison says by a margin is what its figures say, and nothing without one."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.asked import Asked
from trainer.report.sections import comparison
from trainer.report.source import Source

Make = Callable[..., Predictions]


def worse(whole: Predictions, noise: float = 0.8) -> Predictions:
    generator = np.random.default_rng(3)
    scores = whole.scores + noise * generator.random(whole.scores.shape)
    return dataclasses.replace(whole, scores=(scores / (1 + noise)).astype(np.float32))


def source_of(first: Predictions, second: Predictions, margin: float | None) -> Source:
    asked = Asked(margin=margin)
    return Source(first, compared={"b.csv": second}, resamples=200, seed=2, asked=asked)


def claimed(make: Make, margin: float | None, noise: float) -> dict[str, Any]:
    return comparison.build(source_of(make(), worse(make(), noise=noise), margin))


def test_without_a_margin_nothing_is_tested_and_that_is_said(make: Make) -> None:
    section = claimed(make, None, 0.01)
    for split in section["splits"].values():
        assert {each["within"] for each in (*split["findings"].values(), split["mean"])} == {None}
    assert (section["margin"], section["later_study"]) == (None, None)
    text = parts.markdown("Title", comparison.parts(section, {}))
    assert "a margin has to be fixed before the figures are seen" in text
    assert "equivalent (" not in text and "later study needs" not in text
    assert "A large p does not show that models are equal." in text


def test_a_margin_is_answered_in_a_sentence(make: Make) -> None:
    said = {}
    for margin, noise in ((0.1, 0.01), (0.0005, 0.01), (0.03, 20.0)):
        section = claimed(make, margin, noise)
        text = parts.markdown("Title", comparison.parts(section, {}))
        said[margin] = text
        mean = section["splits"]["test"]["mean"]
        no_worse, equivalent = (mean["within"][key] for key in ("no_worse", "equivalent"))
        low = mean["difference"]["low"]
        assert no_worse["shown"] == (low > -margin and no_worse["p_value"] < 0.025)
        inside = -margin < equivalent["low"] and equivalent["high"] < margin
        assert equivalent["shown"] == (inside and equivalent["p_value"] < 0.05)
        assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert (
        "b.csv is no worse by the margin of 0.1 that was given beforehand (p &lt; 0.001)"
        in said[0.1]
    )
    assert "both are equivalent (90% interval" in said[0.1]
    assert "It is not shown that b.csv is no worse by the margin of 0.0005" in said[0.0005]
    assert "b.csv is worse by more than the margin of 0.03" in said[0.03]


def test_a_later_study_is_planned_from_the_split_of_the_report(make: Make) -> None:
    section = claimed(make, 0.1, 0.3)
    found = section["later_study"]
    assert (found["split"], found["patients"], found["power"]) == ("test", 80, 0.8)
    text = parts.markdown("Title", comparison.parts(section, {}))
    assert text.count("80% power") == 1 and "Here there are 80." in text
    none, seen = found["plans"]
    assert none["difference"] == 0 and none["shown"] > 0.5
    assert seen["difference"] == section["splits"]["test"]["mean"]["difference"]["value"]
    seen |= {"patients": None, "shown": None}
    text = parts.markdown("Title", comparison.parts(section, {}))
    assert "no number is enough if the difference seen here" in text


def test_no_study_is_planned_of_what_is_settled(make: Make) -> None:
    """Where the whole interval lies beyond the margin, on either side, nothing is open."""
    good, bad = make(), worse(make(), noise=20.0)
    for first, second, side in ((good, bad, "worse"), (bad, good, "better")):
        section = comparison.build(source_of(first, second, 0.03))
        mean = section["splits"]["test"]["mean"]["difference"]
        assert max(mean["low"], -mean["high"]) > 0.03
        text = parts.markdown("Title", comparison.parts(section, {}))
        assert f"b.csv is {side} by more than the margin of 0.03" in text
        assert section["later_study"] is None and "later study" not in text
        assert "equivalent is not shown" not in text


def test_the_margin_is_drawn_on_either_side_of_no_difference(make: Make) -> None:
    for margin, lines in ((None, 0), (0.1, 2)):
        section = claimed(make, margin, 0.3)
        page = parts.html("comparison", "Title", comparison.parts(section, {}))
        rows = page.count('<line class="reference"')
        assert page.count('<line class="chance"') == lines * rows > lines - 1
        assert ("dashed lines are the margin" in page) == (margin is not None)


def test_no_figure_of_a_margin_can_be_had_where_nothing_has_an_auc(make: Make) -> None:
    first = make()
    unknown = dataclasses.replace(first, labels=np.full_like(first.labels, np.nan))
    section = comparison.build(source_of(unknown, unknown, 0.1))
    assert section["later_study"] is None
    text = parts.markdown("Title", comparison.parts(section, {}))
    assert "Nothing can be tested against the margin of 0.1" in text and "not tested" in text


def test_a_margin_is_that_of_the_command_whatever_the_labels_are(make: Make) -> None:
    """Other test labels change figures, never the margin or what a claim asks for."""
    first = make()
    turned = np.where(first.splits[:, np.newaxis] == "test", 1 - first.labels, first.labels)
    other = dataclasses.replace(first, labels=turned.astype(np.float32))
    sections = [comparison.build(source_of(rows, worse(rows), 0.1)) for rows in (first, other)]
    assert [section["margin"] for section in sections] == [0.1, 0.1]
    validation, test = (
        [each["splits"][name] for each in sections] for name in ("validation", "test")
    )
    assert validation[0] == validation[1]
    assert test[0] != test[1]


def test_a_model_compared_with_itself_is_said_and_plans_no_study(make: Make) -> None:
    section = comparison.build(source_of(make(), make(), 0.02))
    said = comparison.sentences(section, "test")
    assert "so no single finding differs: see whether it is the same model" in said[0]
    assert section["later_study"] is None


def test_a_study_too_small_for_the_formula_is_not_said_to_be_enough(make: Make) -> None:
    section = comparison.build(source_of(make(), worse(make()), 0.2))
    plan = section["later_study"]["plans"][0]
    for shown, word in ((0.31, "needs more than"), (0.78, "needs about")):
        plan["shown"] = shown
        assert word in comparison.sentences(section, "test")[-1]
