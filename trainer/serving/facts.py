# SPDX-License-Identifier: MIT
"""What an export says of itself beside its graph, read without TensorFlow."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.settings import settings
from trainer.config import Config
from trainer.runfolder import notes
from trainer.serving import model_folder
from trainer.serving.names import CALIBRATION, EXTRA, FAMILIARITY, GOLDEN, THRESHOLDS

_AGAIN = "copy the SavedModel again or export again (cxr14-train --mode=export)"


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of a SavedModel that this project exported.

    Attributes:
        folder: of the SavedModel.
        findings: names, in the order of all outputs.
        stored_size: side in pixels of the canonical picture.
        image_size: side in pixels of the network's input, and of heat maps.
        crop_fraction: side of the centre square that the network looks at, as a share.
        prevalence: finding -> share of positives in train.
        thresholds: finding -> rule -> threshold on raw scores, or None; empty without a report.
        calibration: finding -> parameters for `recalibration.apply`; empty without a report.
        identity: of the run, hexadecimal.
        step: of training that the weights are of.
        words: for parts and views in DICOM files, preprocessing's setting `words`.
        unfamiliar_above: distance above which a picture is flagged as unlike those of training;
            None where none is.
        content: of weights, thresholds and calibration, hexadecimal. Runs of equal settings share
            an identity, and one that is exported again may have other thresholds.
        models: how many models these facts are of: more than 1 for a mean.
        views: over which it averages scores, as `evaluation.views`; heat maps and the distance from
            training look at the centre alone.
        manifests: of the data sets that the models were made with; empty if not known.
    """

    folder: str
    findings: tuple[str, ...]
    stored_size: int
    image_size: int
    crop_fraction: float
    prevalence: Mapping[str, float]
    thresholds: Mapping[str, Mapping[str, float | None]]
    calibration: Mapping[str, Mapping[str, Any]]
    identity: str
    step: int
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)
    unfamiliar_above: float | None = None
    content: str = ""
    models: int = 1
    views: str = "one"
    manifests: tuple[Manifest, ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules by which thresholds were chosen, in the order of `flags`."""
        return tuple(next(iter(self.thresholds.values()), {}))


def read(folder: str) -> Facts:
    """Reads what lies beside a SavedModel.

    Args:
        folder: of the SavedModel, or of a run that holds one.

    Raises:
        DataError: there is no export there, it is not whole, or a file of it is corrupt.
    """
    folder = folder.rstrip("/")
    inner = storage.join(folder, "saved_model")
    if storage.exists(storage.join(inner, model_folder.NOTE)):
        folder = inner
    if not storage.exists(storage.join(folder, model_folder.NOTE)):
        raise DataError(
            f"{folder} holds no SavedModel of cxr14-train that is whole: give the folder "
            "saved_model of a finished run, or export again (cxr14-train --mode=export)"
        )
    extra = storage.join(folder, EXTRA)
    manifest = manifests.read(extra)
    config = settings.from_yaml(Config, storage.join(extra, notes.CONFIG))
    try:
        found = _facts(folder, manifest, config)
        chosen = [{*of_all} for of_all in (found.thresholds, found.calibration) if of_all]
        rules = {tuple(of_one) for of_one in found.thresholds.values()}
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise DataError(f"{extra} is corrupt ({error}): {_AGAIN}") from error
    if any(names != {*found.findings} for names in chosen) or len(rules) > 1:
        raise DataError(f"{extra} holds files of several exports: {_AGAIN}")
    return found


def _facts(folder: str, manifest: Manifest, config: Config) -> Facts:
    extra, note = storage.join(folder, EXTRA), _json(folder, model_folder.NOTE)
    return Facts(
        folder=folder,
        findings=tuple(manifest.findings),
        stored_size=manifest.stored_size,
        image_size=config.data.image_size,
        crop_fraction=config.data.crop_fraction,
        prevalence=manifest.splits["train"].prevalence,
        thresholds=_json(extra, THRESHOLDS),
        calibration=_json(extra, CALIBRATION),
        unfamiliar_above=_json(extra, FAMILIARITY).get("threshold"),
        identity=str(note.get("identity", "")),
        step=int(note.get("step") or 0),
        words=dict(manifest.parameters.get("words") or {}),
        views=config.evaluation.views,
        manifests=(manifest,),
        content=_content(folder, THRESHOLDS, CALIBRATION, FAMILIARITY, GOLDEN),
    )


def _content(folder: str, *beside: str) -> str:
    names = [model_folder.NOTE, *(storage.join(EXTRA, name) for name in beside)]
    paths = [storage.join(folder, name) for name in names]
    known = [storage.sha256_of(path) if storage.exists(path) else "" for path in paths]
    return hashlib.sha256(" ".join(known).encode()).hexdigest()


def _json(folder: str, name: str) -> dict[str, Any]:
    """Returns an object of a JSON file; empty if there is no file."""
    path = storage.join(folder, name)
    if not storage.exists(path):
        return {}
    try:
        value = json.loads(storage.read_text(path))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise DataError(f"{path} is corrupt: export again (cxr14-train --mode=export)")
    return value
