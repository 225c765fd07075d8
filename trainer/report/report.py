# SPDX-License-Identifier: MIT
"""The report as data, and the files that it becomes.

`report.json` holds everything; the pages `report.md` and `report.html` and the table `aucs.csv`
show nothing that is not in it. It is written last: where it lies, the report is complete.
"""

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from preprocessing.contract import storage
from preprocessing.contract.errors import UsageError
from trainer.evaluation import intervals
from trainer.predictions import Predictions, fingerprint, read
from trainer.report import html, markdown
from trainer.report.markdown import table
from trainer.report.splits import numbers_of
from trainer.report.statements import (
    FEW_POSITIVES,
    notes_on,
    split_identity,
    unknown_facts,
    validation_minus_test,
)

__all__ = ["SCHEMA_VERSION", "build", "from_files", "table", "write"]

SCHEMA_VERSION = 1
_FILES = ("report.html", "report.md", "aucs.csv", "report.json")

Report = dict[str, Any]


def build(
    predictions: Predictions, *, context: Mapping[str, Any], bootstrap_resamples: int, seed: int
) -> Report:
    """Computes the content of report.json.

    Args:
        predictions: one or more splits; each that has rows is reported.
        context: what is known beyond the predictions; may be empty. `context["manifest"]`
            describes the data set (`official_split`: true where train_val_list.txt and
            test_list.txt of ChestX-ray14 made the split; hashes, counts), `context["training"]`
            the run (steps, config, versions, hardware, seconds). All of it is shown as it is.
        bootstrap_resamples: resamples of patients for the intervals, 1 or more.
        seed: of the resamples.

    Returns:
        Plain dicts, lists, strings, finite numbers, booleans and None, ready for JSON. An AUC that
        is not defined is None. `from_files` adds the hash and the name of the predictions file.

    Raises:
        UsageError: `bootstrap_resamples` is below 1.
    """
    if bootstrap_resamples < 1:
        raise UsageError(f"bootstrap_resamples is {bootstrap_resamples}; use 1000, or 1 or more")
    facts = plain(dict(context))
    splits = {
        name: numbers_of(predictions.select(name), resamples=bootstrap_resamples, seed=seed)
        for name in predictions.split_names
    }
    report: Report = {
        "schema_version": SCHEMA_VERSION,
        "request": _request(facts, bootstrap_resamples, seed),
        "predictions": _about(predictions),
        "interval": {"level": intervals.LEVEL, "method": "percentile, bootstrap of patients"},
        "findings": list(predictions.findings),
        "few_positives_below": FEW_POSITIVES,
        "splits": splits,
        "validation_minus_test": validation_minus_test(splits),
        "split_identity": split_identity(splits, facts),
        "unknown": unknown_facts(splits, facts),
        "context": facts,
    }
    report["notes"] = notes_on(report)
    return report


def write(output_folder: str, report: Report) -> None:
    """Writes report.html, report.md, aucs.csv and, last, report.json into `report/`.

    Args:
        output_folder: the output folder of the run, local or gs://.
        report: what `build` returned.
    """
    folder = storage.join(output_folder, "report")
    content = {
        "report.html": html.render(report),
        "report.md": markdown.render(report),
        "aucs.csv": _aucs_csv(report),
        "report.json": _json(report),
    }
    storage.make_folder(folder)
    # An older report.json would call the new pages complete while they are being written.
    if storage.exists(storage.join(folder, "report.json")):
        storage.delete(storage.join(folder, "report.json"))
    for name in _FILES:
        storage.write_text(storage.join(folder, name), content[name])


def from_files(
    *,
    predictions_path: str,
    output: str,
    context: Mapping[str, Any],
    bootstrap_resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Reads predictions and writes the report on them, unless it is there already.

    Args:
        predictions_path: .csv, .npz or .parquet, local or gs://.
        output: the output folder of the run; the report goes into its `report/`.
        context: as for `build`.
        bootstrap_resamples: as for `build`.
        seed: as for `build`.

    Returns:
        The content of report.json. An existing report of the same predictions (by SHA-256), the
        same settings and the same context is returned as it is.

    Raises:
        DataError: the predictions cannot be used; the text says why.
        UsageError: `bootstrap_resamples` is below 1, or Parquet without pyarrow.
    """
    request = _request(plain(dict(context)), bootstrap_resamples, seed)
    sha256 = fingerprint(predictions_path)
    existing = _existing(output)
    wanted = (SCHEMA_VERSION, request, sha256)
    if existing is not None and wanted == _made_from(existing):
        return existing
    report = build(
        read(predictions_path),
        context=context,
        bootstrap_resamples=bootstrap_resamples,
        seed=seed,
    )
    report["predictions"] |= {"file": storage.basename(predictions_path), "sha256": sha256}
    write(output, report)
    return report


def _about(predictions: Predictions) -> dict[str, Any]:
    """What is known of a predictions file without the file; `from_files` adds name and hash."""
    ignored = list(predictions.ignored_columns)
    return {"file": None, "sha256": None, "rows": len(predictions.ids), "ignored_columns": ignored}


def _request(facts: Mapping[str, Any], resamples: int, seed: int) -> dict[str, Any]:
    return {"bootstrap_resamples": resamples, "seed": seed, "context_sha256": _hash(facts)}


def _made_from(report: Report) -> tuple[Any, Any, Any]:
    sha256 = report.get("predictions", {}).get("sha256")
    return report.get("schema_version"), report.get("request"), sha256


def plain(value: Any) -> Any:
    """Returns the value as JSON can hold it: NumPy numbers as numbers, NaN and infinity as None.

    >>> plain({"loss": float("nan"), "sizes": (1, np.int64(2))})
    {'loss': None, 'sizes': [1, 2]}
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _existing(output: str) -> Report | None:
    """The report that lies in the folder, or None where it is not complete or not readable."""
    folder = storage.join(output, "report")
    if not all(storage.exists(storage.join(folder, name)) for name in _FILES):
        return None
    try:
        found = json.loads(storage.read_text(storage.join(folder, "report.json")))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _hash(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _json(report: Report) -> str:
    """Indented JSON with every list of numbers on one line."""
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    # A line break cannot stand inside a JSON string, so this meets lists only.
    return re.sub(r'\[\n[^\[\]{}"]*\]', lambda found: " ".join(found[0].split()), text) + "\n"


def _aucs_csv(report: Report) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    header = ["split", "finding", "n", "positives", "patients", "auc", "auc_low", "auc_high"]
    writer.writerow([*header, "dropped_resamples"])
    for split, entry in report["splits"].items():
        rows = [(name, finding, finding["auc"]) for name, finding in entry["findings"].items()]
        for name, counts, area in [*rows, ("mean", entry, entry["mean_auc"])]:
            writer.writerow(
                [split, name, counts["n"], counts.get("positives"), counts["patients"]]
                + [area["value"], area["low"], area["high"], area["dropped_resamples"]]
            )
    return buffer.getvalue()
