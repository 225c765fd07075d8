# SPDX-License-Identifier: MIT
"""The section on wrong labels: what the figures would be if a share of the labels were wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import counted, estimate, number, words
from trainer.evaluation import label_noise
from trainer.evaluation.subgroups import FEWEST, MEASURES, Figures, measure
from trainer.report import rule_thresholds
from trainer.report.parts import Notes, Part, Words, unavailable
from trainer.report.sections import radiologists_words
from trainer.report.source import Source

# NIH states that more than 90% of the labels are right; half of that error, and a quarter of it.
SHARES = (0.025, 0.05, 0.1)
RULE = "youden"
_NOTES = (
    "Assumed: of the positive labels of a finding the stated share is wrong, and as many images "
    "with the finding are missed, so that labels are as common as the finding. NIH states that "
    "more than 90% of the labels of ChestX-ray14 are right, judged by reports and not by images.",
    "Assumed too: errors are random. Whether a label is wrong depends on the truth alone and not "
    "on what the model sees. Wrong labels then hide a part of what a model does, and the AUC "
    "against the truth follows in closed form (Menon et al., ICML 2015, PMLR 37:125-134), whether "
    "errors strike single images or all images of a patient. With as many more wrong: the "
    "labels here taken as right and as many made wrong by chance, the mean of all ways to do so.",
    "Not said: what errors do that go along with the score. A model that was trained on such "
    "labels learns their habits, and agreement with them then flatters it (Phelps and Hutson, "
    "Medical Decision Making 1995; 15:44-57). The corrected figures show what one kind of error "
    "would do. Quote the figures against the labels as they are.",
    "Intervals take the share as known and cover the luck of the tested patients only. How wrong "
    "labels are by those of radiologists, and whether at random, is told under radiologists' "
    "labels.",
)


def build(source: Source) -> dict[str, Any]:
    """Returns the figures of the headline split under assumed label errors."""
    rows, draws = source.rows(source.headline), source.draws(source.headline)
    thresholds, chosen_on = rule_thresholds.of(source, RULE)
    every, scores = np.ones(len(rows.ids), dtype=bool), rule_thresholds.scores(source)
    free = source.free_draws(source.headline)
    seen = measure(rows.labels, scores, draws, thresholds, every, free=free)
    if not seen.enough.any():
        return unavailable(
            f"No finding has {FEWEST} patients with it and {FEWEST} without it in the "
            f"{source.headline} split: give more patients."
        )
    section = {
        "available": True,
        "split": source.headline,
        "chosen_on": chosen_on or None,
        "shares": list(SHARES),
        "left_out": [name for name, on in zip(rows.findings, seen.enough, strict=True) if not on],
        **_assumed(seen, rows.findings),
    }
    return section | {"notes": [*_limits(section), *_NOTES]}


def _assumed(seen: Figures, findings: Sequence[str]) -> dict[str, Any]:
    """The figures of each finding and their means under each assumed share."""
    known = np.where(seen.enough, seen.positives + seen.negatives, np.nan)
    errors = [label_noise.balanced(share, seen.positives / known) for share in SHARES]
    true = [label_noise.corrected(seen, each) for each in errors]
    again = [each.seen_auc(seen.points["auc"]) for each in errors]
    defined = [
        ~np.isnan([each.points[name] for each in (seen, *true)]).any(axis=0) for name in MEASURES
    ]
    at = [np.flatnonzero(defined[0] & each).tolist() for each in defined]
    averaged = dict(zip(MEASURES, at, strict=True))
    return {
        "findings": {
            findings[place]: {
                "prevalence": seen.positives[place] / known[place],
                "as_labelled": seen.entry(place),
                "assumed": [
                    {
                        "missed": each.missed[place],
                        "highest_auc": each.seen_auc(1.0)[place],
                        "auc_if_again": worse[place],
                        **better.entry(place),
                    }
                    for each, better, worse in zip(errors, true, again, strict=True)
                ],
            }
            for place in np.flatnonzero(seen.enough).tolist()
        },
        "averaged": [findings[place] for place in at[0]],
        "mean": {
            "as_labelled": seen.means(averaged),
            "assumed": [
                {
                    "auc_if_again": float(worse[at[0]].mean()) if at[0] else None,
                    **better.means(averaged),
                }
                for better, worse in zip(true, again, strict=True)
            ],
        },
    }


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns the figures under each share."""
    named = [f"{share:.1%} wrong".replace(".0%", "%") for share in section["shares"]]
    rates = ("Sensitivity", "1 \N{MINUS SIGN} specificity") if section["chosen_on"] else ()
    at = "; both rates at the threshold of Youden's index, against the truth" if rates else ""
    table = Table(
        "AUC as labelled, and against the truth if the stated share of positive labels is wrong, "
        f"with 95% intervals. The last columns suppose {named[-1]}: the highest AUC that there "
        "can be against the labels, and the AUC against them if as many more were made "
        f"wrong{at}.",
        [
            *("Finding", Column("AUC as labelled", css="strong")),
            *(f"AUC, {name}" for name in named),
            *("Highest possible", "With as many more wrong", *rates),
        ],
        [[words(name), *_cells(each, rates)] for name, each in section["findings"].items()],
        [["Mean", *_cells(section["mean"], rates)]] if section["averaged"] else [],
        sortable=True,
    )
    said = f"{_summary(section)} {found_wrong(report.get('radiologists', {}))}".rstrip()
    return [Words(said, "plain"), table, Notes(section["notes"])]


