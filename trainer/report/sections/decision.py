# SPDX-License-Identifier: MIT
"""The section on decision curves: at which risk acting by the scores is worth it.

The figures are those of `report["splits"]`, under `decision_curve` of each finding of the headline
split; this section says which scores they are of and what they mean.
"""

from collections.abc import Mapping
from typing import Any

from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import words
from trainer.evaluation.decision_curves import PER, grid
from trainer.report import controls, decisions
from trainer.report.figures import charts, decision
from trainer.report.parts import Fold, Heading, Notes, Part, Words
from trainer.report.source import EXTERNAL, Source

# Thresholds that are shown as figures, where the grid holds them.
_ROUND = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9)
# Without the sign of a zero.
_FORM = "z.4f"
_NONE = "no interval"
_PROBABILITIES = (
    "A decision curve takes scores for probabilities. Where they are too high or too low (see "
    "Calibration), images are called at another risk than the threshold says: a useful model can "
    "look harmful."
)
_FIXED = (
    "A threshold probability is the risk at which somebody would just act. At 10% that is who "
    "would rather work up nine images for nothing than miss one with the finding; at 50% one for "
    "nothing weighs as much as one missed. Which thresholds are reasonable is for those who treat "
    "patients to say, before they see a curve: the range is that of --threshold_range.",
    "Net benefit: the share of all images that are rightly worked up, less the share worked up for "
    "nothing times the odds of the threshold (Vickers and Elkin, Medical Decision Making 2006). "
    "Working up no image is worth 0. A gain of 0.01 is worth what finding one more image in every "
    "100 is worth, without any more work-ups for nothing.",
    "Net interventions avoided: how many fewer of 100 images are worked up than if all were, after "
    "what is missed has been charged at the same odds (Vickers and others, BMC Medical Informatics "
    "and Decision Making 2008). Beside it is what working up none avoids: a model that calls no "
    "image avoids just that, which says nothing for the model.",
    "Intervals come from drawing patients again, with scores held fixed, and hold for one "
    "threshold at a time. Better than both means that the intervals of the net benefit and of its "
    "gain over working up every image lie above 0. Where they reach 0 a model need not be useless: "
    "too few patients look the same.",
    "Net benefit depends on how common a finding is here and on how its labels were made. It is of "
    "images, not of patients, and knows nothing of the costs of a work-up beyond the threshold.",
)


def build(source: Source) -> dict[str, Any]:
    """Returns what the scores are and what the curves mean; they are in the splits of the report.

    Args:
        source: of the report.
    """
    return {
        "available": True,
        "split": source.headline,
        "calibrated_on": decisions.calibrated_on(source),
        "shown": shown(grid(*source.asked.threshold_range)),
        "notes": [_scores(source), *_FIXED],
    }


