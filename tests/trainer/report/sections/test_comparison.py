# SPDX-License-Identifier: MIT
"""The comparison of two models as JSON, Markdown and page."""

import dataclasses
import json
import re
from collections.abc import Callable

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.evaluation.comparison import Comparison, Scored, holm
from trainer.evaluation.resamples import Resamples
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.parts import Part
from trainer.report.sections import comparison
from trainer.report.sections.comparison_words import summaries
from trainer.report.source import Source

Make = Callable[..., Predictions]


def worse(whole: Predictions, noise: float = 0.8) -> Predictions:
    generator = np.random.default_rng(3)
    scores = whole.scores + noise * generator.random(whole.scores.shape)
    return dataclasses.replace(whole, scores=(scores / (1 + noise)).astype(np.float32))


def source_of(first: Predictions, second: Predictions, **more: Predictions) -> Source:
    others = {f"{name}.csv": each for name, each in {"b": second, **more}.items()}
    return Source(predictions=first, compared=others, resamples=40, seed=2)


def compare(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, draws: Resamples
) -> Comparison:
    one, other = (Scored.of(labels, scores, draws) for scores in (first, second))
    return other.against(one)


def test_figures_are_those_of_the_shared_draws_whatever_the_order_of_rows(make: Make) -> None:
    first = make()
    second = worse(first)
    order = np.random.default_rng(0).permutation(len(first.ids))
    shuffled = Predictions(
        **{
            field.name: getattr(second, field.name)[order]
            for field in dataclasses.fields(second)
            if field.name not in ("findings", "ignored_columns", "raw")
        },
        findings=second.findings,
    )
    source = source_of(first, shuffled)
    section = comparison.build(source)
    rows = source.rows("test")
    expected = compare(rows.labels, rows.scores, second.select("test").scores, source.draws("test"))
    for name, found in zip(rows.findings, expected.findings, strict=True):
        entry = section["splits"]["test"]["findings"][name]
        assert entry["difference"]["value"] == found.difference.value
        assert entry["difference"]["low"] == found.difference.low
        assert (entry["p_value"], entry["p_holm"]) == (found.p_value, found.p_holm)
        for kind, test in (("delong", found.delong), ("clustered", found.clustered)):
            assert (entry[kind] is None) == (test is None) == (name == "Hernia")
            if test is not None:
                assert entry[kind]["z"] == test.z and entry[kind]["p_value"] == test.p_value
    assert section["splits"]["test"]["mean"]["difference"]["value"] < 0
    assert json.loads(json.dumps(section, allow_nan=False)) == section


def test_no_second_file_says_what_to_hand_in(make: Make) -> None:
    section = comparison.build(Source(predictions=make()))
    assert section["available"] is False and "--compare=FILE" in section["reason"]


def test_a_split_of_one_file_only_is_named(make: Make) -> None:
    first = make()
    section = comparison.build(source_of(first, worse(first).select("test")))
    assert list(section["splits"]) == ["test"]
    assert section["splits_of_one_file"] == ["validation"]
    assert "validation" in section["notes"][-1]
    with pytest.raises(DataError, match="a split in common"):
        comparison.build(source_of(first.select("validation"), worse(first).select("test")))


def test_files_of_other_images_are_refused(make: Make) -> None:
    first = make()
    other = dataclasses.replace(first, ids=np.array([f"x{name}" for name in first.ids]))
    with pytest.raises(DataError, match=r"b\.csv, validation split: 240 images are only in the"):
        comparison.build(source_of(first, other))


def test_summary_names_the_findings_that_differ(make: Make) -> None:
    first = make()
    source = dataclasses.replace(source_of(first, worse(first, noise=20.0)), resamples=200)
    section = comparison.build(source)
    [text] = summaries([section], "test")
    clear = [
        name
        for name, entry in section["splits"]["test"]["findings"].items()
        if entry["p_holm"] is not None and entry["p_holm"] < 0.05
    ]
    assert clear and f"differ: {', '.join(clear)}." in text.replace("differs", "differ")
    assert "After correction for 2 tests" in text and "below that of this report" in text
    same = comparison.build(source_of(first, first))
    assert "no single finding differs" in summaries([same], "test")[0]


