# SPDX-License-Identifier: MIT
"""The report as data, and the files that it becomes.

`report.json` holds everything (templates/report.schema.json says what); the pages `report.md` and
`report.html`, the table `aucs.csv` and the figures in `plots/` show nothing that is not in it, and
`verify.R` and `verify.py` recompute it. It is written last: where it lies, the report is complete.
"""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.tables import Table, numeric
from trainer.evaluation import intervals
from trainer.predictions.table import Predictions
from trainer.report import (
    contents,
    decisions,
    document,
    findings,
    html,
    matplotlib_home,
    official_split,
)
from trainer.report.asked import USUAL, Asked
from trainer.report.inputs import Inputs
from trainer.report.recompute import PROGRAMS, programs
from trainer.report.sections import checklist
from trainer.report.source import Source
from trainer.report.splits import numbers_of
from trainer.report.statements import (
    FEW_POSITIVES,
    notes_on,
    unknown_facts,
    validation_minus_test,
)

__all__ = ["SCHEMA_VERSION", "build", "from_files", "table", "write"]

SCHEMA_VERSION = 2
_FILES = ("report.html", "report.md", "aucs.csv", *PROGRAMS, "report.json")
_PLOTS = "plots"

Report = dict[str, Any]


def build(source: Source) -> Report:
    """Computes the content of report.json.

    Args:
        source: predictions of one or more splits, each of which is reported, and what belongs to
            them. Its `context` is shown as it is; `context["manifest"]` describes the data set,
            `context["training"]` the run.

    Returns:
        Plain dicts, lists, strings, finite numbers, booleans and None, ready for JSON. What is not
        defined is None. `from_files` adds the hashes and the names of the files.

    Raises:
        DataError: what was given beside the predictions does not fit them.
        UsageError: the number of resamples is below 1.
    """
    if source.resamples < 1:
        raise UsageError(f"bootstrap_resamples is {source.resamples}; use 1000, or 1 or more")
    facts = plain(dict(source.context))
    source = dataclasses.replace(source, context=facts)
    splits = {name: numbers_of(source, name) for name in source.splits}
    for name, curve in decisions.curves(source).items():
        splits[source.headline]["findings"][name]["decision_curve"] = curve
    report: Report = {
        "schema_version": SCHEMA_VERSION,
        "request": _request(facts, source.resamples, source.seed, source.asked, {}),
        "predictions": _about(source.predictions),
        "interval": {"level": intervals.LEVEL, "method": "percentile, bootstrap of patients"},
        "findings": list(source.predictions.findings),
        "few_positives_below": FEW_POSITIVES,
        "splits": splits,
        "validation_minus_test": validation_minus_test(splits),
        "split_identity": official_split.of(source),
        "unknown": unknown_facts(splits, facts),
        "context": facts,
    }
    report["notes"] = notes_on(report)
    for name, section in contents.SECTIONS.items():
        report[name] = plain(section.module.build(source))
    # Last, since it looks at all that the report holds.
    report["checklist"] = checklist.build(report)
    return report


def write(output_folder: str, report: Report) -> None:
    """Writes pages, aucs.csv, figures, programs and, last, report.json into `report/`.

    Args:
        output_folder: the output folder of the run, local or gs://.
        report: what `build` returned.
    """
    # Imported here: what trains, or refuses a command line, needs no Matplotlib.
    matplotlib_home.load()
    from trainer.report.plot_files import plot_files

    folder = storage.join(output_folder, "report")
    plots = {f"{_PLOTS}/{name}": data for name, data in plot_files(report).items()}
    record = _json(report)
    figures = sorted(path for path in plots if path.endswith(".svg"))
    pages = {
        "report.html": html.render(report, hashlib.sha256(record.encode()).hexdigest()),
        "report.md": document.render(report, figures),
        "aucs.csv": _aucs(report).csv(),
        **programs(),
    }
    content = plots | {name: text.encode() for name, text in pages.items()}
    storage.make_folder(storage.join(folder, _PLOTS))
    # An older report.json would call the new pages complete while they are being written.
    if storage.exists(storage.join(folder, "report.json")):
        storage.delete(storage.join(folder, "report.json"))
    for path in storage.list_files(storage.join(folder, _PLOTS)):
        if f"{_PLOTS}/{storage.basename(path)}" not in content:
            storage.delete(path)
    for name, data in content.items():
        storage.write_bytes(storage.join(folder, name), data)
    storage.write_text(storage.join(folder, "report.json"), record)


def from_files(
    inputs: Inputs,
    *,
    output: str,
    context: Mapping[str, Any],
    resamples: int = 1000,
    seed: int = 0,
    asked: Asked = USUAL,
) -> Report:
    """Reads the files and writes the report on them, unless it is there already.

    Args:
        inputs: predictions, and what belongs to them.
        output: the output folder of the run; the report goes into its `report/`.
        context: as `Source` takes it.
        resamples: of patients, behind every interval, 1 or more.
        seed: of the resamples.
        asked: what was fixed before any figure was seen.

    Returns:
        The content of report.json. An existing report of the same files (by SHA-256), the same
        settings and the same context is returned as it is.

    Raises:
        DataError: a file cannot be used; the text says why.
        UsageError: `resamples` is below 1.
    """
    hashes = inputs.hashes()
    request = _request(plain(dict(context)), resamples, seed, asked, hashes)
    existing = _existing(output)
    if existing is not None and (SCHEMA_VERSION, request) == _made_from(existing):
        return existing
    report = build(inputs.source(context=context, resamples=resamples, seed=seed, asked=asked))
    report["predictions"] |= hashes["predictions"]
    report["request"] = request
    write(output, report)
    return report


def _about(predictions: Predictions) -> dict[str, Any]:
    """What is known of a predictions file without the file; `from_files` adds name and hash."""
    ignored = list(predictions.ignored_columns)
    return {"file": None, "sha256": None, "rows": len(predictions.ids), "ignored_columns": ignored}


def _request(
    facts: Mapping[str, Any], resamples: int, seed: int, asked: Asked, files: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "bootstrap_resamples": resamples,
        "seed": seed,
        **asked.as_json(),
        "context_sha256": _hash(facts),
        "files": dict(files),
    }


def _made_from(report: Report) -> tuple[Any, Any]:
    return report.get("schema_version"), report.get("request")


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
    # JSON strings hold no line break, so this matches lists only.
    return re.sub(r'\[\n[^\[\]{}"]*\]', lambda found: " ".join(found[0].split()), text) + "\n"


def table(report: Report) -> str:
    """Returns the AUC of every finding as aligned text, as a terminal shows it."""
    return findings.table(report).text()


def _aucs(report: Report) -> Table:
    ends = {"auc": "value", "auc_low": "low", "auc_high": "high"}
    columns = ["split", "finding", "n", "positives", "patients", *ends, "dropped_resamples"]
    columns += ["auc_delong_low", "auc_delong_high"]
    rows = []
    for split, entry in report["splits"].items():
        named = [(name, each, each["auc"]) for name, each in entry["findings"].items()]
        for name, counts, area in [*named, ("mean", entry, entry["mean_auc"])]:
            figures = [counts["n"], counts.get("positives"), counts["patients"]]
            figures += [area[key] for key in (*ends.values(), "dropped_resamples")]
            figures += [counts.get("auc_delong", {}).get(key) for key in ("low", "high")]
            rows.append([split, name, *(numeric(figure, "") for figure in figures)])
    return Table("AUC of each finding", columns, rows)
