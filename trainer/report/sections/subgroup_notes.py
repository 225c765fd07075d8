# SPDX-License-Identifier: MIT
"""What the section on subgroups says in words: what its figures mean, and what they do not."""

from collections.abc import Iterator, Mapping
from typing import Any

from preprocessing.contract.wording import counted, estimate, words
from trainer.evaluation.grouping import UNKNOWN
from trainer.predictions.metadata_columns import AGE_BOUNDS

_CHILDREN = "under 18 years"
_FACTS = {"sex": "sexes", "follow_up": "follow-up numbers"}
_FIXED = (
    "A group is measured on its own images alone. The AUC of all images can lie above that of "
    "every group: where sicker patients are filmed in another view, telling the views apart is "
    "enough to rank many pairs, and inside a group that no longer helps. A group below all images "
    "is therefore not by itself treated worse than the others; the difference between groups says "
    "more.",
    "The groups differ in more than their name. Patients radiographed at the bedside (AP) are "
    "sicker, one ward has its own machine, the frequently followed are few and resemble each "
    "other. The figures show where the model does worse, not why, and one group may be a proxy for "
    "another.",
    "One patient can have images in several groups of age, view, follow-up number or detector. "
    "Differences are taken in the same resamples of patients, which counts that.",
)
_RATES = (
    "TPR is the share of images with a finding that are called, FPR that of images without it. "
    "Both are at one threshold a finding, the same for all groups, chosen on {} by "
    "Youden's index. A lower TPR in a group means that its findings are missed more often. "
    "Published models underdiagnosed women and the young more often than others "
    "(Seyyed-Kalantari et al., Nature Medicine 2021; 27:2176-2182). A group with higher TPR and "
    "higher FPR is called more often, as where a finding is more common or more severe; which of "
    "the two it is, rates do not say."
)


def notes_on(section: Mapping[str, Any]) -> list[str]:
    """Returns the statements of the section.

    Args:
        section: the section but for its notes.
    """
    counts = section["comparisons"]["auc"]
    few = section["fewest"]
    notes = [*_joined(section), *_FIXED]
    if section["thresholds"]["reason"] is None:
        notes.append(_RATES.format(section["thresholds"]["chosen_on"]))
        notes += _widest(section)
    else:
        notes.append(f"Without TPR and FPR. {section['thresholds']['reason']}.")
    notes.append(
        f"A mark says that the interval of a group's difference from the largest group leaves out "
        f"0. Of {counts['intervals']:,} such intervals of AUCs about "
        f"{0.05 * counts['intervals']:.0f} would do so by luck if no group differed from the "
        f"largest; {counts['outside']:,} do. No correction for their number was made: a single "
        "mark is a place to look, not a proof."
    )
    notes.append(
        f"A finding with fewer than {few} patients with it or without it in a group is named there "
        "and has no figures. A rate of 0 or 1 has no interval, nor has a difference from it: "
        "patients drawn again would all give the same, which says nothing of others."
    )
    notes += _children(section)
    return notes


def averaged(division: Mapping[str, Any], section: Mapping[str, Any]) -> str:
    """Says which findings the means of a division are over."""
    names = [words(name) for name in division["averaged"]]
    total = len(section["overall"])
    small = [group["name"] for group in division["groups"] if _is_small(group)]
    if not names:
        return "No finding has enough images in every group, so that no mean is defined."
    text = f"All means are over the same {len(names)} of {total} findings"
    left = [words(name) for name in section["overall"] if name not in division["averaged"]]
    text += f", without {', '.join(left)}." if left else "."
    if small:
        text += f" Too small for a mean: {', '.join(small)}."
    return text


def too_few(division: Mapping[str, Any]) -> str:
    """Names the findings that have too few images in a group; empty where there is none."""
    parts = []
    for group in division["groups"]:
        named = [
            f"{words(name)} ({entry['positives']:,} with it, {entry['negatives']:,} without)"
            for name, entry in group["findings"].items()
            if entry["too_few"]
        ]
        if named:
            parts.append(f"{group['name']}: {', '.join(named)}")
    return f"Too few patients for figures; of images: {'; '.join(parts)}." if parts else ""


def _is_small(group: Mapping[str, Any]) -> bool:
    return group["mean"]["auc"]["value"] is None


def _joined(section: Mapping[str, Any]) -> Iterator[str]:
    joined = section["joined"]
    if joined["by"] == "patient":
        yield (
            f"No image of the {section['split']} split is in the metadata by its name, so "
            f"{joined['images']:,} of {joined['of']:,} images were joined on their patient, and "
            "only by sex, which does not change from image to image of a patient."
        )
    else:
        text = (
            f"{joined['images']:,} of {joined['of']:,} images are in the metadata by name and "
            f"patient; the others are the group {UNKNOWN!r}."
        )
        yield text if joined["images"] < joined["of"] else text.partition(";")[0] + "."
    differing = joined["differing_labels"]
    if differing is not None:
        total = sum(differing.values())
        named = ", ".join(f"{name} {count:,}" for name, count in differing.items() if count)
        yield (
            f"{total:,} labels of the predictions differ from the metadata's ({named}); those of "
            "the predictions were used."
            if total
            else "Every label that both name is the same in the predictions and the metadata."
        )
    for name, count in joined["refused"].items():
        if name == AGE_BOUNDS:
            yield (
                f"{count:,} ages of the metadata file are bounds, such as 85 or more: each counts "
                "as the least age that it allows."
            )
            continue
        yield (
            f"{count:,} {_FACTS.get(name, f'{name}s')} of the metadata file cannot be and were "
            "taken as unknown."
        )
    for name in section["left_out"]:
        yield f"Not divided by {name.replace('_', '-')}: fewer than two groups of it are known."


def _widest(section: Mapping[str, Any]) -> Iterator[str]:
    """The largest difference in true positive rate that its interval sets apart from 0."""
    gaps = [
        (abs(gap["value"]), entry["minus_reference"], finding, group["name"], division["reference"])
        for division in section["divisions"]
        for group in division["groups"]
        if group["name"] != UNKNOWN
        for finding, entry in group["findings"].items()
        if not entry["too_few"] and entry["minus_reference"] is not None
        for gap in [entry["minus_reference"]["tpr"]]
        if gap["low"] is not None and not gap["low"] <= 0 <= gap["high"]
    ]
    if gaps:
        _, gap, finding, group, reference = max(gaps, key=lambda item: item[0])
        tpr, fpr, auc = (estimate(gap[key], "+.3f") for key in ("tpr", "fpr", "auc"))
        yield (
            f"The widest difference in TPR that its interval sets apart from 0: "
            f"{words(finding)}, {group} minus {reference}, {tpr}; in FPR {fpr}, in AUC {auc}. "
            "Where both rates move alike and the AUC does not, scores are shifted, not worse at "
            "telling images apart. It was picked as the widest of many: new patients would on "
            "average show a smaller one."
        )


def _children(section: Mapping[str, Any]) -> Iterator[str]:
    for division in section["divisions"]:
        for group in division["groups"]:
            if group["name"] == _CHILDREN:
                yield (
                    f"Children: {counted(group['images'], 'image')} of "
                    f"{counted(group['patients'], 'patient')} under 18. Their chests differ from "
                    "adults', and a model learns mostly from adults."
                )
