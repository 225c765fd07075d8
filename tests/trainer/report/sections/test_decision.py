# SPDX-License-Identifier: MIT
"""The section on decision curves says where they are worth something, and of which scores."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.wording import escape
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.asked import Asked
from trainer.report.report import build
from trainer.report.sections import decision
from trainer.report.source import EXTERNAL, Source

Make = Callable[..., Predictions]


@pytest.fixture
def report(make: Make) -> dict[str, Any]:
    return build(Source(make(rows=600), resamples=50))


def rendered(report: dict[str, Any]) -> str:
    return parts.html("decision", "Title", decision.parts(report["decision"], report))


def written(report: dict[str, Any]) -> str:
    return parts.markdown("Title", decision.parts(report["decision"], report))


def curve_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = report["splits"]["test"]["findings"][name]["decision_curve"]
    return found


def test_the_first_sentence_says_of_each_finding_where_it_is_worth_it(
    report: dict[str, Any],
) -> None:
    for name, better in {"Mass": [[0.2, 0.3], [0.4, 0.4]], "Edema": []}.items():
        curve_of(report, name)["better"] = better
    first = decision.parts(report["decision"], report)[0]
    assert isinstance(first, parts.Words)
    assert first.text.startswith("Of thresholds from 1% to 50%")
    # No test film shows a hernia.
    assert first.text.endswith(": at some for Mass; at none for Edema; no interval for Hernia.")
    assert "| Mass | 20% to 30%, 40% alone |" in written(report)
    curve_of(report, "Edema")["better"] = [[0.01, 0.5]]
    first = decision.parts(report["decision"], report)[0]
    assert isinstance(first, parts.Words)
    assert ": at all of them for Edema; at some for Mass; no interval" in first.text


def test_tables_hold_the_figures_of_the_shown_thresholds(report: dict[str, Any]) -> None:
    text, curve = written(report), curve_of(report, "Mass")
    assert report["decision"]["shown"] == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
    for threshold in report["decision"]["shown"]:
        at = curve["threshold"].index(threshold)
        ends = f"[{curve['low'][at]:z.4f}, {curve['high'][at]:z.4f}]"
        assert escape(f"{curve['net_benefit'][at]:z.4f} {ends}").replace("-", "\u2212") in text
        assert f"{curve['treat_all'][at]:z.4f}".replace("-", "\u2212") in text
        avoided = curve["net_interventions_avoided"]
        counts = report["splits"]["test"]["findings"]["Mass"]
        missed = counts["positives"] * (1 - threshold) / threshold
        none = 100 * (counts["n"] - counts["positives"] - missed) / counts["n"]
        shown = f"{avoided['value'][at]:z.1f} [{avoided['low'][at]:z.1f}, "
        shown += f"{avoided['high'][at]:z.1f}] | {none:z.1f} |"
        assert escape(shown).replace("-", "\u2212").replace("\\|", "|") in text
    assert "None" not in text and "nan" not in text
    # The name of a flag stays as it is typed.
    assert "--threshold\\_range" in text


def test_the_page_draws_each_finding_that_somebody_has(report: dict[str, Any]) -> None:
    text = rendered(report)
    assert text.count('<svg class="small"') == 2 and text.count('<path class="curve all"') == 2
    assert text.count('<path class="band test"') == 2 and text.count('<g class="line test"') == 2
    assert "None" not in text and "nan" not in text


@pytest.mark.parametrize(
    ("splits", "context", "said"),
    [
        (("test",), {}, "hold no validation split"),
        (("validation",), {}, "hold no test split"),
        (("test",), {EXTERNAL: {"model": "m"}}, "the model brings no calibration"),
    ],
)
def test_scores_that_nothing_calibrated_are_said_first(
    make: Make, splits: tuple[str, ...], context: dict[str, Any], said: str
) -> None:
    report = build(Source(make(splits=splits), resamples=5))
    section = decision.build(Source(make(splits=splits), resamples=5, context=context))
    first = decision.parts(section, report)[0]
    assert isinstance(first, parts.Words)
    assert first.text.startswith("Scores are as they are: ") and said in first.text
    assert "takes scores for probabilities" in first.text


def test_a_model_with_a_calibration_of_its_own_is_said(make: Make) -> None:
    context = {EXTERNAL: {"calibration": {"Mass": {"method": "none"}}}}
    section = decision.build(Source(make(splits=("test",)), resamples=5, context=context))
    assert section["calibrated_on"] == "own" and "its own calibration" in section["notes"][0]


def test_nothing_to_draw_is_still_told(report: dict[str, Any]) -> None:
    bare = copy.deepcopy(report)
    for entry in bare["splits"]["test"]["findings"].values():
        entry["decision_curve"] = None
    assert "<svg" not in rendered(bare)
    assert "| Mass | no interval | not defined |" in written(bare)


def test_the_range_is_that_of_the_command(make: Make) -> None:
    report = build(Source(make(), resamples=5, asked=Asked(threshold_range=(0.31, 0.34))))
    assert report["decision"]["shown"] == [0.31, 0.325, 0.34]
    assert "Of thresholds from 31% to 34%" in rendered(report)
