# SPDX-License-Identifier: MIT
"""What the report says in words: what its numbers mean, what they do not, what is not known.

Every statement is chosen by what the report holds, so that it never claims more than was
given.
"""

from collections.abc import Mapping
from typing import Any

from preprocessing.contract.wording import counted, number
from trainer.report.source import EXTERNAL, SPLIT_ORDER

FEW_POSITIVES = 100


def unknown_facts(splits: Mapping[str, Any], context: Mapping[str, Any]) -> list[str]:
    """Lists what a reader would want and this report cannot say."""
    unknown = []
    if "test" not in splits:
        unknown.append("performance on a test split: the predictions hold none")
    if "validation" not in splits:
        unknown.append("validation AUCs: the predictions hold no validation split")
    if not context.get("manifest"):
        unknown.append(
            "which files the images were read from, and how train and validation were divided"
        )
    if not (context.get("training") or context.get("series")):
        unknown.append("how the model was trained: configuration, steps, versions, hardware")
    return unknown


def notes_on(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """Returns the statements of a report, each with a stable `topic` and its `text`.

    Args:
        report: the report but for its notes.
    """
    resamples = report["request"]["bootstrap_resamples"]
    phantom = _phantom(report)
    external = report["context"].get(EXTERNAL)
    notes = {
        **({"external": _external(external)} if external else {}),
        **({"phantom": phantom} if phantom else {}),
        "auc": (
            "The AUC is the chance that an image with the finding gets a higher score than an "
            "image without it. It needs no threshold and so says nothing of how the model does at "
            "one: no sensitivity, specificity or predictive value follows from it."
        ),
        "interval": (
            f"The 95% intervals come from {resamples:,} resamples of patients, drawn with "
            "replacement, all images of a patient together, because images of one patient resemble "
            "each other. They cover the luck of which patients were tested. They do not cover "
            "another training run, another hospital or errors in the labels."
        ),
        "mean": "The mean AUC counts every finding that has an AUC once, rare or common.",
        "validation": _validation(report),
        "split": report["split_identity"]["statement"],
        "labels": (
            "The labels of ChestX-ray14 were mined from radiology reports by text processing, not "
            "read from the images, and some are wrong. An AUC against such labels measures "
            "agreement with them, which may be above or below agreement with radiologists."
        ),
        "use": (
            "For research. Not a medical device: neither the model nor this report may be used to "
            "diagnose or to treat."
        ),
    }
    if external:
        notes["labels"] = (
            "How the labels of this test were made is not known to this report, and so "
            "not what agreement with them is worth."
        )
        del notes["validation"]
    if phantom:
        del notes["labels"]
    return [{"topic": topic, "text": text} for topic, text in (notes | _caveats(report)).items()]


def _external(facts: Mapping[str, Any]) -> str:
    """Says what the test of a finished model is, and what is not known of it."""
    run = str(facts["model"])[:12] or "unknown"
    several = facts["models that were averaged"]
    model = f"a finished model (run {run}, step {facts['step']:,})"
    if several > 1:
        model = f"the mean of {several} finished models ({run})"
    text = (
        f"{facts.get('statement', 'External test: the films were handed in.')} It is of {model}. "
        f"{_brought(facts)}; nothing was chosen in this test. Films or patients among them that "
        "the model was made with, as far "
        f"as names tell: {facts.get('overlap with what the model was made with', 'not known')}."
    )
    kinds = (
        "films without labels",
        "labels without a scored film",
        "findings of the model without labels",
    )
    left = [f"{kind}: {facts[kind]}" for kind in kinds if facts[kind] not in ("0", "")]
    return f"{text} Left out: {'; '.join(left)}." if left else text


def _brought(facts: Mapping[str, Any]) -> str:
    """Says where thresholds and calibration come from, or that there are none."""
    own, lacking = (
        [name for name in ("thresholds", "calibration") if bool(facts[name]) is there]
        for there in (True, False)
    )
    if not own:
        return "It has no thresholds and no calibration"
    text = f"Its {' and its '.join(own)} come{'s' * (own == ['calibration'])} from the validation"
    return f"{text} split of its own data{''.join(f'; it has no {name}' for name in lacking)}"


def _phantom(report: Mapping[str, Any]) -> str:
    """Says that the images are a phantom's; empty where they are not, as far as was said."""
    manifest = report["context"].get("manifest")
    made = manifest.get("phantom") if isinstance(manifest, Mapping) else None
    if not made:
        return ""
    return (
        f"The images and labels are a phantom's, {made}: no picture shows a patient. The figures "
        "show that the programs work; they say nothing of how a model does on radiographs."
    )


def validation_minus_test(splits: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the mean difference of validation and test AUC over the findings that have both.

    Subtracting the two means would compare different findings where one is not defined in a split.

    Args:
        splits: the splits of the report.

    Returns:
        `value` and `findings`, how many it averages; None where no finding has both.
    """
    if not {"validation", "test"} <= set(splits):
        return None
    pairs = [
        (splits["validation"]["findings"][name]["auc"]["value"], finding["auc"]["value"])
        for name, finding in splits["test"]["findings"].items()
    ]
    differences = [first - second for first, second in pairs if None not in (first, second)]
    if not differences:
        return None
    return {"value": sum(differences) / len(differences), "findings": len(differences)}


def _validation(report: Mapping[str, Any]) -> str:
    text = (
        "The validation AUC, by which a checkpoint is usually chosen, overstates what follows: in "
        "published work on ChestX-ray14 it lies above the official test AUC by 0.015 to 0.034. "
        "Quote the test AUC."
    )
    gap = report["validation_minus_test"]
    if gap is None:
        return text
    text = (
        f"{text} Here validation minus test is {number(gap['value'], '+.3f')}, the mean over the "
        f"{gap['findings']} findings that have both."
    )
    if gap["value"] >= 0:
        return text
    return (
        f"{text} That is the other way round: the test patients were easier to rank or luck "
        "favoured them, and neither says that the model does better on new patients."
    )


def _caveats(report: Mapping[str, Any]) -> dict[str, str]:
    """Statements that only some reports need: which findings of which splits, with a number."""
    texts = {
        "few_positives": f"Fewer than {FEW_POSITIVES} patients have it, so read with caution",
        "undefined": "Not defined, and left out of the mean",
        "unknown_labels": "Images left out because their label is unknown",
        "dropped_resamples": (
            "Resamples left out because they held no positive or no negative, as happens where "
            "one patient has all of either"
        ),
        "no_interval": (
            "No interval, because there are fewer than two patients, or one patient has all the "
            "positives or all the negatives, or most resamples had no AUC"
        ),
    }
    caveats = {}
    for topic, text in texts.items():
        parts = []
        for split in (name for name in SPLIT_ORDER if name in report["splits"]):
            findings = report["splits"][split]["findings"].items()
            named = [
                f"{name}{detail}" for name, each in findings if (detail := _detail(topic, each))
            ]
            if named:
                parts.append(f"{split}: {', '.join(named)}")
        if parts:
            caveats[topic] = f"{text}. In {'; in '.join(parts)}."
    return caveats


def _detail(topic: str, finding: Mapping[str, Any]) -> str:
    """What to say behind the name of a finding that a statement concerns; nothing otherwise."""
    area = finding["auc"]
    if topic == "unknown_labels":
        return f" {finding['unknown']:,}" if finding["unknown"] else ""
    if area["value"] is None:
        lack = "positive" if not finding["positives"] else "negative"
        return f" (no {lack})" if topic == "undefined" else ""
    if topic == "few_positives":
        images, patients = finding["positives"], finding["positive_patients"]
        known = f" {counted(images, 'image')} of {counted(patients, 'patient')}"
        return known if finding["few_positives"] else ""
    if topic == "dropped_resamples":
        return f" {area['dropped_resamples']:,}" if area["dropped_resamples"] else ""
    return (
        f" ({finding['patients']} patients)"
        if area["low"] is None and topic == "no_interval"
        else ""
    )
