# SPDX-License-Identifier: MIT
"""What the card states of the model, its data and its training, from what was handed in."""

from collections.abc import Mapping
from typing import Any

from trainer.report.official_split import list_sha256
from trainer.report.parts import flatten
from trainer.report.sections import card_words as words
from trainer.report.source import EXTERNAL, Source

Facts = dict[str, Any]


def facts_of(source: Source, name: str) -> Mapping[str, Any]:
    """Returns a part of the context; empty where it was not handed in."""
    return mapping(source.context.get(name))


def is_phantom(source: Source) -> bool:
    """Tells whether the manifest says that the images are a phantom's."""
    return bool(facts_of(source, "manifest").get("phantom"))


def mapping(value: Any) -> Mapping[str, Any]:
    """Returns the value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def external(source: Source) -> Facts:
    """Returns which model an external test is of; nothing for another report."""
    own = facts_of(source, EXTERNAL)
    if not own:
        return {}
    return {
        "in one sentence": own.get("statement"),
        "model (identity of its run)": own.get("model"),
        "step": own.get("step"),
        "models that were averaged": own.get("models that were averaged"),
        **{
            name: "from the validation split of the model's own data" if own.get(name) else "none"
            for name in ("thresholds", "calibration")
        },
        "films or patients that it was made with": own.get(
            "overlap with what the model was made with", "not known whether any is among these"
        ),
    }


def lists(source: Source, identity: Mapping[str, Any], manifest: Mapping[str, Any]) -> Facts:
    """Returns how images came to splits, and the hashes of lists."""
    given = mapping(manifest.get("list_hashes"))
    return {
        "how images came to splits": manifest.get("split_method"),
        **{
            f"SHA-256 of the {split} image names": list_sha256(source.rows(split).ids.tolist())
            for split in source.splits
        },
        "SHA-256 of the official test list": (
            None if identity["official"] is False else identity["official_sha256"]
        ),
        **{f"SHA-256 of the list {name}": value for name, value in given.items()},
    }


def model(source: Source, training: Mapping[str, Any]) -> Facts:
    """Returns what the settings say of the model, and which checkpoint it is."""
    config = facts_of(source, "config")
    settings = {f"model.{name}": value for name, value in mapping(config.get("model")).items()}
    return {
        "findings, one probability each": ", ".join(source.predictions.findings),
        "input": _input(mapping(config.get("data"))),
        **settings,
        "checkpoint": _checkpoint(training),
    }


def views(source: Source) -> Any:
    """Returns over which views of a picture scores are averaged; None where that is not known."""
    of_run = mapping(facts_of(source, "config").get("evaluation")).get("views")
    said = facts_of(source, EXTERNAL).get("views that were averaged", of_run)
    return words.VIEWS.get(said, said)


def _input(data: Mapping[str, Any]) -> str | None:
    size = data.get("image_size")
    return None if size is None else f"frontal radiograph, grey, {size} x {size} pixels"


def _checkpoint(training: Mapping[str, Any]) -> str | None:
    step, auc = training.get("best_step"), training.get("best_validation_mean_auc")
    if step is None:
        return None
    by = "loss, with a " if training.get("monitor") == "loss" else ""
    chosen = "" if auc is None else f", chosen for its validation {by}mean AUC of {auc:.4f}"
    return f"step {step:,}{chosen}"


def data(manifest: Mapping[str, Any], of_chestxray14: bool) -> Facts:
    """Returns where the images and labels come from, and what became of the rows."""
    named = dict(words.CHESTXRAY14) if of_chestxray14 else {}
    sources = mapping(manifest.get("sources"))
    stored = manifest.get("stored_size")
    return {
        **named,
        "a phantom, not patients": manifest.get("phantom"),
        "identity of the preprocessed data (SHA-256 of the manifest)": manifest.get("identity"),
        "written by": manifest.get("writer"),
        "stored pictures": stored and f"{stored} x {stored}, 8-bit grey",
        **{f"SHA-256 of {name}": value for name, value in sources.items()},
        **{
            f"{name}, preprocessed": f"{part.get('examples'):,} images of "
            f"{part.get('patients'):,} patients"
            for name, part in mapping(manifest.get("splits")).items()
            if isinstance(part, Mapping) and {"examples", "patients"} <= set(part)
        },
        **{f"rows: {name}": value for name, value in mapping(manifest.get("counters")).items()},
    }


def training(training: Mapping[str, Any], config: Mapping[str, Any]) -> Facts:
    """Returns what the run noted, and the seed; all settings are in the provenance."""
    known = (
        {name: text for name, text in flatten(training) if text != "unknown"} if training else {}
    )
    return {"seed": config.get("seed"), **known}
