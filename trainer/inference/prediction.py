# SPDX-License-Identifier: MIT
"""Does what a command line of prediction asks for, from the films to the output."""

import collections
import functools
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from preprocessing.contract import pseudonyms
from preprocessing.contract.errors import DataError, UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.process import log, tensorflow_notes
from preprocessing.contract.process.progress import Progress
from preprocessing.contract.process.stopping import StopRequests
from trainer.inference import data_set, extras, given, rows, scoring, shown
from trainer.inference.flags import Options
from trainer.inference.given import Found
from trainer.inference.parts import Parts, Unusable
from trainer.inference.place import Place
from trainer.inference.rows import Maker, Row
from trainer.inference.scoring import Scored
from trainer.serving import facts as export_facts
from trainer.serving import mean, names
from trainer.serving.facts import Facts

if TYPE_CHECKING:
    from trainer.serving.served import Answering

# Films of one part of the output, which a run that is stopped does not have to repeat.
_PART = 256
# Without --output.
_MOST_SHOWN = 20


def run(options: Options, stops: StopRequests) -> None:
    """Predicts.

    Raises:
        JobError: what the user can fix, or a request to start again.
    """
    facts = mean.facts_of([export_facts.read(folder) for folder in options.models])
    rule = rows.rule_of(facts, options.rule)
    extras.check(options, facts)
    for folder in filter(data_set.is_one, options.inputs):
        data_set.check(folder, facts.stored_size)
    if options.labels:
        from trainer.inference import external, film_labels
        from trainer.report import report as reports
        from trainer.report import requirements
        from trainer.report.source import EXTERNAL

        film_labels.read(options.labels, facts, options.data_splits)
    key = pseudonyms.read_key(options.pseudonym_key_file) if options.pseudonym_key_file else b""
    written = options.report_folder, options.heatmaps, options.dicom_output
    found = given.find(options.inputs, written, options.data_splits)
    _say_found(found)
    if not options.output:
        if len(found.places) > _MOST_SHOWN:
            raise UsageError(f"{len(found.places)} films are too many to show: name --output=FILE")
        _show(options, found, Maker(facts, options.split, rule, key, os.urandom(16)))
        return
    parts = Parts(options.output, _identity(options, facts, rule, key, found))
    with parts.opened(stops, overwrite=options.overwrite):
        if not parts.complete:
            maker = Maker(facts, options.split, rule, key, parts.salt)
            _write(options, found, maker, parts)
    _say_end(parts)
    if options.labels:
        folder = options.report_folder
        made = external.report(
            options.output, options.labels, facts, folder, splits=options.data_splits
        )
        log.show(f"\n{reports.table(made)}\n")
        log.show(made["context"][EXTERNAL]["statement"])
        for kind, left in external.told(made["context"][EXTERNAL]).items():
            log.show(f"{kind}: {left}")
        log.show(f"report: {storage.join(folder, 'report', 'report.html')}")
        requirements.check(made, options.require)


def _write(options: Options, found: Found, maker: Maker, parts: Parts) -> None:
    left = {name: place for name, place in found.places.items() if name not in parts.done}
    made: list[Row] = []
    unusable: list[Unusable] = []
    total, done = len(found.places), len(parts.done)
    if left:
        model = load(options)
        more = extras.Extras(options, model, maker.rule)
        with Progress("predicting", total, unit="films", done=done) as progress:
            for scored in scored_films(options, left, model):
                if scored.answer is None:
                    reason, text = scored.loaded.problem or ("", "")
                    unusable.append((scored.loaded.id, scored.loaded.path, reason, text))
                else:
                    made.append(maker.row(scored) | more.write(scored))
                if len(made) + len(unusable) == _PART:
                    parts.add(made, unusable)
                    done += _PART
                    progress.reach(done)
                    made, unusable = [], []
            if made or unusable:
                parts.add(made, unusable)
                progress.reach(total)
    parts.finish(_note(options, maker, parts))


