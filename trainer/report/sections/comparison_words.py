# SPDX-License-Identifier: MIT
"""What the comparison of models says in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from preprocessing.contract.tables import Cell
from preprocessing.contract.wording import ends, number, words

ALPHA = 0.05

Model = Mapping[str, Any]


def summaries(models: Sequence[Model], split: str) -> list[str]:
    """Says in a sentence or two for each model what was found in a split.

    Args:
        models: that hold the split: the section, and its `further`.
        split: one of their splits.
    """
    tested = [
        each["p_holm"] is not None
        for model in models
        for each in model["splits"][split]["findings"].values()
    ]
    return [_summary(model, split, sum(tested), several=len(models) > 1) for model in models]


def _summary(model: Model, split: str, tested: int, *, several: bool) -> str:
    mean, findings = (model["splits"][split][key] for key in ("mean", "findings"))
    difference = mean["difference"]
    if difference["value"] is None:
        return f"No finding has an AUC on the {split} split, so nothing can be compared."
    if difference["value"] == difference["low"] == difference["high"] == 0:
        return (
            f"{model['other']} has the AUCs of this report in every resample of the {split} split, "
            "so no single finding differs: see whether it is the same model."
        )
    side = "above" if difference["value"] >= 0 else "below"
    sentence = (
        f"The mean AUC of {model['other']} is {abs(difference['value']):.3f} {side} that of this "
        "report"
    )
    if difference["low"] is not None:
        corrected = f", corrected {p_text(mean['p_holm'])}" if several else ""
        sentence += (
            f" (95% interval {ends(difference, '+.3f')}, p {p_text(mean['p_value'])}{corrected})"
        )
    clear = [
        words(name)
        for name, each in findings.items()
        if each["p_holm"] is not None and each["p_holm"] < ALPHA
    ]
    if not tested:
        return f"{sentence}. No single finding could be tested."
    what = "no single finding differs"
    if clear:
        what = "this finding differs" if len(clear) == 1 else "these findings differ"
        what = f"{what}: {', '.join(clear)}"
    of = " of all models" if several else ""
    return f"{sentence}. After correction for {tested} tests{of}, {what}."


def notes(models: Sequence[Model], resamples: int) -> list[str]:
    """Says what the figures mean and what they do not."""
    several, family = len(models) > 1, "for the number of findings"
    if several:
        family = "for all findings of all models of a split together, and for the means of all"
    return [
        f"The difference is the AUC of {'each model' if several else models[0]['other']} minus the "
        "AUC of this report, on the same images of the same patients. All are scored on the same "
        "resamples of patients, so that what makes a resample easy or hard cancels out.",
        f"p: how unlikely so large a difference would be if there were none, from its spread over "
        f"the same {resamples:,} resamples, taken as normal. p (Holm) is corrected {family}, of "
        "which some would differ by luck alone. A large p does not show that models are equal.",
        "p (clustered) is a test in closed form that takes patients as independent, not images "
        "(Obuchowski, Biometrics 1997): to quote where p is to be had without resampling.",
        "p (DeLong) takes images as independent, which images of one patient are not: it is "
        "commonly too small, and is here because it is what publications print.",
        "The mean of the scores is what an average of all models, this report's too and each with "
        "one weight, would have given. Nobody chose it before, so it is not in the correction.",
        "A difference says nothing of its cause. Two runs of one recipe with different seeds "
        "differ too, and the interval covers the luck of the tested patients only, not that of "
        "training.",
    ]


def left_out(models: Sequence[Model]) -> list[str]:
    """Says which splits could not be compared."""
    found = []
    for model in models:
        if splits := model["splits_of_one_file"]:
            whose = f" for {model['other']}" if len(models) > 1 else ""
            found.append(
                f"Not compared{whose}, because only one of the files has it: {', '.join(splits)}."
            )
    return found


def p_text(value: float | None) -> str:
    """A p-value as publications print it.

    >>> p_text(0.04), p_text(0.0001), p_text(None)
    ('0.040', '< 0.001', 'not defined')
    """
    return "< 0.001" if value is not None and value < 0.001 else number(value)


def chance(value: float | None) -> Cell:
    """Returns the cell of a p-value."""
    return Cell(p_text(value), value=value)


def holm(entry: Mapping[str, Any]) -> Cell:
    """Returns the cell of a corrected p-value; a single mean is tested and needs no correction."""
    alone = entry["p_holm"] is None is not entry["p_value"]
    return Cell("not corrected") if alone else chance(entry["p_holm"])
