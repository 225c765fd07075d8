# SPDX-License-Identifier: MIT
"""The section that is model card and data sheet: what the model is for, made of, and judged by."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from preprocessing.contract import patients as people
from preprocessing.contract.tables import Cell, Table, numeric
from trainer.predictions import metadata
from trainer.predictions.metadata import Metadata
from trainer.predictions.table import Predictions
from trainer.report import official_split
from trainer.report.parts import Fold, Notes, Part, facts_table
from trainer.report.sections import card_facts
from trainer.report.sections import card_words as words
from trainer.report.source import EXTERNAL, Source, called

_ADULT = 18
_NAME = "ChestX-ray14"
_SPLITS = {
    "images": ("images", ","),
    "patients": ("patients", ","),
    "known": ("images with metadata", ","),
    "women": ("women, share of images", ".1%"),
    "median_age": ("median age, years", "g"),
    "children": ("under 18 years, share of images", ".1%"),
    "ap": ("AP view, share of images", ".1%"),
}


def build(source: Source) -> dict[str, Any]:
    """Returns the card: groups of words and of facts, and what is not known.

    Args:
        source: nothing is stated that is neither in it nor true of every such model.
    """
    identity = official_split.of(source)
    manifest, training = (card_facts.facts_of(source, name) for name in ("manifest", "training"))
    of_chestxray14 = _is_chestxray14(identity, manifest)
    leak = identity["patients_in_two_splits"]
    return {
        "available": True,
        "notes": [
            "For research. Not a medical device: neither the model nor this report may be used to "
            "diagnose or to treat.",
            "Everything here was handed in, computed from what was handed in, or is published of "
            "the data set. What was not given is listed as not known.",
        ],
        "data_set": "phantom" if manifest.get("phantom") else _NAME if of_chestxray14 else None,
        "groups": [
            group
            for group in _groups(source, identity, of_chestxray14)
            if group["words"] or group["facts"]
        ],
        "leak_check": {"patients_in_two_splits": leak, "splits": list(source.splits)},
        "splits": {name: _people(source.rows(name), source.metadata) for name in source.splits},
        "not_known": _not_known(source, manifest, training, of_chestxray14),
    }


def _groups(
    source: Source, identity: Mapping[str, Any], of_chestxray14: bool
) -> list[dict[str, Any]]:
    """The parts of the card, in order, some of them perhaps empty."""
    manifest, training = (card_facts.facts_of(source, name) for name in ("manifest", "training"))
    leak = identity["patients_in_two_splits"]
    return [
        _group("Intended use", words.INTENDED),
        _group("Out of scope", words.OUT_OF_SCOPE),
        _group(called(source.context), rows=card_facts.external(source)),
        _group("Model", rows=card_facts.model(source, training)),
        _group("Data", rows=card_facts.data(manifest, of_chestxray14)),
        _group(
            "Split",
            [identity["statement"], _leak(source, leak)],
            card_facts.lists(source, identity, manifest),
        ),
        _group(
            "Training run",
            rows=card_facts.training(training, card_facts.facts_of(source, "config")),
        ),
        _group("Evaluation", rows=_evaluation(source)),
        _group("Limits", _limits(manifest, of_chestxray14)),
        _group("Ethics", words.ETHICS if manifest.get("phantom") else words.ETHICS_OF_PATIENTS),
    ]


def _group(
    title: str, sentences: Any = (), rows: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A heading with sentences and facts; facts that are not there are left out."""
    facts = {name: value for name, value in (rows or {}).items() if value not in (None, "", {}, [])}
    return {"title": title, "words": list(sentences), "facts": facts}


def _limits(manifest: Mapping[str, Any], of_chestxray14: bool) -> tuple[str, ...]:
    if manifest.get("phantom"):
        return words.PHANTOM_LIMITS
    return words.CHESTXRAY14_LIMITS if of_chestxray14 else words.OTHER_LIMITS


