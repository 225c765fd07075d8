# SPDX-License-Identifier: MIT
"""The section that compares the predictions with those of other models on the same images."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from preprocessing.contract.errors import DataError
from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import words
from trainer.evaluation import later_study, margins
from trainer.evaluation.comparison import Comparison, Difference, Scored, corrected
from trainer.evaluation.delong import PairedTest
from trainer.evaluation.intervals import as_json
from trainer.evaluation.later_study import Plan
from trainer.predictions.pairing import aligned
from trainer.report.figures.plots import nice_limits
from trainer.report.parts import Drawn, Fold, Heading, Notes, Part, Words, forest, unavailable
from trainer.report.sections import comparison_margin, comparison_words
from trainer.report.sections.comparison_words import chance
from trainer.report.source import SPLIT_ORDER, Source


class _Found(NamedTuple):
    """What a split says: of each model by name, of the mean of all scores, and of a later study."""

    models: Mapping[str, Comparison]
    averaged: Difference | None = None
    later: Mapping[str, Sequence[Plan]] = {}


def build(source: Source) -> dict[str, Any]:
    """Returns the differences of AUC of every other model, in every split that both files hold.

    Args:
        source: with `compared`. The first of them is described by the section itself, the others by
            its `further`.

    Raises:
        DataError: two files have no split in common, or differ in the images, patients, labels or
            findings of one.
    """
    if not source.compared:
        return unavailable(
            "No second predictions file was given; --compare=FILE with another model's "
            "predictions of the same images compares both."
        )
    for name, other in source.compared.items():
        if not {*source.splits} & {*other.split_names}:
            raise DataError(
                f"{name}: holds the splits {', '.join(other.split_names)}, the predictions "
                f"{', '.join(source.splits)}; compare files that have a split in common"
            )
    splits = {split: _split(source, split) for split in source.splits}
    models = [_model(source, name, splits) for name in source.compared]
    return {
        "available": True,
        "resamples": source.resamples,
        "margin": source.asked.margin,
        **models[0],
        "further": models[1:],
        "mean_of_all": {
            split: {"models": len(models_there) + 1, "mean": _entry(averaged)}
            for split, (models_there, averaged, _) in splits.items()
            if averaged is not None
        },
        "notes": [
            *comparison_words.notes(models, source.resamples),
            *comparison_margin.notes(source.asked.margin, models),
            *comparison_words.left_out(models),
        ],
    }


def _model(source: Source, name: str, splits: Mapping[str, _Found]) -> dict[str, Any]:
    other = source.compared[name]
    found = {split: each.models[name] for split, each in splits.items() if name in each.models}
    both = (*source.splits, *other.split_names)
    return {
        "other": name,
        "splits_of_one_file": [split for split in dict.fromkeys(both) if split not in found],
        "splits": {
            split: {
                "n": len(source.rows(split).ids),
                "findings": {
                    finding: _entry(one)
                    for finding, one in zip(source.rows(split).findings, each.findings, strict=True)
                },
                "mean": _entry(each.mean),
            }
            for split, each in found.items()
        },
        "later_study": next(
            (
                comparison_margin.later_study(split, source.draws(split), each.later[name])
                for split, each in splits.items()
                if each.later.get(name)
            ),
            None,
        ),
    }


def _split(source: Source, split: str) -> _Found:
    """Compares each model that has a split, and the mean of the scores of all and this report's."""
    rows, draws = source.rows(split), source.draws(split)
    scores = [
        (name, aligned(rows, other.select(split), name=f"{name}, {split} split"))
        for name, other in source.compared.items()
        if split in other.split_names
    ]
    if not scores:
        return _Found({})
    margin = source.asked.margin
    own = Scored.of(rows.labels, rows.scores, draws)
    found, later = [], {}
    for name, second in scores:
        scored = Scored.of(rows.labels, second, draws)
        found.append(scored.against(own, margin))
        sure = found[-1].mean.difference.low is not None
        if margin is not None and sure and split == source.headline:
            later[name] = later_study.plans(
                rows.labels,
                (rows.scores, second),
                (own, scored),
                draws.patient_of,
                margin=margin,
                seed=source.seed,
            )
    together = np.mean([rows.scores, *(one for _, one in scores)], axis=0, dtype=np.float64)
    averaged = Scored.of(rows.labels, np.asarray(together), draws).against(own, margin).mean
    names = (name for name, _ in scores)
    return _Found(dict(zip(names, corrected(found), strict=True)), averaged, later)


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns, for every split, what was found, the figures, and the differences drawn."""
    models, margin = [section, *section["further"]], section["margin"]
    held = {split for model in models for split in model["splits"]}
    shown: list[Part] = []
    for split in (split for split in SPLIT_ORDER if split in held):
        here = [model for model in models if split in model["splits"]]
        shown.append(Heading(f"{split.capitalize()} split"))
        shown += [Words(text, "plain") for text in sentences(section, split)]
        shown.append(_means(section, here, split))
        for model in here:
            each: list[Part] = [_table(model, split), _drawn(model["splits"][split], split)]
            if margin is not None:
                each.append(comparison_margin.table(model, split, margin))
            shown += each if len(models) == 1 else [_fold(model, split, each)]
    return [*shown, Notes(section["notes"], "columns")]


def sentences(section: Mapping[str, Any], split: str) -> list[str]:
    """Says in sentences what was found in a split, of each model, and what follows from a margin.

    Args:
        section: what `build` returned.
        split: one of the splits.
    """
    models, margin = [section, *section["further"]], section["margin"]
    here = [model for model in models if split in model["splits"]]
    texts = comparison_words.summaries(here, split)
    if margin is not None:
        texts += [comparison_margin.sentence(model, split, margin) for model in here]
        texts += [
            comparison_margin.of_later_study(model, margin)
            for model in here
            if model["later_study"] and model["later_study"]["split"] == split
        ]
    return texts


def _entry(one: Difference) -> dict[str, Any]:
    return {
        "first": one.first,
        "second": one.second,
        "difference": as_json(one.difference),
        "p_value": one.p_value,
        "standard_error": one.standard_error,
        "p_holm": one.p_holm,
        "delong": _test(one.delong),
        "clustered": _test(one.clustered),
        "within": margins.as_json(one.within),
    }


def _test(test: PairedTest | None) -> dict[str, Any] | None:
    if test is None:
        return None
    return {"standard_error": test.standard_error, "z": test.z, "p_value": test.p_value}


def _fold(model: Mapping[str, Any], split: str, each: Sequence[Part]) -> Fold:
    return Fold(f"By finding on the {split} split: {model['other']}", each)


def _means(section: Mapping[str, Any], models: Sequence[Mapping[str, Any]], split: str) -> Table:
    """A row a model, and what the mean of all scores gives."""
    means = {model["other"]: model["splits"][split]["mean"] for model in models}
    together, several = section["mean_of_all"][split], len(models) > 1

    def cells(each: Mapping[str, Any]) -> list[Cell]:
        ps = [each["p_value"], each["p_holm"]][: 1 + several]
        return [numeric(each["second"]), interval(each["difference"], "+.3f"), *map(chance, ps)]

    own = numeric(together["mean"]["first"])
    return Table(
        "Mean AUC of each model, and what it has more than this report, with its 95% interval from "
        "resampled patients.",
        ["Model", "Mean AUC", Column("Difference", css="strong"), "p", *["p (Holm)"] * several],
        [
            ["This report", own, *[""] * (2 + several)],
            *([name, *cells(each)] for name, each in means.items()),
        ],
        [[f"Mean of the scores of all {together['models']}", *cells(together["mean"])]],
    )


def _table(model: Mapping[str, Any], split: str) -> Table:
    entry = model["splits"][split]
    return Table(
        f"AUC here, AUC of {model['other']}, and the second minus the first with its 95% "
        f"interval from resampled patients, on the {split} split.",
        [
            *("Finding", "Here", "There", Column("Difference", css="strong")),
            *("p", "p (Holm)", "p (clustered)", "p (DeLong)"),
        ],
        [[words(name), *_cells(each)] for name, each in entry["findings"].items()],
        [["Mean", *_cells(entry["mean"])]],
        sortable=True,
    )


def _cells(each: Mapping[str, Any]) -> list[Cell]:
    closed = [(each[kind] or {"p_value": None})["p_value"] for kind in ("clustered", "delong")]
    chances = each["p_value"], each["p_holm"], *closed
    return [
        numeric(each["first"]),
        numeric(each["second"]),
        interval(each["difference"], "+.3f"),
        *map(chance, chances),
    ]


def _drawn(entry: Mapping[str, Any], split: str) -> Drawn:
    named = {**entry["findings"], "Mean": entry["mean"]}
    areas = {words(name): each["difference"] for name, each in named.items()}
    return forest(
        "Differences of AUC drawn with their intervals; the table before holds the numbers.",
        ("Finding", "Difference, drawn", "Difference"),
        [(name, area, "mean" if name == "Mean" else split) for name, area in areas.items()],
        nice_limits(list(areas.values()), include=[0]),
        means=1,
        reference=0.0,
        form="+.3f",
        hide_caption=True,
    )
