# SPDX-License-Identifier: MIT
"""Starts a network from an earlier run's, head included, where the findings are the same."""

import dataclasses
import json
import re
from collections.abc import Sequence

import keras
from absl import logging

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import ConfigError, JobError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from trainer.checkpoints import bundle, checkpoints
from trainer.recipe import ModelConfig

_PREFIX = re.compile(r".*/ckpt-\d+")


@dataclasses.dataclass(frozen=True)
class _Origin:
    """What the network of an earlier run was trained on: its findings, and the data's identity."""

    findings: list[str]
    data: str


def is_run(weights: str) -> bool:
    """Tells whether `model.weights` names a run.

    >>> is_run("gs://bucket/runs/1"), is_run("imagenet"), is_run("a/b.weights.h5")
    (True, False, False)
    """
    return weights not in ("imagenet", "none") and not weights.endswith(".h5")


def fill(network: keras.Model, config: ModelConfig, manifest: Manifest) -> str:
    """Gives a network the weights of an earlier run's best network, or of one of its checkpoints.

    Args:
        network: the whole network, uint8 pixels to logits.
        config: `weights`, a run's folder, its `checkpoints/best`, or a checkpoint without suffix;
            `weights_sha256`, of the checkpoint's data file.
        manifest: of the data set that the network is for.

    Returns:
        What was loaded, in words.

    Raises:
        ConfigError: there is no checkpoint, it cannot be read, or it does not fit.
    """
    path = _find(config.weights)
    if damage := bundle.damage_of(path):
        raise ConfigError(f"model.weights {path} cannot be read ({damage}): bring it back")
    _check_sha256(path, config.weights_sha256)
    found = bundle.read(path)
    origin = _origin(path, found.get(checkpoints.RECORD))
    _check_findings(path, origin.findings, manifest.findings)
    variables = checkpoints.named("network", network.weights)
    arrays = {name: array for name, array in found.items() if name.startswith("network/")}
    if problem := bundle.mismatch(variables, arrays):
        raise ConfigError(
            f"model.weights {path} does not fit this network ({problem}): set model.hidden_units "
            "as in that run"
        )
    bundle.assign(variables, arrays)
    if origin.data != manifest.identity:
        logging.warning(
            f"{path} was trained on another data set: if images or patients of it are in this "
            "one's validation or test split, the figures will be too good"
        )
    auc = f", validation mean AUC {float(found['auc']):.4f} there" if "auc" in found else ""
    return f"starting from {path}: all weights of step {bundle.step_of(path)}{auc}"


def _find(weights: str) -> str:
    if _PREFIX.fullmatch(weights):
        return weights
    for folder in (storage.join(weights, checkpoints.FOLDER, checkpoints.BEST), weights):
        if paths := bundle.newest_first(folder):
            return paths[0]
    raise ConfigError(
        f"model.weights {weights} is neither a weights file (*.h5) nor a run with a best network "
        "(checkpoints/best): give one of these, imagenet or none"
    )


def _check_sha256(path: str, sha256: str) -> None:
    if not sha256:
        return
    data = f"{path}{bundle.DATA}"
    found = storage.sha256_of(data)
    if found != sha256:
        raise ConfigError(
            f"model.weights: {data} has SHA-256 {found}, not {sha256}: it is another file than "
            "intended"
        )


def _origin(path: str, record: object) -> _Origin:
    """Reads what a checkpoint says of itself, or, of an older version, what its export says."""
    try:
        values = json.loads(bundle.text_of(record))
        return _Origin([str(name) for name in values["findings"]], str(values["data"]))
    except (ValueError, TypeError, KeyError):
        pass
    run = path.partition(f"/{checkpoints.FOLDER}/")[0]
    try:
        manifest = manifests.read(storage.join(run, "saved_model", "assets.extra"))
    except (OSError, JobError) as error:
        raise ConfigError(
            f"model.weights {path} is of an older version, which did not note the findings: export "
            "that run (--mode=export), and its saved_model says them"
        ) from error
    return _Origin(manifest.findings, manifest.identity)


def _check_findings(path: str, theirs: Sequence[str], ours: Sequence[str]) -> None:
    if list(theirs) == list(ours):
        return
    at = next(
        (at for at, (one, other) in enumerate(zip(theirs, ours, strict=False)) if one != other),
        min(len(theirs), len(ours)),
    )
    one, other = (names[at] if at < len(names) else "none" for names in (theirs, ours))
    raise ConfigError(
        f"model.weights {path} has other findings than the data set: {len(theirs)} there and "
        f"{len(ours)} here, number {at + 1} is {one} there and {other} here; it takes the same "
        "findings in the same order"
    )
