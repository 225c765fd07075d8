# SPDX-License-Identifier: MIT
"""Reads from a run's folder what is registered of it: the export, and the report's figures.

A label of Google Cloud has at most 63 lower-case letters, digits, - and _, and a resource has at
most 64 of them: a figure such as 0.8312 is spelt 0-8312, and what does not fit is in the
description alone.
"""

import dataclasses
import re
from typing import Any

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage

MOST_LABELS = 64
_LONGEST = 63
# Vertex AI bounds descriptions, too.
_LONGEST_TEXT = 2000
_FOLDER, _GRAPH = "saved_model", "saved_model/saved_model.pb"


@dataclasses.dataclass(frozen=True)
class Exported:
    """A run that is whole.

    Attributes:
        folder: of the SavedModel.
        digest: SHA-256 of the report that was made of this very network.
        labels: the figures as labels, without those of the job.
        words: the same in a sentence, with intervals.
    """

    folder: str
    digest: str
    labels: dict[str, str]
    words: str


def read(output: str) -> Exported:
    """Reads what a run has exported.

    Raises:
        DataError: the export is not complete, or has no report, or another one.
    """
    from trainer.runfolder import notes  # takes as long as a dry run, which need not wait for it

    again = "run the job with mode: all until it succeeds"
    note = notes.read_note(output, notes.EXPORT_NOTE)
    if not note or not storage.exists(storage.join(output, _GRAPH)):
        raise DataError(f"{storage.join(output, _FOLDER)} holds no complete export: {again}")
    path = storage.join(output, notes.REPORT)
    report = notes.read_note(output, notes.REPORT)
    if not report:
        raise DataError(f"{path} is missing or not complete: {again}")
    digest = storage.sha256_of(path)
    if note.get("report_sha256") != digest:
        raise DataError(
            f"{path} is not the report that the export in {output} was made with: {again}"
        )
    return Exported(
        folder=storage.join(output, _FOLDER),
        digest=digest,
        labels=_labels(report, step=note.get("step")),
        words=_words(report),
    )


def spelled(text: str) -> str:
    """Returns a text as the key or the value of a label.

    >>> spelled("Pleural Thickening"), spelled(f"{0.83124:.4f}")
    ('pleural_thickening', '0-8312')
    """
    return re.sub("[^a-z0-9_-]", "-", text.lower().replace(" ", "_"))[:_LONGEST]


def _labels(report: dict[str, Any], *, step: Any) -> dict[str, str]:
    found = {} if step is None else {"step": spelled(str(step))}
    for name, area in _areas(report):
        value = area.get("value")
        spelt = "undefined" if value is None else spelled(f"{value:.4f}")
        found.setdefault(spelled(f"auc-{name}"), spelt)
    return found


def _words(report: dict[str, Any]) -> str:
    split, entry = _chosen(report)
    figures = ", ".join(f"{name} {_interval(area)}" for name, area in _areas(report))
    count = entry.get("n")
    return f"AUC on the {count} images of {split} (95% interval): {figures}"[:_LONGEST_TEXT]


def _areas(report: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Returns the AUC of all findings on average, and of each."""
    split, entry = _chosen(report)
    each = [(name, one["auc"]) for name, one in entry.get("findings", {}).items()]
    return [(f"{split} mean", entry.get("mean_auc", {})), *each]


def _chosen(report: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns the split that counts, the test images, or else the last one."""
    splits = report.get("splits") or {}
    name = "test" if "test" in splits else next(reversed(splits), "no split")
    return name, splits.get(name, {})


def _interval(area: dict[str, Any]) -> str:
    value, low, high = (area.get(key) for key in ("value", "low", "high"))
    if value is None:
        return "undefined"
    within = f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else ""
    return f"{value:.3f}{within}"
