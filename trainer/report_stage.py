# SPDX-License-Identifier: MIT
"""The stage that makes a report, of a run or of anybody's predictions; imports no TensorFlow."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process import log
from preprocessing.contract.settings import settings
from trainer.flags import ParsedFlags
from trainer.report import report, series
from trainer.report.inputs import Inputs
from trainer.runfolder import notes

# What of the manifest a report states.
_OF_THE_DATA = (
    *("identity", "official_split", "list_hashes", "counters", "sources", "parameters"),
    *("split_method", "stored_size", "encoding", "writer"),
)


def on_file(parsed: ParsedFlags) -> report.Report:
    """Makes a report of the predictions file that the command line names.

    Returns:
        The content of report.json.

    Raises:
        DataError: a file cannot be used.
        UsageError: an argument that cannot work.
    """
    return _report(parsed, parsed.predictions, context={})


def on_run(parsed: ParsedFlags, manifest: Manifest | None) -> report.Report:
    """Makes the report of a run, with what is known of its data and its training.

    Args:
        parsed: the command line.
        manifest: of the data set; None if it was not named.

    Returns:
        The content of report.json.

    Raises:
        DataError: a file cannot be used, as where nothing was evaluated yet.
        UsageError: an argument that cannot work.
    """
    parsed = _with_settings_of_run(parsed)
    path = storage.join(parsed.output, notes.PREDICTIONS)
    if notes.predictions_changed(parsed.output):
        raise DataError(
            f"{path} is not what the evaluation of this run wrote: run --mode=evaluate again, or "
            "name the file with --predictions and a new --output"
        )
    return _report(parsed, path, context=_context(parsed, manifest))


def on_series(
    parsed: ParsedFlags, manifest: Manifest | None, facts: Mapping[str, Any]
) -> report.Report:
    """Makes the report on the mean of several runs, whose predictions lie in --output.

    Args:
        parsed: the command line.
        manifest: of the data set.
        facts: of the runs alone, as `trainer.report.series` shows them.
    """
    context = _context(parsed, manifest) | {series.KEY: dict(facts)}
    return _report(parsed, storage.join(parsed.output, notes.PREDICTIONS), context=context)


def _report(parsed: ParsedFlags, path: str, *, context: dict[str, Any]) -> report.Report:
    made = report.from_files(
        Inputs(path, parsed.metadata, parsed.compare, parsed.radiologists),
        output=parsed.output,
        context=context,
        resamples=parsed.config.evaluation.bootstrap_resamples,
        seed=parsed.config.seed,
        asked=parsed.asked,
    )
    log.show(f"\n{report.table(made)}\n")
    log.show(f"report: {storage.join(parsed.output, 'report', 'report.html')}")
    return made


def _with_settings_of_run(parsed: ParsedFlags) -> ParsedFlags:
    """Takes the settings that run and predictions were made with: a report on it states those."""
    config = notes.scored_with(parsed.output)
    if config is None:
        return parsed
    config.evaluation.bootstrap_resamples = parsed.config.evaluation.bootstrap_resamples
    return dataclasses.replace(parsed, config=config)


def _context(parsed: ParsedFlags, manifest: Manifest | None) -> dict[str, Any]:
    """Collects what the report states beside the figures."""
    context: dict[str, Any] = {"config": settings.to_mapping(parsed.config)}
    training = notes.read_note(parsed.output, notes.TRAINING)
    if training:
        context["training"] = training
    if manifest is not None:
        stated = [*_OF_THE_DATA, *["phantom"] * bool(manifest.phantom)]
        context["manifest"] = {name: getattr(manifest, name) for name in stated} | {
            "splits": {
                name: {"examples": split.examples, "patients": split.patients}
                for name, split in manifest.splits.items()
            }
        }
    return context
