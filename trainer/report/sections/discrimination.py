# SPDX-License-Identifier: MIT
"""The section on how sure the areas are: three kinds of intervals, average precision, one image.

The figures are those of `report["splits"]`; this section says what they mean.
"""

from collections.abc import Mapping
from statistics import median
from typing import Any

from trainer.evaluation.intervals import LEVEL
from trainer.evaluation.one_per_patient import CHOICES
from trainer.report.markdown import NOT_DEFINED, escape, headline_split, pipe_lines
from trainer.report.source import Source
from trainer.report.statements import FEW_POSITIVES

_KINDS = {
    "auc": "patients resampled",
    "auc_image_level": "images resampled",
    "auc_delong": "DeLong",
}


def build(source: Source) -> dict[str, Any]:
    """Returns what the kinds of figures mean; the figures are in the splits of the report.

    Args:
        source: of the report.
    """
    return {
        "available": True,
        "level": LEVEL,
        "resamples": source.resamples,
        "one_per_patient_choices": CHOICES,
        "kinds": dict(_KINDS),
        "notes": _notes(source.resamples),
    }


def markdown(section: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Returns the section as Markdown."""
    split = headline_split(report)
    entry = report["splits"][split]
    lines = [*observed(entry, split), *section["notes"]]
    kinds = [*(f"{name} [95%]" for name in _KINDS.values()), "ratio to images", "ratio to DeLong"]
    return "\n\n".join(
        [
            "## Discrimination in detail",
            "\n".join(f"- {escape(line)}" for line in lines),
            f"### Three intervals of the same AUC, {split}",
            pipe_lines(["finding", "AUC", *kinds], _interval_rows(entry)),
            f"### Average precision, {split}",
            pipe_lines(
                ["finding", "positives", "prevalence", "average precision [95%]"],
                _precision_rows(entry),
            ),
            f"### One image of each patient, {split}",
            pipe_lines(
                ["finding", "patients", "AUC of all images", "AUC of one image a patient [95%]"],
                _single_rows(entry),
            ),
        ]
    )


def page(section: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the rows of the three tables, those of the findings and those at the foot."""
    split = headline_split(report)
    entry = report["splits"][split]
    return {
        "split": split,
        "entry": entry,
        "observed": observed(entry, split),
        "kinds": _KINDS,
        "rows": [{"name": name, **finding} for name, finding in entry["findings"].items()],
        "foot": [
            {"name": title, **{key: entry[f"{prefix}_{key}"] for key in (*_KINDS, "width_ratios")}}
            for prefix, title in (("mean", "Mean"), ("micro", "Micro"))
        ],
    }


def observed(entry: Mapping[str, Any], split: str) -> list[str]:
    """Says in words what the figures of a split show.

    Args:
        entry: of the split, as `trainer.report.splits.numbers_of` returned it.
        split: its name.
    """
    images = entry["n"] / entry["patients"]
    lines = []
    ratios = [
        ratio
        for finding in entry["findings"].values()
        if (ratio := finding["width_ratios"]["image_level"]) is not None
    ]
    if ratios:
        lines.append(
            f"On the {split} split a patient has {images:.1f} images on average. The intervals "
            f"from resampled patients are {min(ratios):.2f} to {max(ratios):.2f} times as wide as "
            f"those from resampled images, {median(ratios):.2f} times in the median finding."
        )
    single, every = entry["mean_auc_one_per_patient"]["value"], entry["mean_auc"]["value"]
    if entry["n"] > entry["patients"] and single is not None and every is not None:
        lines.append(
            f"With one image of each patient the mean AUC is {single:.3f}, "
            f"{abs(single - every):.3f} {'above' if single >= every else 'below'} that of all "
            "images."
        )
    return lines


def _notes(resamples: int) -> list[str]:
    """What the figures mean, and what they do not."""
    return [
        "The interval to quote is the one from resampled patients. The other two take every "
        "image as if it came from a patient of its own. Images of one patient resemble each "
        "other and so tell less than as many images of different patients: intervals that "
        "ignore this are too short wherever patients have several images. They stand here "
        "because most publications print them.",
        f"Patients and images are drawn {resamples:,} times with replacement within "
        "strata (the rarest finding that a patient or an image shows), which keeps rare "
        "findings in every resample. The interval spans the middle 95% of the resampled "
        "values, and is stretched to the value itself where that lies outside. With a perfect "
        "score, or very few positives, resampling sees too little of what could have been.",
        "DeLong: the variance in closed form (DeLong, DeLong and Clarke-Pearson, Biometrics "
        "1988), with the interval on the logit scale, which keeps it between 0 and 1.",
        "Micro AUC pools all pairs of an image and a finding into one ranking. It rewards "
        "scores that know which findings are common, so it commonly lies above the mean AUC of "
        "the same scores and must not be compared with one.",
        "Average precision (the area under the precision-recall curve): the precision averaged "
        "over the images with the finding, each at the threshold that just calls it. A score "
        "without information reaches the prevalence, so it has to be read against that, and "
        "cannot be compared between findings or data sets of different prevalence. A resample "
        "repeats its positives, so that with few of them its interval leans upward.",
        "One image of each patient: an AUC over all images is mostly about patients with many "
        "images, who were ill for long. Here every patient counts once, by an image drawn "
        f"without regard to label or score; the figure is the mean over {CHOICES} such "
        "choices. It describes other images than the AUC of all images, not a better model.",
        f"A finding with fewer than {FEW_POSITIVES} positives is flagged: its figures hang on "
        "a handful of patients. The intervals do not cover wrong labels, another training run "
        "or another hospital.",
    ]


def _interval_rows(entry: Mapping[str, Any]) -> list[list[str]]:
    rows = [
        _interval_row(_marked(name, finding), {key: finding[key] for key in _KINDS}, finding)
        for name, finding in entry["findings"].items()
    ]
    for prefix in ("mean", "micro"):
        areas = {key: entry[f"{prefix}_{key}"] for key in _KINDS}
        rows.append(_interval_row(prefix, areas, {"width_ratios": entry[f"{prefix}_width_ratios"]}))
    return rows


def _interval_row(
    name: str, areas: Mapping[str, Mapping[str, Any]], owner: Mapping[str, Any]
) -> list[str]:
    ratios = [owner["width_ratios"][key] for key in ("image_level", "delong")]
    return [
        name,
        _number(areas["auc"]["value"]),
        *(_ends(area) for area in areas.values()),
        *("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
    ]


def _precision_rows(entry: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for name, finding in entry["findings"].items():
        prevalence = finding["prevalence"]
        rows.append(
            [
                _marked(name, finding),
                f"{finding['positives']:,}",
                "-" if prevalence is None else f"{prevalence:.1%}",
                _with_ends(finding["average_precision"]),
            ]
        )
    for prefix in ("mean", "micro"):
        prevalence = entry[f"{prefix}_prevalence"]
        share = "-" if prevalence is None else f"{prevalence:.1%}"
        rows.append([prefix, "", share, _with_ends(entry[f"{prefix}_average_precision"])])
    return rows


def _single_rows(entry: Mapping[str, Any]) -> list[list[str]]:
    rows = [
        [
            _marked(name, finding),
            f"{finding['patients']:,}",
            _number(finding["auc"]["value"]),
            _with_ends(finding["auc_one_per_patient"]),
        ]
        for name, finding in entry["findings"].items()
    ]
    means = [_number(entry["mean_auc"]["value"]), _with_ends(entry["mean_auc_one_per_patient"])]
    return [*rows, ["mean", f"{entry['patients']:,}", *means]]


def _marked(name: str, finding: Mapping[str, Any]) -> str:
    return f"{name} *" if finding["few_positives"] else name


def _number(value: float | None) -> str:
    return NOT_DEFINED if value is None else f"{value:.3f}"


def _ends(area: Mapping[str, Any]) -> str:
    return "none" if area["low"] is None else f"{area['low']:.3f} to {area['high']:.3f}"


def _with_ends(area: Mapping[str, Any]) -> str:
    value = _number(area["value"])
    return value if area["low"] is None else f"{value} [{area['low']:.3f}, {area['high']:.3f}]"
