# SPDX-License-Identifier: MIT
"""What the comparison says by a margin that was given beforehand, and of a later study."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from preprocessing.contract.tables import Cell, Column, Table, interval
from preprocessing.contract.wording import ends, number, words
from trainer.evaluation.later_study import POWER, STUDIES, Plan
from trainer.report.sections.comparison_words import chance, p_text

Model = Mapping[str, Any]


def later_study(split: str, patients: int, plans: Sequence[Plan]) -> dict[str, Any] | None:
    """Returns what a later study needs as the report holds it; None without a plan."""
    about = {"split": split, "patients": patients, "power": POWER, "studies": STUDIES}
    return about | {"plans": [dataclasses.asdict(plan) for plan in plans]} if plans else None


def unsettled(difference: Mapping[str, Any], margin: float) -> bool:
    """Whether there is a 95% interval, and some of it lies inside the margin."""
    low, high = difference["low"], difference["high"]
    return low is not None and low <= margin and high >= -margin


def sentence(model: Model, split: str, margin: float) -> str:
    """Says what follows for a model from the margin, on one split."""
    mean, name = model["splits"][split]["mean"], model["other"]
    seen = f"95% interval {ends(mean['difference'], '+.3f')}"
    no_worse, equivalent = (mean["within"][key] for key in ("no_worse", "equivalent"))
    given = f"the margin of {margin:g} that was given beforehand"
    if no_worse["p_value"] is None:
        return f"Nothing can be tested against {given}."
    if not unsettled(mean["difference"], margin):
        side = "better" if mean["difference"]["value"] > 0 else "worse"
        return f"{name} is {side} by more than {given} ({seen})."
    p = p_text(_p(no_worse))
    if not no_worse["shown"]:
        return f"It is not shown that {name} is no worse by {given} (p {p}, {seen})."
    same = "both are equivalent" if equivalent["shown"] else "that both are equivalent is not shown"
    return (
        f"{name} is no worse by {given} (p {p}); {same} (90% interval "
        f"{ends(equivalent, '+.3f')}, p {p_text(_p(equivalent))})."
    )


def _p(claim: Mapping[str, Any]) -> float | None:
    corrected: float | None = claim["p_holm"]
    return claim["p_value"] if corrected is None else corrected


def table(model: Model, split: str, margin: float) -> Table:
    """Returns both claims for every finding and the mean."""

    def row(name: str, each: Mapping[str, Any]) -> list[Cell | str]:
        no_worse, equivalent = (each["within"][key] for key in ("no_worse", "equivalent"))
        return [
            words(name),
            interval(each["difference"], "+.3f"),
            _shown(no_worse),
            chance(_p(no_worse)),
            ends(equivalent, "+.3f"),
            _shown(equivalent),
            chance(_p(equivalent)),
        ]

    entry = model["splits"][split]
    return Table(
        f"By the margin of {margin:g} given beforehand, on the {split} split: whether "
        f"{model['other']} is no worse, and whether both are equivalent. p are one-sided, of the "
        "findings after Holm.",
        [
            *("Finding", Column("Difference", css="strong"), Column("No worse", "text"), "p"),
            *("90% interval", Column("Equivalent", "text"), "p"),
        ],
        [row(name, each) for name, each in entry["findings"].items()],
        [row("Mean", entry["mean"])],
    )


def _shown(claim: Mapping[str, Any]) -> str:
    if claim["p_value"] is None:
        return "not tested"
    return "shown" if claim["shown"] else "not shown"


def of_later_study(model: Model, margin: float) -> str:
    """Says how many patients a later study needs, of a model that holds that."""
    found = model["later_study"]
    needs = []
    for plan in found["plans"]:
        seen = f"the difference seen here, {number(plan['difference'], '+.3f')}, is the true one"
        if_so = f"if {seen if plan['difference'] else 'in truth both have the same mean AUC'}"
        if plan["patients"] is None:
            needs.append(f"no number is enough {if_so}")
            continue
        about, tried = "about", ""
        if plan["shown"] is not None:
            # Larger ones were not tried: the patients here are too few to draw them from.
            about = "more than" if plan["shown"] < found["power"] - 0.1 else about
            tried = (
                f" ({plan['shown']:.0%} of {found['studies']} such studies drawn here showed it)"
            )
        needs.append(f"{about} {_rounded(plan['patients'])} patients with this mix {if_so}{tried}")
    return (
        f"To show with {found['power']:.0%} power that {model['other']} is no worse by {margin:g} "
        f"in mean AUC, a later study needs {', and '.join(needs)}. Here there are "
        f"{found['patients']:,}."
    )


def _rounded(patients: int) -> str:
    """A number of patients with the two digits that are worth telling, rounded up.

    >>> _rounded(1834), _rounded(101), _rounded(7)
    ('1,900', '110', '7')
    """
    step = 10 ** max(0, len(str(patients)) - 2)
    return f"{math.ceil(patients / step) * step:,}"


def notes(margin: float | None, models: Sequence[Model]) -> list[str]:
    """Says how the claims are tested, or that nothing is."""
    if margin is None:
        return [
            "No margin was given, so nothing is said of being no worse or equivalent: a margin has "
            "to be fixed before the figures are seen, and then given with --margin."
        ]
    found = [
        f"No worse is shown where the 95% interval lies above {number(-margin, 'g')} and p is "
        "below 0.025; equivalent, where the 90% interval lies inside the margin on both sides and "
        "p is below 0.05; worse or better by more than the margin, where the 95% interval lies "
        "beyond it. p are one-sided, from the same resamples, and corrected after Holm "
        "within the findings of all models, and within the means where there are several models. "
        "To ask whether this report's model is no worse, swap the files.",
    ]
    if any(model["later_study"] for model in models):
        found.append(
            "The number of patients of a later study takes the spread seen here, which falls with "
            "the root of the number of patients, and assumes patients with as many images, as many "
            "findings and as much agreement of both models as here. It is raised until about that "
            "share of the studies that are drawn shows it, as far as the patients here allow. "
            "Nothing is assumed of how much the models would change."
        )
    return found