def found_wrong(section: Mapping[str, Any]) -> str:
    """Says how many mined positives radiologists found wrong; nothing where none looked.

    Args:
        section: that on radiologists' labels.
    """
    known = [each for each in section.get("references", []) if each["reason"] is None]
    seen = [each["agreement"]["ppv"]["value"] for each in known]
    wrong = sorted(1 - ppv for ppv in seen if ppv is not None)
    if not wrong:
        return ""
    shares = " to ".join(dict.fromkeys(f"{end:.0%}" for end in (wrong[0], wrong[-1])))
    random = ", and not at random" if any(map(radiologists_words.if_random, known)) else ""
    return (
        f"{SHARES[-1]:.0%} is NIH's claim; radiologists found {shares} of the mined positives "
        f"wrong here ({counted(len(wrong), 'finding')}, {section['images']:,} "
        f"images){random}: see Radiologists' labels."
    )


def _cells(entry: Mapping[str, Any], rates: Sequence[str]) -> list[Cell]:
    last = entry["assumed"][-1]
    return [
        interval(entry["as_labelled"]["auc"]),
        *(_or_cannot_be(each["auc"]) for each in entry["assumed"]),
        numeric(last["highest_auc"]) if "highest_auc" in last else Cell(),
        numeric(last["auc_if_again"]),
        *(_or_cannot_be(last[key]) for key in ("tpr", "fpr")[: len(rates)]),
    ]


def _or_cannot_be(area: Mapping[str, Any]) -> Cell:
    """Returns the cell of a figure that some errors rule out."""
    return Cell("cannot be") if area["value"] is None else interval(area)


def _summary(section: Mapping[str, Any]) -> str:
    share, mean = f"{section['shares'][-1]:.0%}", section["mean"]
    if not section["averaged"]:
        return f"No finding can have {share} of its positive labels wrong at random."
    last = mean["assumed"][-1]
    return (
        f"If {share} of the positive labels of each finding were wrong and as many positives "
        f"missed, all at random, the mean AUC of {number(mean['as_labelled']['auc']['value'])} "
        f"over {len(section['averaged'])} findings would be {estimate(last['auc'])} "
        "against the truth. Were as many more made wrong, that against the labels would fall to "
        f"{number(last['auc_if_again'])}."
    )


def _limits(section: Mapping[str, Any]) -> list[str]:
    """What cannot be at these prevalences, and what was left out."""
    share, found, lines = section["shares"][-1], section["findings"], []
    if rare := [words(name) for name, each in found.items() if each["prevalence"] < share]:
        lines.append(
            f"{share:.0%} of all labels of a finding, positive and negative alike, cannot be "
            f"wrong where fewer images than that are labelled with it: {', '.join(rare)}. Rates "
            "are therefore stated of the positive labels."
        )
    if section["left_out"]:
        named = ", ".join(map(words, section["left_out"]))
        lines.append(f"Left out, with fewer than {FEWEST} patients with or without it: {named}.")
    return lines