def scored_films(
    options: Options, places: Mapping[str, Place], model: "Answering"
) -> Iterator[Scored]:
    """Yields films with their answers, read ahead of the model on all cores."""
    facts = model.facts
    keep = bool(options.heatmaps or options.dicom_output)
    read = functools.partial(
        scoring.load, stored_size=facts.stored_size, words=facts.words, keep=keep
    )
    # Those on gs:// wait for answers for most of the time.
    remote = any(storage.scheme_of(place.path) for place in places.values())
    workers = len(os.sched_getaffinity(0)) + 8 * remote
    ahead = 2 * workers + options.batch_size
    loaded = scoring.load_all(given.films(places), read, workers=workers, ahead=ahead)
    yield from scoring.score(model, loaded, options.batch_size)


def load(options: Options) -> "Answering":
    """Loads the model, or the mean of several."""
    tensorflow_notes.load()
    import tensorflow as tf

    from trainer.serving.served import ServedModel

    # Of the 23 bits of a number a GPU would use 10, and answers would depend on the batch.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    models = [ServedModel(folder) for folder in options.models]
    return models[0] if len(models) == 1 else mean.MeanModel(models)


def _show(options: Options, found: Found, maker: Maker) -> None:
    usable = 0
    model = load(options)
    more = extras.Extras(options, model, maker.rule)
    for scored in scored_films(options, found.places, model):
        if scored.answer is None:
            log.show(f"{scored.loaded.id} cannot be used: {': '.join(scored.loaded.problem)}\n")
            continue
        usable += 1
        calibrated = scored.answer.probabilities is not None
        more.write(scored)
        text = shown.film(maker.row(scored), maker.facts, maker.rule, calibrated=calibrated)
        log.show(f"{text}\n")
    if not usable:
        raise DataError("no film could be used")
    log.show(shown.NOTICE)


def _identity(
    options: Options, facts: Facts, rule: str, key: bytes, found: Found
) -> dict[str, Any]:
    """Returns what decides the content of the output."""
    return {
        "model": [facts.identity, facts.step, facts.findings, facts.content],
        "films": [[name, place.whole, place.stamp] for name, place in found.places.items()],
        "options": [options.split, rule, options.heatmaps, options.heatmap_findings],
        "dicom_output": options.dicom_output,
        "key": pseudonyms.proof(key) if key else "",
        "name": storage.basename(options.output),
    }


def _note(options: Options, maker: Maker, parts: Parts) -> dict[str, Any]:
    made, unusable = parts.read()
    facts = maker.facts
    own = sum(row["patient"] == row["id"] for row in made)
    models = [
        {"run": one.identity, "step": one.step, "content": one.content, "views": one.views}
        for one in map(export_facts.read, options.models)
    ]
    model = models[0] if len(models) == 1 else {"run": facts.identity, "mean_of": models}
    return {
        "file": storage.basename(options.output),
        "model": {**model, "findings": facts.findings},
        "calibrated": bool(facts.calibration),
        "rule": maker.rule,
        "scored": len(made),
        "unusable": dict(collections.Counter(row[2] for row in unusable)),
        "unfamiliar": sum(bool(row.get(names.UNFAMILIAR)) for row in made),
        "without_patient": own,
        "dicom_output": dict(
            collections.Counter(row[rows.DICOM_OUTPUT] for row in made if rows.DICOM_OUTPUT in row)
        ),
    }


def _say_found(found: Found) -> None:
    if found.twice:
        log.show(f"{found.twice} films were given more than once and count once")
    if found.passed_over:
        log.show(
            f"{found.passed_over} files in folders or archives are of other kinds: passed over"
        )


def _say_end(parts: Parts) -> None:
    note = parts.note
    reasons = collections.Counter(note.get("unusable", {}))
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    if not note:
        raise DataError(f"no film could be used: {parts.unusable_file} says why")
    if parts.complete:
        log.show(f"{parts.output} is complete: the same model has scored these films")
    log.show(f"{note['scored']} films scored: {parts.output}")
    if reasons:
        log.show(f"{reasons.total()} films cannot be used ({listed}): {parts.unusable_file}")
    if not note["calibrated"]:
        log.show("scores are raw: the model was exported without a calibration")
    if note["unfamiliar"]:
        log.show(f"{note['unfamiliar']} films are unlike those that the model was trained on")
    if outcomes := collections.Counter(note["dicom_output"]):
        listed = ", ".join(f"{count} {said}" for said, count in outcomes.most_common())
        log.show(f"DICOM output: {listed}")
    if note["without_patient"]:
        log.show(
            f"{note['without_patient']} films name no patient: each counts as a patient of its own"
        )
    log.show(shown.NOTICE)
