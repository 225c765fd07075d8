# SPDX-License-Identifier: MIT
"""The section that compares the predictions with those of other models on the same images."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from preprocessing.contract.errors import DataError
from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import words
from trainer.evaluation import later_study, margins
from trainer.evaluation.comparison import Difference, Scored, corrected
from trainer.predictions.pairing import aligned
from trainer.report.figures.plots import nice_limits
from trainer.report.parts import Drawn, Fold, Heading, Notes, Part, Words, forest, unavailable
from trainer.report.sections import comparison_margin, comparison_words
from trainer.report.sections.comparison_words import chance, holm
from trainer.report.source import SPLIT_ORDER, Source


class _Found(NamedTuple):
    """What a split says of each model, what later studies need, and what the mean of all gives."""

    models: Mapping[str, Any]
    later: Mapping[str, Any]
    together: Mapping[str, Any]


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
        "mean_of_all": {split: each.together for split, each in splits.items() if each.models},
        "notes": [
            *comparison_words.notes(models, source.resamples),
            *comparison_margin.notes(source.asked.margin, models),
            *comparison_words.left_out(models),
        ],
    }


def _model(source: Source, name: str, splits: Mapping[str, _Found]) -> dict[str, Any]:
    found = {split: each.models[name] for split, each in splits.items() if name in each.models}
    both = dict.fromkeys((*source.splits, *source.compared[name].split_names))
    return {
        "other": name,
        "splits_of_one_file": [split for split in both if split not in found],
        "splits": found,
        "later_study": splits[source.headline].later.get(name),
    }


def _split(source: Source, split: str) -> _Found:
    """Compares each model that has a split, and the mean of the scores of all and this report's."""
    rows, draws, margin = source.rows(split), source.draws(split), source.asked.margin
    scores = {
        name: aligned(rows, other.select(split), name=f"{name}, {split} split")
        for name, other in source.compared.items()
        if split in other.split_names
    }
    if not scores:
        return _Found({}, {}, {})
    own, *others = (Scored.of(rows.labels, each, draws) for each in (rows.scores, *scores.values()))
    found = corrected([each.against(own, margin) for each in others])
    models, later = {}, {}
    for name, scored, one in zip(scores, others, found, strict=True):
        each = dict(zip(rows.findings, map(_entry, one.findings), strict=True))
        mean, headline = _entry(one.mean), split == source.headline
        models[name] = {"n": len(rows.ids), "findings": each, "mean": mean}
        if headline and margin and comparison_margin.unsettled(mean["difference"], margin):
            plans = later_study.plans(
                rows.labels,
                (rows.scores, scores[name]),
                (own, scored),
                draws.patient_of,
                margin=margin,
                seed=source.seed,
            )
            later[name] = comparison_margin.later_study(split, len(draws.counts), plans)
    together = np.mean([rows.scores, *scores.values()], axis=0, dtype=np.float64)
    averaged = Scored.of(rows.labels, np.asarray(together), draws).against(own, margin).mean
    return _Found(models, later, {"models": len(scores) + 1, "mean": _entry(averaged)})


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns, for every split, what was found, the figures, and the differences drawn."""
    margin, shown = section["margin"], list[Part]()
    for split in (split for split in SPLIT_ORDER if split in section["mean_of_all"]):
        here = _holding(section, split)
        shown.append(Heading(f"{split.capitalize()} split"))
        shown += [Words(text, "plain") for text in sentences(section, split)]
        shown.append(_means(section, here, split))
        for model in here:
            each: list[Part] = [_table(model, split), _drawn(model["splits"][split], split, margin)]
            if margin is not None:
                each.append(comparison_margin.table(model, split, margin))
            if section["further"]:
                each = [Fold(f"By finding on the {split} split: {model['other']}", each)]
            shown += each
    return [*shown, Notes(section["notes"], "columns")]


def sentences(section: Mapping[str, Any], split: str) -> list[str]:
    """Says in sentences what was found in a split, of each model, and what follows from a margin.

    Args:
        section: what `build` returned.
        split: one of the splits.
    """
    here, margin = _holding(section, split), section["margin"]
    texts = comparison_words.summaries(here, split)
    if margin is None:
        return texts
    later = [each for each in here if (each["later_study"] or {}).get("split") == split]
    return [
        *texts,
        *(comparison_margin.sentence(model, split, margin) for model in here),
        *(comparison_margin.of_later_study(model, margin) for model in later),
    ]


def _holding(section: Mapping[str, Any], split: str) -> list[Mapping[str, Any]]:
    """The models that hold a split."""
    return [each for each in (section, *section["further"]) if split in each["splits"]]


def _entry(one: Difference) -> dict[str, Any]:
    found = dataclasses.asdict(one) | {"within": margins.as_json(one.within)}
    for test in filter(None, (found["delong"], found["clustered"])):
        del test["difference"]
    return found


def _means(section: Mapping[str, Any], models: Sequence[Mapping[str, Any]], split: str) -> Table:
    """A row a model, and what the mean of all scores gives."""
    means = {model["other"]: model["splits"][split]["mean"] for model in models}
    together, several = section["mean_of_all"][split], len(models) > 1

    def cells(each: Mapping[str, Any]) -> list[Cell]:
        ps = [chance(each["p_value"]), *[holm(each)] * several]
        return [numeric(each["second"]), interval(each["difference"], "+.3f"), *ps]

    own = numeric(together["mean"]["first"])
    those = "both models" if together["models"] == 2 else f"all {together['models']} models"
    return Table(
        "Mean AUC of each model, and its difference from this report's, with a 95% interval from "
        "resampled patients.",
        ["Model", "Mean AUC", Column("Difference", css="strong"), "p", *["p (Holm)"] * several],
        [
            ["This report", own, *[""] * (2 + several)],
            *([name, *cells(each)] for name, each in means.items()),
        ],
        [[f"Mean of the scores of {those}", *cells(together["mean"])]],
    )


def _table(model: Mapping[str, Any], split: str) -> Table:
    entry = model["splits"][split]

    def row(name: str, each: Mapping[str, Any]) -> list[Cell | str]:
        closed = [(each[kind] or {"p_value": None})["p_value"] for kind in ("clustered", "delong")]
        return [
            words(name),
            numeric(each["first"]),
            numeric(each["second"]),
            interval(each["difference"], "+.3f"),
            *(chance(each["p_value"]), holm(each), *map(chance, closed)),
        ]

    return Table(
        f"AUC here, AUC of {model['other']}, and the second minus the first with its 95% "
        f"interval from resampled patients, on the {split} split.",
        [
            *("Finding", "Here", "There", Column("Difference", css="strong")),
            *("p", "p (Holm)", "p (clustered)", "p (DeLong)"),
        ],
        [row(*each) for each in entry["findings"].items()],
        [row("Mean", entry["mean"])],
        sortable=True,
    )


def _drawn(entry: Mapping[str, Any], split: str, margin: float | None) -> Drawn:
    named = {**entry["findings"], "Mean": entry["mean"]}
    areas = {words(name): each["difference"] for name, each in named.items()}
    dashed = [] if margin is None else [-margin, margin]
    return forest(
        "Differences of AUC with their intervals, drawn; the table before holds the numbers."
        f"{' The dashed lines are the margin on either side.' if dashed else ''}",
        ("Finding", "Difference, drawn", "Difference"),
        [(name, area, "mean" if name == "Mean" else split) for name, area in areas.items()],
        nice_limits(list(areas.values()), include=[0, *dashed]),
        means=1,
        reference=0.0,
        dashed=dashed,
        form="+.3f",
        hide_caption=not dashed,
    )