def test_nothing_to_compare_is_said(make: Make) -> None:
    first = make()
    unknown = dataclasses.replace(first, labels=np.full_like(first.labels, np.nan))
    section = comparison.build(source_of(unknown, unknown))
    assert "nothing can be compared" in summaries([section], "test")[0]
    assert "not defined" in parts.markdown("Title", comparison.parts(section, {}))


def test_markdown_holds_every_finding_and_the_mean_of_every_split(make: Make) -> None:
    first = make()
    section = comparison.build(source_of(first, worse(first)))
    text = parts.markdown("Title", comparison.parts(section, {}))
    assert text.index("### Test split") < text.index("### Validation split")
    for name in (*first.findings, "Mean"):
        assert text.count(f"\n| {name} |") == 2
    value = section["splits"]["test"]["findings"]["Mass"]["first"]
    assert f"| Mass | {value:.3f} |" in text


def test_page_draws_and_says_every_difference_from_the_json_alone(make: Make) -> None:
    first = make()
    section = json.loads(json.dumps(comparison.build(source_of(first, worse(first)))))
    made: list[Part] = comparison.parts(section, {})
    text = parts.html("comparison", "Title", made)
    assert text.index('<h4 id="h-comparison-1">Test split') < text.index("Validation split")
    assert text.count("<table") == text.count("<caption") == 6
    drawn = [part.html for part in made if isinstance(part, parts.Drawn)]
    assert len(drawn) == 2
    for each, split in zip(drawn, ("test", "validation"), strict=True):
        names = re.findall(r'<th scope="row">([^<]+)</th>', each)
        assert names == [*first.findings, "Mean"]
        assert (
            each.count('class="mark"')
            == sum(
                entry["difference"]["value"] is not None
                for entry in section["splits"][split]["findings"].values()
            )
            + 1
        )
    assert 'id="h-comparison"' in text and "b.csv" in text and "style=" not in text


def test_several_models_are_corrected_together_and_their_scores_averaged(make: Make) -> None:
    first = make()
    third = worse(first, noise=20.0)
    # A model without the validation split is one of two there and of three on test.
    source = source_of(first, worse(first), c=third.select("test"))
    section = comparison.build(source)
    assert [one["other"] for one in section["further"]] == ["c.csv"]
    assert section["further"][0]["splits_of_one_file"] == ["validation"]
    rows, draws = source.rows("test"), source.draws("test")
    others = [worse(first).select("test").scores, third.select("test").scores]
    alone = [compare(rows.labels, rows.scores, scores, draws) for scores in others]
    family = holm([each.p_value for one in alone for each in one.findings])
    models = [section, *section["further"]]
    shown = [model["splits"]["test"] for model in models]
    assert [each["p_holm"] for one in shown for each in one["findings"].values()] == family
    means = [one["mean"] for one in shown]
    assert [one["p_holm"] for one in means] == holm([one.mean.p_value for one in alone])
    assert section["splits"]["validation"]["mean"]["p_holm"] is None
    assert [section["mean_of_all"][split]["models"] for split in ("test", "validation")] == [3, 2]
    together = np.mean([rows.scores, *others], axis=0, dtype=np.float64)
    averaged = compare(rows.labels, rows.scores, together, draws).mean
    mean = section["mean_of_all"]["test"]["mean"]
    assert (mean["second"], mean["p_value"]) == (averaged.second, averaged.p_value)
    assert mean["difference"]["low"] == averaged.difference.low
    one, other = summaries(models, "test")
    assert "of b.csv" in one and "of c.csv" in other
    tested = sum(p is not None for p in family)
    assert f"After correction for {tested} tests of all models" in one
    text = parts.markdown("Title", comparison.parts(section, {}))
    assert "Mean of the scores of all 3" in text and "Mean of the scores of both" in text
    # Of validation one mean is tested; the mean of all scores is nobody's choice on either split.
    assert text.count("not corrected") == 2
    assert "By finding on the test split: c.csv" in text
    page = parts.html("comparison", "Title", comparison.parts(section, {}))
    assert len(set(re.findall(r'id="([^"]+)"', page))) == page.count(' id="')
