# SPDX-License-Identifier: MIT
"""Does what a command line of the trainer asks for: the stages of its mode that are not whole yet.

TensorFlow is imported only by the stages that need it, and only if they have something to do.
"""

import dataclasses
import os
from collections.abc import Callable

from absl import logging

from preprocessing.contract import lock
from preprocessing.contract.errors import JobError
from preprocessing.contract.files import faults
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process import log, tensorflow_notes
from preprocessing.contract.process.stopping import StopRequests
from trainer import report_stage
from trainer.experiments import compare, folds, results, series
from trainer.flags import ParsedFlags
from trainer.monitoring import eta
from trainer.monitoring.clock import CLOCK
from trainer.pending import PendingStages
from trainer.report import requirements
from trainer.report.report import Report
from trainer.runfolder import notes
from trainer.training import starts


def run(parsed: ParsedFlags, stops: StopRequests, finish: Callable[[int], None]) -> None:
    """Runs the stages of the mode.

    Args:
        parsed: the command line.
        stops: what listens to requests to stop.
        finish: called with 0 before anything that the stages hold is let go of.

    Raises:
        JobError: what the user can fix, a request to start again, or a report that falls short.
    """
    says = {"dry_run": _dry_run, "verify_export": _verify_export, "compare": _compare}
    if say := (says | {"fetch_weights": _fetch_weights}).get(parsed.mode):
        log.show(say(parsed))
        finish(0)
        return
    if parsed.config.runtime.accelerator == "gpu":
        tensorflow_notes.show()
    if parsed.mode == "report":
        with lock.lease(parsed.output, stops.end):
            own = _report(parsed)
        requirements.check(own, parsed.require)
        return
    starts.check_platform(os.environ)
    manifest = folds.manifest_of(parsed.data, parsed.several.fold)
    if parsed.split:
        parsed = _with_settings_of_run(parsed)
    stages = PendingStages(parsed, manifest, stops)
    if parsed.several.seeds or parsed.several.folds:
        made = series.run(parsed, manifest, stops, is_chief=stages.is_chief)
    else:
        with stages.watched():
            with stages.lease():
                made = _run(parsed, manifest, stages)
            stages.end()
    # Behind all else: what falls short is whole, and no other process waits for this one.
    requirements.check(made, parsed.require)
    finish(0)


def _run(parsed: ParsedFlags, manifest: Manifest, stages: PendingStages) -> Report | None:
    notes.check(parsed.output, parsed.config, manifest)
    if parsed.mode in ("train", "all"):
        series.check_folder(parsed.output, "")
    with stages.told():
        made = _run_stages(parsed, manifest, stages)
    if made is not None:
        results.note(parsed.output, parsed.files)
    return made


def _run_stages(parsed: ParsedFlags, manifest: Manifest, stages: PendingStages) -> Report | None:
    made = None
    if parsed.mode in ("train", "all"):
        stages.train()
    if parsed.mode in ("evaluate", "all"):
        stages.evaluate()
    if parsed.mode == "all" and stages.is_chief:
        stages.outlook.enter(eta.REPORT)
        with CLOCK.phase("report"):
            made = report_stage.on_run(parsed, manifest)
            _show_report(parsed.output)
    if parsed.mode in ("export", "all") and stages.is_chief:
        with CLOCK.phase("export"):
            stages.export()
    return made


def _with_settings_of_run(parsed: ParsedFlags) -> ParsedFlags:
    """Takes what a run was trained with, and where and how to score it from the command line."""
    config = notes.described(parsed.output)
    if config is None:
        return parsed
    given = parsed.config
    runtime = dataclasses.replace(given.runtime, precision=config.runtime.precision)
    config = dataclasses.replace(config, runtime=runtime, evaluation=given.evaluation)
    config.validate()
    return dataclasses.replace(parsed, config=config)


def _dry_run(parsed: ParsedFlags) -> str:
    # Imported here for the same reason as in `pending`.
    tensorflow_notes.load()
    from trainer import dry_run

    return dry_run.describe(parsed)


def _verify_export(parsed: ParsedFlags) -> str:
    tensorflow_notes.load()
    from trainer.serving import golden

    return golden.verify(parsed.output)


def _compare(parsed: ParsedFlags) -> str:
    draws = parsed.config.evaluation.bootstrap_resamples, parsed.config.seed
    return compare.run(parsed.several.runs, parsed.output, *draws, parsed.asked.margin)


def _fetch_weights(parsed: ParsedFlags) -> str:
    tensorflow_notes.load()
    from trainer.network import published

    return published.fetch(parsed.output)


def _report(parsed: ParsedFlags) -> Report:
    if parsed.predictions:
        return report_stage.on_file(parsed)
    manifest = folds.manifest_of(parsed.data, parsed.several.fold) if parsed.data else None
    made = report_stage.on_run(parsed, manifest)
    results.note(parsed.output, parsed.files)
    return made


def _show_report(output: str) -> None:
    # Imported here because TensorBoard takes a second, which a report alone need not wait for.
    from trainer.monitoring import report_events

    try:
        report_events.log(output, os.environ)
    except (JobError, OSError) as error:
        logging.warning(f"TensorBoard gets no report ({faults.line(error)})")
