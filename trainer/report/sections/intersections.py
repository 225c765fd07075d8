# SPDX-License-Identifier: MIT
"""The part of the section on subgroups that crosses sex, age and view."""

from collections.abc import Mapping, Sequence
from typing import Any

from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import counted, estimate
from trainer.evaluation.subgroups import FEWEST
from trainer.report.figures.plots import nice_limits
from trainer.report.parts import Heading, Notes, Part, Words, forest

_ALPHA = 0.05
_COUNTS = ("images", "patients", "findings")
MEASURES = {"auc": "AUC", "tpr": "true positive rate", "fpr": "false positive rate"}
_NOTES = (
    "Each group is measured within itself and set against the mean of the other groups, weighted "
    "by images, over the findings that it has figures of; both in the same resamples of patients. "
    "p is of that difference, from its spread taken as normal, and corrected after Holm for all "
    "tests of this table (Scandinavian Journal of Statistics 1979; 6:65-70).",
    f"A finding counts in a group with {FEWEST} patients with it and {FEWEST} "
    "without it, a group with half of the findings. What does not differ after correction may "
    "still differ: small groups show only large differences.",
)


def parts(found: Mapping[str, Any], measures: Sequence[str]) -> list[Part]:
    """Returns which groups differ, the figures of each, and the groups that are too small.

    Args:
        found: as the section on subgroups holds it.
        measures: keys of the measures to show.
    """
    groups = sorted(found["groups"], key=lambda group: group["minus_others"]["auc"]["value"])
    shown: list[Part] = [Heading("Sex, age and view together"), Words(_summary(found), "plain")]
    if groups:
        shown.append(_table(groups, measures))
        drawn = [(group["name"], group["minus_others"]["auc"], "mean") for group in groups]
        limits = nice_limits([area for _, area, _ in drawn], include=[0])
        heads = ("Group", "AUC minus the others, drawn", "Difference")
        caption = "Mean AUC of each group minus that of the others, with its 95% interval."
        shown.append(forest(caption, heads, drawn, limits, reference=0.0, form="+.3f"))
    if found["too_small"]:
        named = "; ".join(
            f"{each['name']} ({counted(each['images'], 'image')} of "
            f"{counted(each['patients'], 'patient')})"
            for each in found["too_small"]
        )
        shown.append(Words(f"Too small for figures: {named}."))
    return [*shown, Notes(_NOTES)] if groups else shown


def columns(measures: Sequence[str], *further: str, strong: str = "") -> list[Column]:
    """Returns a column of each measure, the AUC of class `strong`, and further ones behind each."""
    found = []
    for key in measures:
        name = MEASURES[key]
        found.append(Column(f"{name[0].upper()}{name[1:]}", css=strong if key == "auc" else ""))
        found += [Column(title, of=f"of {name}") for title in further]
    return found


def _table(groups: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> Table:
    rows: list[list[Cell | str]] = []
    for group in groups:
        rows.append([group["name"], *(numeric(group[key], ",") for key in _COUNTS)])
        for key in measures:
            p = group["p_holm"][key]
            small = p is not None and p < 0.001
            rows[-1] += [interval(group["mean"][key]), interval(group["minus_others"][key], "+.3f")]
            rows[-1].append(Cell("< 0.001", value=p) if small else numeric(p))
    heads = columns(measures, "Difference", "p (Holm)")
    return Table(
        "Means over findings of each group, and their differences from the other groups, with 95% "
        "intervals; the lowest AUC for its findings first.",
        ["Group", *(key.capitalize() for key in _COUNTS), *heads],
        rows,
        sortable=True,
    )


def _summary(found: Mapping[str, Any]) -> str:
    groups = found["groups"]
    text = (
        f"{found['formed']} groups were formed, {len(groups) or 'none'} of them large enough to be "
        "set against the others."
    )
    if not groups:
        return text
    clear = [
        f"{group['name']} ({MEASURES[key]} {estimate(group['minus_others'][key], '+.3f')})"
        for group in groups
        for key, p in group["p_holm"].items()
        if p is not None and p < _ALPHA
    ]
    lowest = min(groups, key=lambda group: group["minus_others"]["auc"]["value"])
    which = f"these differ: {'; '.join(clear)}" if clear else "none differs"
    gap = estimate(lowest["minus_others"]["auc"], "+.3f")
    return (
        f"{text} After correction for {found['tests']} tests, {which}. Lowest AUC for its "
        f"findings: {lowest['name']}, {gap} from the others."
    )
