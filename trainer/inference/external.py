# SPDX-License-Identifier: MIT
"""The report of an external test: what a finished model does on somebody's labelled films.

Nothing is chosen here: the model brings its thresholds and its calibration, and both are judged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from preprocessing.contract import patients as people
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from trainer.inference import film_labels, overlap
from trainer.inference.film_labels import Labels, Texts
from trainer.predictions import given_file, metadata, table
from trainer.predictions.formats import frame_of, numbers, texts
from trainer.report import report as reports
from trainer.report.inputs import Inputs
from trainer.report.source import ANOTHER, COUNTS, EXTERNAL
from trainer.serving.facts import Facts

_SHOWN, _IDENTITY = 5, 12
LEFT_OUT = ("films without labels", "labels without a scored film")
_UNLABELLED = "findings of the model without labels"
_UNUSED = "columns of the labels that were not used"
_OVERLAP = "overlap with what the model was made with"


def report(
    predictions_path: str,
    labels_path: str,
    facts: Facts,
    output_folder: str,
    *,
    resamples: int = 1000,
    seed: int = 0,
    splits: Sequence[str] = ("test",),
) -> reports.Report:
    """Joins labels to predictions and writes the report of them into `output_folder`/report.

    The predictions with their labels are left beside it, as `predictions.csv`.

    Args:
        predictions_path: .csv or .parquet with `id`, `patient`, `score:NAME` (calibrated where the
            model is) and `raw:NAME`.
        labels_path: as `film_labels.read` takes it.
        facts: of the model that made them.
        output_folder: local or gs://.
        resamples: of patients, behind every interval.
        seed: of the resamples.
        splits: as `film_labels.read` takes them.

    Returns:
        The content of report.json.

    Raises:
        DataError: a file cannot be used, or no film has a label.
    """
    labels = film_labels.read(labels_path, facts, splits)
    made, left_out = _labelled(predictions_path, labels_path, labels)
    path = storage.join(output_folder, "predictions.csv")
    table.write(path, made)
    if labels.metadata is not None:
        metadata.write(storage.join(output_folder, metadata.NAME), labels.metadata)
    shared = {_OVERLAP: overlap.of(facts, made.ids, made.patients, labels.naming)}
    context = _context(facts, labels) | origin(facts, labels_path, labels) | shared | left_out
    return reports.from_files(
        Inputs(path, labels_path if labels.is_data_entry else ""),
        output=output_folder,
        context={EXTERNAL: context, **_of_data(labels)},
        resamples=resamples,
        seed=seed,
    )


def _of_data(labels: Labels) -> dict[str, Any]:
    """Says of a phantom that it is one, which no figure may hide."""
    phantom = labels.manifest.phantom if labels.manifest else ""
    return {"manifest": {"phantom": phantom}} if phantom else {}


def told(context: Mapping[str, Any]) -> dict[str, str]:
    """Returns what somebody must hear of an external test beside its figures."""
    said = {name: context[name] for name in (*LEFT_OUT, _UNLABELLED, _UNUSED, _OVERLAP)}
    lines = {k: ", ".join(v) if isinstance(v, list) else v for k, v in said.items()}
    return {name: line for name, line in lines.items() if line not in ("", "0", overlap.NONE)}


def _labelled(
    predictions_path: str, labels_path: str, labels: Labels
) -> tuple[table.Predictions, dict[str, str]]:
    """Joins predictions and labels; says too which films and which labels were left out."""
    frame = frame_of(predictions_path, given_file.read(predictions_path, "predictions file"))
    ids = texts(frame, "id")
    rows = _joined(ids, labels.ids)
    has = rows >= 0
    if not has.any():
        raise DataError(
            f"{labels_path}: no row is of a film that was scored: films are called as "
            f"{str(ids[0])!r}, the rows as {str(labels.ids[0])!r}"
        )
    taken, patients = rows[has], texts(frame, "patient")[has]
    if labels.patients is not None:
        named = labels.patients[taken]
        known = [not people.is_missing(name) for name in named.tolist()]
        patients = np.where(known, named, patients)

    def of_model(prefix: str) -> npt.NDArray[np.floating[Any]]:
        columns = [
            numbers(predictions_path, prefix + name, frame, empty_is_nan=False)[has]
            for name in labels.findings
        ]
        return np.stack(columns, axis=1)

    made = table.Predictions(
        ids=ids[has],
        patients=patients,
        splits=np.full(len(taken), "test"),
        labels=labels.values[taken],
        scores=of_model(table.SCORE_PREFIX),
        findings=labels.findings,
        raw=of_model(table.RAW_PREFIX),
    )
    lacking = np.setdiff1d(np.arange(len(labels.ids)), taken)
    return made, dict(zip(LEFT_OUT, map(_counted, (ids[~has], labels.ids[lacking])), strict=True))


def _context(facts: Facts, labels: Labels) -> dict[str, Any]:
    """What is known of the model and of what was chosen before the test."""
    own = {"thresholds": facts.thresholds, "calibration": facts.calibration}
    return {
        "model": facts.identity,
        "step": facts.step,
        "models that were averaged": facts.models,
        _UNLABELLED: ", ".join(name for name in facts.findings if name not in labels.findings),
        _UNUSED: sorted(labels.ignored),
        "views that were averaged": facts.views,
        **{
            key: {name: value[name] for name in labels.findings if value}
            for key, value in own.items()
        },
    }


def origin(facts: Facts, labels_path: str, labels: Labels) -> dict[str, Any]:
    """Returns identities of both data sets, `ANOTHER`, `COUNTS` and, in a sentence, `statement`.

    Args:
        facts: of the model, or of a mean.
        labels_path: of a file, or of the folder of a data set.
        labels: read from there.
    """
    tested, made = labels.manifest, {one.identity: one for one in facts.manifests}
    files = _label_files(tested) if tested else {storage.sha256_of(labels_path)}
    same = [one for one in made.values() if _label_files(one) & files]
    # One label file can be of several hospitals, of which a data set takes some rows.
    alike = tested is None or tested.parameters.get("table") in [
        one.parameters.get("table") for one in same
    ]
    name = storage.basename(labels_path.rstrip("/"))
    name += f", manifest {tested.identity[:_IDENTITY]}" if tested else ""
    model = ", ".join(identity[:_IDENTITY] for identity in made)
    if (same and alike) or (tested and tested.identity in made):
        verdict = "no"
        text = f"No external test: the films are of the model's own data set ({name})."
    elif tested and made and not same:
        verdict = "yes"
        text = f"External test: the films are of another data set ({name}) than the model was made "
        text += f"with (manifest {model}), and nothing was chosen on them."
    else:
        verdict = "not known"
        text = (
            f"External test: no manifest says whether the films ({name}) are of another data set "
        )
        text += f"than the model was made with ({f'manifest {model}' if made else 'not known'})."
    return {
        "data set of the test": tested.identity if tested else "",
        "data sets of the model": [*made],
        ANOTHER: verdict,
        COUNTS: {split: _counts([*made.values()], split) for split in ("validation", "test")},
        "statement": text,
    }


def _counts(made: Sequence[Manifest], split: str) -> dict[str, list[int]]:
    """Positives and known labels of each finding, of all data sets of the models together."""
    parts = [one.splits[split] for one in made if split in one.splits]
    names = dict.fromkeys(name for part in parts for name in part.known)
    return {
        name: [sum(p.positives.get(name, 0) for p in parts), sum(p.known[name] for p in parts)]
        for name in names
    }


def _label_files(manifest: Manifest) -> set[str]:
    return {sha for name, sha in manifest.sources.items() if name.startswith("labels")}


def _joined(ids: Texts, known: Texts) -> npt.NDArray[np.intp]:
    """Finds the row of each film by its name, or else by the name without folders; -1 for none."""
    index = pd.Index(film_labels.keys(known))
    rows: npt.NDArray[np.intp] = index.get_indexer(pd.Index(film_labels.keys(ids)))
    bare = pd.Index([key.rpartition("/")[2] for key in index])
    ours = pd.Series([key.rpartition("/")[2] for key in film_labels.keys(ids)])
    # Two films of one name in different folders could be either.
    if not bare.has_duplicates:
        alone = ~ours.duplicated(keep=False).to_numpy()
        rows = np.where((rows < 0) & alone, bare.get_indexer(pd.Index(ours)), rows)
    return rows


def _counted(ids: Texts) -> str:
    more = f" ({', '.join(ids[:_SHOWN].tolist())}{' and more' * (len(ids) > _SHOWN)})"
    return f"{len(ids):,}{more if len(ids) else ''}"
