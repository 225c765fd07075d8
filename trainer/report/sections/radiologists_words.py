# SPDX-License-Identifier: MIT
"""What the section on radiologists' labels says in words: what was compared, what it means."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from preprocessing.contract.wording import estimate, number, words
from trainer.evaluation.radiologists import REFERENCES, Reference

IF_RANDOM = {
    "highest": "Highest possible, mined",
    "expected": "Expected, radiologists",
    "found_minus_expected": "Found minus expected",
}
_RULES = {
    "score": "the score of {names}",
    "maximum": "the larger score of {names}, since one lesion is either of them",
    "noisy_or": (
        "1 minus the product of (1 minus score) over {names}: these names overlap, and each is "
        "evidence"
    ),
}
_OTHER = {"maximum": "the largest score instead", "noisy_or": "the product rule instead"}
_FIXED = (
    "Mined labels come from the text of reports; radiologists' labels from several radiologists "
    "who looked at the image and agreed (Majkowska et al., Radiology 2020; 294:421-431). Both AUCs "
    "of a row are of the same scores on the same images: their difference is due to the labels "
    "alone.",
    "An AUC that is higher against radiologists says that errors of the mined labels hid part of "
    "what the model does. One that is lower says that the model has learned what reports say "
    "rather than what the image shows.",
    "PPV depends on how common findings are: where their share is another one than in the whole "
    "split, it is not the PPV of the mined labels at large.",
    "Airspace opacity, and nodule or mass, have no score of their own. They are given "
    "one by a choice that the AUC depends on, so what the other choice gives is named above.",
    "PPV is the share of images with the mined label in which radiologists saw it, sensitivity the "
    "share of those in which they saw it that have the mined label.",
    "Highest possible: the AUC against the mined labels of a model that is never wrong, if these "
    "errors of the mined labels were random; expected: the AUC against radiologists that would "
    "follow from that against the mined labels (Menon et al., ICML 2015, PMLR 37:125-134), without "
    "a figure where no model could have the latter. Found minus expected: below 0, the model errs "
    "along with the mined labels, which flatters its AUC against them; above 0, they hide more of "
    "what it does than random errors would.",
)


def notes_on(section: Mapping[str, Any]) -> list[str]:
    """Returns what was compared, what could not be, and what the figures mean.

    Args:
        section: the section but for its notes.
    """
    text = (
        f"{section['images']:,} images of {section['patients']:,} patients of the "
        f"{section['split']} split have radiologists' labels."
    )
    if section["in_file"] > section["images"]:
        text += (
            f" The other {section['in_file'] - section['images']:,} images of the file are not in "
            "this split and were not used."
        )
    notes = [text]
    for entry, reference in zip(section["references"], REFERENCES, strict=True):
        if entry["reason"] is not None:
            notes.append(f"{entry['name']}: not compared, because {entry['reason']}.")
        elif reference.rule != "score":
            notes.append(_stand_in(entry, reference))
        if entry["reason"] is None and (text := if_random(entry)):
            notes.append(text)
    notes += _shares([each for each in section["references"] if each["reason"] is None])
    named = ", ".join(section["unused"])
    return [*notes, f"Not used, since no finding matches it: {named}.", *_FIXED]


def _shares(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How common mined labels are here and in the split, and whether that is more than luck."""
    if not entries:
        return
    told, unlike = [], []
    for entry in entries:
        here, split, gap = (entry["common"][key] for key in ("here", "split", "difference"))
        shares = " against ".join(number(each["value"], ".1%") for each in (here, split))
        told.append(f"{entry['name']} {shares}")
        if gap["low"] is not None and not gap["low"] <= 0 <= gap["high"]:
            unlike.append(f"{entry['name']} is {'more' if gap['low'] > 0 else 'less'} common here")
    said = "; ".join(unlike) or "no share differs by more than resampling explains"
    yield (f"Images with the mined label, here against the whole split: {', '.join(told)}: {said}.")


def if_random(entry: Mapping[str, Any]) -> str:
    """Says where an AUC against mined labels is not what random errors of theirs would make."""
    highest, expected, gap = (entry["if_random"][key] for key in IF_RANDOM)
    seen, found = (entry[key]["value"] for key in ("auc_mined", "auc_radiologists"))
    if None not in (seen, highest["value"]) and highest["value"] < seen:
        why = f"no model could have more than {number(highest['value'])} against them, and this "
        why += f"one has {number(seen)}"
    elif gap["low"] is not None and not gap["low"] <= 0 <= gap["high"]:
        why = f"the AUC against radiologists would be {estimate(expected)}, not {number(found)}"
    else:
        return ""
    return f"{entry['name']}: if the mined labels were wrong at random, {why}."


def _stand_in(entry: Mapping[str, Any], reference: Reference) -> str:
    text = f"{entry['name']}: {_RULES[reference.rule].format(names=names(reference.findings))}."
    other = entry["other_rule"]
    if other is None:
        return text
    return (
        f"{text} Against radiologists, {_OTHER[other['rule']]} gives "
        f"{other['auc_radiologists']:.3f}."
    )


def names(findings: Any) -> str:
    """Writes names of findings as a list in words."""
    *others, last = [words(name) for name in findings]
    return f"{', '.join(others)} and {last}" if others else last