def _is_chestxray14(identity: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """Whether it was said, or the test images show, that these are images of ChestX-ray14."""
    if manifest.get("phantom"):
        return False
    parameters = manifest.get("parameters")
    said = parameters.get("source") if isinstance(parameters, Mapping) else None
    return (
        said == "nih"
        or manifest.get("official_split") is True
        or identity["certainty"] in ("proven", "probable")
    )


def _leak(source: Source, leak: int) -> str:
    names = ", ".join(source.splits)
    if len(source.splits) < 2:
        return (
            f"The predictions hold one split only ({names}), so that no patient can be in two of "
            "them here; of the images that the model was trained on they say nothing."
        )
    return (
        f"Leak check, on the predictions themselves: {leak:,} patients are in more than one of the "
        f"splits {names}."
    )


def _evaluation(source: Source) -> dict[str, Any]:
    thresholds = "chosen on validation, never on test, where both splits are here"
    if EXTERNAL in source.context:
        own = source.context[EXTERNAL].get("thresholds")
        thresholds = "the model's own, chosen before this test" if own else "none"
    return {
        "figures": "AUC, average precision, sensitivity, specificity and more, each in its section",
        "intervals": f"95%, {source.resamples:,} resamples of patients, seed {source.seed}",
        "views of a picture whose scores are averaged": card_facts.views(source),
        "thresholds": thresholds,
        "compared with": ", ".join(source.compared),
    }


def _people(rows: Predictions, known: Metadata | None) -> dict[str, Any]:
    """Who is in a split; shares are of the images where the fact is known, None where of none."""
    found: dict[str, Any] = {
        "images": len(rows.ids),
        "patients": people.count(rows.patients),
        "known": 0,
    }
    if known is None:
        return found
    joined = metadata.join(known, rows.ids, rows.patients)
    joined = joined[joined >= 0]
    sex, age, view = known.sex[joined], known.age[joined], known.view[joined]
    aged = age[age >= 0]
    return {
        **found,
        "known": len(joined),
        "women": _share(sex[sex != ""] == "F"),
        "median_age": float(np.median(aged)) if len(aged) else None,
        "children": _share(aged < _ADULT),
        "ap": _share(view[view != ""] == "AP"),
    }


def _share(flags: Any) -> float | None:
    return float(np.mean(flags)) if len(flags) else None


def _not_known(
    source: Source, manifest: Mapping[str, Any], training: Mapping[str, Any], of_chestxray14: bool
) -> list[str]:
    versions = card_facts.mapping(training.get("versions"))
    lacking = {
        "which data set the images are of, and its terms of use": of_chestxray14
        or bool(manifest.get("phantom")),
        "which files and lists the data were made from": bool(manifest),
        "how the model was trained: steps, time, devices, versions": bool(training),
        "its settings and its seed": bool(card_facts.facts_of(source, "config")),
        "the version of the program that trained it": bool({"cxr14", "revision"} & set(versions)),
        "the make of the accelerators": "hardware" in training,
        "age, sex and view of the patients in each split": source.metadata is not None,
        "how it does on validation": "validation" in source.splits,
        "how it does on test": "test" in source.splits,
    }
    return [fact for fact, there in lacking.items() if not there] + list(words.NEVER_KNOWN)


def parts(section: dict[str, Any], report: dict[str, Any]) -> list[Part]:
    """Returns the groups, each folded, and what is not known."""
    shown: list[Part] = [Notes(section["notes"])]
    for group in section["groups"]:
        inner: list[Part] = [Notes(group["words"])] if group["words"] else []
        if group["facts"]:
            inner.append(facts_table(group["title"], group["facts"]))
        if group["title"] == "Split":
            inner.append(_table_of_people(section["splits"]))
        shown.append(Fold(group["title"], inner, opened=bool(group["words"])))
    return [*shown, Fold("Not known", [Notes(section["not_known"])], opened=True)]


def _table_of_people(splits: Mapping[str, Mapping[str, Any]]) -> Table:
    rows: list[list[Cell | str]] = []
    for key, (title, form) in _SPLITS.items():
        values = [split.get(key) for split in splits.values()]
        # Without metadata all that would be said of people is that nothing is known.
        if any(value is not None for value in values) and (key != "known" or any(values)):
            rows.append([title, *(numeric(value, form) for value in values)])
    columns = ["Images and patients", *(split.capitalize() for split in splits)]
    return Table("Who is in each split.", columns, rows)