def shown(thresholds: list[float]) -> list[float]:
    """Returns the thresholds of a grid that tables show: round ones, or both ends and the middle.

    >>> shown([0.01, 0.02, 0.03, 0.04, 0.05]), shown([0.31, 0.32, 0.33])
    ([0.01, 0.02, 0.05], [0.31, 0.32, 0.33])
    """
    found = [threshold for threshold in thresholds if threshold in _ROUND]
    return found if len(found) > 1 else [thresholds[at] for at in (0, len(thresholds) // 2, -1)]


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns what was found, the curves, the figures at a few thresholds and how to read them."""
    split = section["split"]
    findings = report["splits"][split]["findings"]
    about, *fixed = section["notes"]
    lead = [about, found(findings, split, report["request"]["threshold_range"])]
    # Of scores that may be no probabilities that is what has to be read first.
    if section["calibrated_on"] != decisions.NONE:
        lead.reverse()
    return [
        *(Words(text, "plain") for text in lead),
        *_drawn(report, split),
        Heading("At a few thresholds"),
        *_figures(section, report),
        Notes(fixed, "columns"),
    ]


def found(findings: Mapping[str, Any], split: str, limits: list[float]) -> str:
    """Says at how many thresholds each finding's scores are better than working up all, and none.

    Args:
        findings: of the split, with `decision_curve`.
        split: its name.
        limits: the lowest and the highest threshold.
    """
    low, high = map(_percent, limits)
    kinds = {
        f"{low} to {high}": "at all of them",
        "": "at some",
        "nowhere": "at none",
        _NONE: _NONE,
    }
    named: dict[str, list[str]] = {kind: [] for kind in kinds.values()}
    for name, entry in findings.items():
        named[kinds.get(_better(entry), "at some")].append(words(name))
    said = [f"{kind} for {', '.join(names)}" for kind, names in named.items() if names]
    return (
        f"Of thresholds from {low} to {high}, acting by the model is better on {split} than "
        "working up every image and than working up none, by more than resampling explains: "
        f"{'; '.join(said)}."
    )


def _better(entry: Mapping[str, Any]) -> str:
    """Where a finding's scores are better than both, in words."""
    curve = entry["decision_curve"]
    if curve is None or curve["low"][0] is None:
        return _NONE
    ranges = [
        f"{_percent(low)} to {_percent(high)}" if low < high else f"{_percent(low)} alone"
        for low, high in curve["better"]
    ]
    return ", ".join(ranges) or "nowhere"


def _drawn(report: Mapping[str, Any], split: str) -> list[Part]:
    """The curves of all findings, and those of each beside working up every image and none."""
    chart = decision.chart(report, split)
    if chart is None:
        return []
    findings = report["splits"][split]["findings"]
    figure = controls.figure(
        charts.markup(chart),
        f"Net benefit on {split} of all findings; the dashed line is working up none. Common "
        "findings lie higher: compare each with its own lines below, not with one another.",
    )
    small = [
        (name, _better(entry), decision.small(name, split, entry["decision_curve"]))
        for name, entry in findings.items()
        if decision.drawable(entry)
    ]
    return [
        controls.explorer(list(findings), figure, title="Decision curves"),
        controls.key(
            [
                (split, "by the model, with 95% interval"),
                ("", "working up every image"),
                ("chance", "working up none"),
            ],
            ". In bold: the thresholds at which the model is better than both. Each square has a "
            "height of its own.",
        ),
        controls.multiples(small),
    ]


def _figures(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Net benefit at a few thresholds; folded away, the interventions avoided at the same."""
    columns: list[Column | str] = ["Finding", Column("Better than both", "text")]
    at = [f"at {_percent(threshold)}" for threshold in section["shown"]]
    for group in at:
        columns += [Column(title, group=group, of=group) for title in ("Model", "All")]
    benefits: list[list[Cell | str]] = []
    avoided: list[list[Cell | str]] = []
    beside: list[Column | str] = ["Finding"]
    for group in at:
        beside += [Column(title, group=group, of=group) for title in ("Model", "No work-up")]
    for name, entry in report["splits"][section["split"]]["findings"].items():
        curve = entry["decision_curve"]
        benefits.append([words(name), _better(entry)])
        avoided.append([words(name)])
        for threshold in section["shown"]:
            place = curve and curve["threshold"].index(threshold)
            benefits[-1].append(interval(_area(curve, "net_benefit", place), _FORM))
            benefits[-1].append(numeric(curve and curve["treat_all"][place], _FORM))
            fewer = curve and curve["net_interventions_avoided"]
            avoided[-1].append(interval(_area(fewer, "value", place), "z.1f"))
            # Working up none is worth 0.
            gain = curve and -curve["treat_all"][place] * (1 - threshold) / threshold * PER
            avoided[-1].append(numeric(gain, "z.1f"))
    caption = (
        "Net benefit at a few thresholds, by the model with its 95% interval, and if all images "
        "were worked up. Better than both: of all thresholds, where the model is better than that "
        "and than working up none, which is worth 0."
    )
    of_all = (
        "Net interventions avoided of 100 images, against working up all: by the model with its "
        "95% interval, and by working up none."
    )
    folded = Table(of_all, beside, avoided, sortable=True)
    return [Table(caption, columns, benefits), Fold("Net interventions avoided", [folded])]


def _area(lists: Mapping[str, Any] | None, key: str, place: int) -> dict[str, float | None]:
    """A figure of a curve at one of its thresholds, with the ends of its interval."""
    keys = {"value": key, "low": "low", "high": "high"}
    return {end: lists[name][place] if lists else None for end, name in keys.items()}


def _percent(share: float) -> str:
    return f"{100 * share:.6g}%"


def _scores(source: Source) -> str:
    """Which scores the curves are of, and what follows from that."""
    origin = decisions.calibrated_on(source)
    if origin == decisions.VALIDATION:
        return (
            "Scores are calibrated as was chosen on the validation split, and judged on test: no "
            "test label took part in either."
        )
    if origin == decisions.OWN:
        return f"{decisions.OWN_SCORES}; nothing was fitted to this external test."
    if EXTERNAL in source.context:
        why = "the model brings no calibration"
    elif source.headline == "test":
        why = "the predictions hold no validation split to calibrate them on; hand in both splits"
    else:
        why = (
            "the predictions hold no test split, and scores that are calibrated on the images "
            "that they are judged by would flatter"
        )
    return f"Scores are as they are: {why}. {_PROBABILITIES}"
