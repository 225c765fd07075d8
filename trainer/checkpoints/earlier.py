# SPDX-License-Identifier: MIT
"""Starts a network from an earlier run's, of the last layer the findings that both have."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence

import keras
import numpy as np
from absl import logging

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import ConfigError, JobError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from trainer.checkpoints import bundle, checkpoints
from trainer.network import layouts
from trainer.recipe import ModelConfig

_PREFIX = re.compile(r".*/ckpt-\d+")


@dataclasses.dataclass(frozen=True)
class _Origin:
    """What an earlier run's network was trained on: its findings, the data's identity, settings."""

    findings: list[str]
    data: str
    model: ModelConfig


def is_run(weights: str) -> bool:
    """Tells whether `model.weights` names a run.

    >>> is_run("gs://bucket/runs/1"), is_run("imagenet"), is_run("a/b.weights.h5")
    (True, False, False)
    """
    files = (*layouts.SUFFIXES, *(f".{suffix}" for suffix in layouts.PICKLED))
    return weights not in ("imagenet", "none") and not weights.endswith(files)


def fill(network: keras.Model, config: ModelConfig, manifest: Manifest) -> str:
    """Gives a network the weights of an earlier run's best network, or of one of its checkpoints.

    Where the findings differ, those of the last layer are known by their names, each a column and
    a bias; those that the earlier run had not stay as they are.

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
    _check_inputs(path, origin.model, config)
    variables = checkpoints.named("network", network.weights)
    arrays = {name: array for name, array in found.items() if name.startswith("network/")}
    last = _adapt_last(variables, arrays, origin.findings, manifest.findings)
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
    return f"starting from {path}: {last or 'all weights'} of step {bundle.step_of(path)}{auc}"


def _find(weights: str) -> str:
    if _PREFIX.fullmatch(weights):
        return weights
    for folder in (storage.join(weights, checkpoints.FOLDER, checkpoints.BEST), weights):
        if paths := bundle.newest_first(folder):
            return paths[0]
    endings = ", ".join(f"*{suffix}" for suffix in layouts.SUFFIXES)
    raise ConfigError(
        f"model.weights {weights} is neither a weights file ({endings}) nor a run with a best "
        "network (checkpoints/best): give one of these, imagenet or none"
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
        names = ("variant", "normalization")
        given = {name: values["settings"].get(f"model.{name}") for name in names}
        model = ModelConfig(**{name: value for name, value in given.items() if value})
        return _Origin([str(name) for name in values["findings"]], str(values["data"]), model)
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    run = path.partition(f"/{checkpoints.FOLDER}/")[0]
    try:
        manifest = manifests.read(storage.join(run, "saved_model", "assets.extra"))
    except (OSError, JobError) as error:
        raise ConfigError(
            f"model.weights {path} is of an older version, which did not note the findings: export "
            "that run (--mode=export), and its saved_model says them"
        ) from error
    return _Origin(manifest.findings, manifest.identity, ModelConfig())


def _check_inputs(path: str, theirs: ModelConfig, ours: ModelConfig) -> None:
    there, here = ((one.variant, one.normalized) for one in (theirs, ours))
    if there != here:
        raise ConfigError(
            f"model.weights {path} was trained with model.variant={there[0]} and "
            f"model.normalization={there[1]}, not {here[0]} and {here[1]}: set these as there"
        )


def _adapt_last(
    variables: Mapping[str, keras.Variable],
    arrays: bundle.Arrays,
    theirs: Sequence[str],
    ours: Sequence[str],
) -> str:
    """Puts the last layer's findings in our order; returns what is taken, "" for everything."""
    if list(theirs) == list(ours):
        return ""
    both = [name for name in ours if name in theirs]
    to, of = ([names.index(name) for name in both] for names in (ours, theirs))
    for name in ("network/logits/kernel", "network/logits/bias"):
        start = np.array(variables[name].numpy())
        # Of another width or missing, which is refused in a moment.
        if name in arrays and arrays[name].shape[:-1] == start.shape[:-1]:
            start[..., to] = arrays[name][..., of]
            arrays[name] = start
    new = [name for name in ours if name not in theirs]
    return (
        f"backbone and hidden layer, and of the last layer {', '.join(both) or 'nothing'} (new: "
        f"{', '.join(new) or 'nothing'}; left out: "
        f"{', '.join(name for name in theirs if name not in ours) or 'nothing'})"
    )
