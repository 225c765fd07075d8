# SPDX-License-Identifier: MIT
"""A short answer to each question of a reader, from the report's own figures."""

from collections.abc import Iterator, Mapping
from typing import Any

from preprocessing.contract.wording import estimate, number, sentence, words
from trainer.evaluation.grouping import UNKNOWN
from trainer.report.sections import comparison, label_noise, operating_points_words
from trainer.report.sections.subgroups import TITLES
from trainer.report.source import headline


def answers(report: Mapping[str, Any]) -> dict[str, str]:
    """Returns an answer to each of `contents.QUESTIONS`, in a few sentences.

    Args:
        report: what `trainer.report.report.build` returned.
    """
    said = {"good": _good, "whom": _whom, "trust": _trust, "change": _change}
    return {question: " ".join(answer(report)) for question, answer in said.items()}


def _good(report: Mapping[str, Any]) -> Iterator[str]:
    split = headline(report["splits"])
    main = report["splits"][split]
    areas = {
        name: entry["auc"]
        for name, entry in main["findings"].items()
        if entry["auc"]["value"] is not None
    }
    if not areas:
        yield f"Not known: no finding has an AUC on the {split} split."
        return
    best, *_, worst = sorted([*areas, *areas], key=lambda name: -areas[name]["value"])
    many = f"over {len(areas)} findings" if len(areas) > 1 else f"of {words(best)}"
    yield (
        f"Mean AUC {estimate(main['mean_auc'])} {many}, on {main['n']:,} {split} images of "
        f"{main['patients']:,} patients."
    )
    if best != worst:
        ends = [f"{words(name)} {estimate(areas[name])}" for name in (best, worst)]
        yield f"Best: {ends[0]}; worst: {ends[1]}."
    if report["comparison"]["available"]:
        yield from comparison.sentences(report["comparison"], [*report["comparison"]["splits"]][-1])
    published = report["published"]
    if published["available"] and published["mean_auc"] is not None:
        means = [each["mean_auc"] for each in published["results"]]
        below = sum(mean < published["mean_auc"] for mean in means)
        yield f"The mean AUC lies above {below} of {len(means)} published ones on the same images."
    if any(note["topic"] == "phantom" for note in report["notes"]):
        yield "The images are a phantom's: this says nothing of radiographs."


def _whom(report: Mapping[str, Any]) -> Iterator[str]:
    split = headline(report["splits"])
    people = report["card"]["splits"][split]
    yield f"Tested on {people['images']:,} images of {people['patients']:,} patients."
    shares = (("women", "women"), ("children", "under 18 years"), ("ap", "AP view"))
    known = [f"{text} {people[key]:.0%}" for key, text in shares if people.get(key) is not None]
    if known:
        yield f"Shares of the images: {', '.join(known)}."
    if people.get("median_age") is not None:
        yield f"Median age: {people['median_age']:g} years."
    section = report["subgroups"]
    if not section["available"]:
        yield f"How it does in groups of them is not known. {sentence(section['reason'])}"
        return
    gaps = []
    for division in section["divisions"]:
        means = [
            (group["mean"]["auc"]["value"], group["name"])
            for group in division["groups"]
            if group["name"] != UNKNOWN and group["mean"]["auc"]["value"] is not None
        ]
        if len(means) > 1:
            low, high = min(means), max(means)
            title = TITLES[division["name"]].partition(",")[0].lower()
            gaps.append((high[0] - low[0], title, low, high))
    if gaps:
        _, name, low, high = max(gaps)
        yield (
            f"The widest gap in mean AUC is by {name}: {number(low[0])} ({low[1]}) against "
            f"{number(high[0])} ({high[1]})."
        )
    count = section["comparisons"]["auc"]
    yield (
        f"{count['outside']:,} of {count['intervals']:,} differences in AUC from the largest group "
        "have an interval that leaves out 0; luck alone would make about "
        f"{0.05 * count['intervals']:.0f}."
    )


def _trust(report: Mapping[str, Any]) -> Iterator[str]:
    identity, split = report["split_identity"], headline(report["splits"])
    if leak := identity["patients_in_two_splits"]:
        yield f"Not as they are: {leak:,} patients are in more than one split."
    if identity["official"] is not None:
        which = "the official test list" if identity["official"] else "not the official test list"
        yield f"The test images are {which} of ChestX-ray14."
    entries = report["splits"][split]["findings"].values()
    few = sum(entry["few_positives"] for entry in entries)
    yield (
        f"{few or 'None'} of {len(entries)} findings rest{'s' * (few < 2)} on fewer than "
        f"{report['few_positives_below']} patients who have it."
    )
    if difference := report["baselines"].get("difference"):
        yield (
            "Mean AUC minus that of the best model that sees facts of the patient and no image: "
            f"{estimate(difference['mean_auc'], '+.3f')}."
        )
    noise = report["label_noise"]
    if noise["available"] and noise["averaged"]:
        yield (
            f"Were {noise['shares'][-1]:.0%} of the positive labels wrong at random and as many "
            "positives missed, the mean AUC against the truth would be "
            f"{estimate(noise['mean']['assumed'][-1]['auc'])}."
        )
        if said := label_noise.found_wrong(report["radiologists"]):
            yield said
    mean = report["calibration"]["mean"][split]
    if mean["ece"] is not None:
        floor = mean["ece_floor"]
        chance = "" if floor is None else f", where chance alone gives {number(floor)}"
        yield f"Read as probabilities, the scores are off by {number(mean['ece'])} (ECE){chance}."


def _change(report: Mapping[str, Any]) -> Iterator[str]:
    yield from _worth(report)
    points = report["operating_points"]
    if not points["available"]:
        yield f"What its thresholds do is not known. {sentence(points['reason'])}"
        return
    rule, title = next(iter(points["rules"].items()))
    found = points["mean"][rule][points["applied_to"]]
    figures = [f"{name} {estimate(found[name])}" for name in ("sensitivity", "specificity")]
    yield (
        f"At thresholds chosen on {points['chosen_on']} by {title}: {' and '.join(figures)} on "
        f"{points['applied_to']}, on average over the findings."
    )
    yield operating_points_words.together(
        points["per_image"][rule], lambda area, form: number(area["value"], form)
    )
    yield "No threshold here is a recommendation for use."


def _worth(report: Mapping[str, Any]) -> Iterator[str]:
    """For how many findings acting by the model is better than what needs none."""
    entries = report["splits"][report["decision"]["split"]]["findings"].values()
    curves = [entry["decision_curve"] for entry in entries if entry["decision_curve"]]
    if not any(curve["low"][0] is not None for curve in curves):
        return
    low, high = report["request"]["threshold_range"]
    yield (
        f"For {sum(bool(curve['better']) for curve in curves)} of {len(entries)} findings, acting "
        f"by the model is better than working up every image and than working up none, by more "
        f"than resampling explains, at some threshold from {low:.3g} to {high:.3g}."
    )
