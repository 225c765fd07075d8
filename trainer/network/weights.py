# SPDX-License-Identifier: MIT
"""Fills a backbone from a file of weights: wholly, or in part where that is asked for.

The moving statistics of batch normalisation count as weights.
"""

import hashlib
import zipfile

import keras
import safetensors
from absl import logging

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import storage
from trainer.network import layouts, published
from trainer.recipe import ModelConfig

_CONVERT = (
    'python -c "import torch, safetensors.torch as s; s.save_file(torch.load({0!r}, '
    'weights_only=True), {1!r})"'
)
_DAMAGE = (
    *(ValueError, KeyError, OSError, TypeError, RuntimeError),
    *(zipfile.BadZipFile, safetensors.SafetensorError),
)
# How many arrays a sentence names.
_NAMED = 3


def check_settings(config: ModelConfig) -> None:
    """Refuses weights that are known to be of another variant, or made with other inputs.

    Raises:
        ConfigError: they are.
    """
    name = storage.basename(config.weights)
    if name.endswith(".safetensors"):
        what, variant, normalization = "torchvision's ResNet-50", "v1.5", "torch"
    elif "radimagenet" in name.lower() and name.endswith(layouts.SUFFIXES):
        what, variant, normalization = "RadImageNet's ResNet-50", "v1", "radimagenet"
    elif config.weights == "imagenet" or name == published.NAME:
        what, variant, normalization = "Keras's ResNet-50 for ImageNet", "v1", "caffe"
    else:
        return
    if (config.variant, config.normalized) != (variant, normalization):
        raise ConfigError(
            f"model.weights {config.weights}: {what} needs model.variant={variant}, whose blocks "
            f"stride where its own do, and model.normalization={normalization}, not "
            f"{config.variant} and {config.normalized}: set these, or give other weights"
        )


def load(backbone: keras.Model, config: ModelConfig) -> None:
    """Gives every variable of a backbone its value in the file `config.weights`.

    Raises:
        ConfigError: the file is not there, another than intended, or does not fit.
    """
    path = config.weights
    said = f"model.weights {path} does not fit ResNet-50 without its top"
    data = _bytes(path, config.weights_sha256)
    try:
        found = layouts.read(data, path)
    except _DAMAGE as error:
        raise ConfigError(f"{said}: {' '.join(str(error).split())[:200]}") from error
    wanted = layouts.names_in(backbone)
    fitting = {names: next((name for name in names if name in found), "") for names in wanted}
    missing = [
        names[0]
        for names, name in fitting.items()
        if not name or found[name].shape != tuple(wanted[names].shape)
    ]
    others = sorted(found.keys() - set(fitting.values()))
    deeper = [name for name in others if found[name].ndim == 4]
    if problem := _problem(missing, len(wanted), deeper, config.partial_weights):
        raise ConfigError(f"{said}: {problem}")
    for names, variable in wanted.items():
        if names[0] not in missing:
            variable.assign(found[fitting[names]])
    if missing:
        logging.warning(
            f"model.weights {path} fits in part: {len(missing)} of {len(wanted)} arrays start from "
            f"random weights: {', '.join(missing)}"
        )
    if others:
        logging.info(f"model.weights {path}: not taken: {', '.join(others)}")


def _problem(missing: list[str], wanted: int, deeper: list[str], in_part: bool) -> str:
    lacks = f"{len(missing)} of {wanted} arrays are missing or have another shape, as "
    if len(missing) == wanted:
        return f"{lacks}{_some(missing)}: give another file"
    if in_part or not (deeper or missing):
        return ""
    if deeper:
        return (
            f"it has {len(deeper)} convolutions that ResNet-50 does not have, as {_some(deeper)}: "
            "give another file, or set model.partial_weights=true to leave these out"
        )
    return (
        f"{lacks}{_some(missing)}: give another file, or set model.partial_weights=true to start "
        "these from random weights"
    )


def _bytes(path: str, sha256: str) -> bytes:
    # PyTorch reads no gs://: there the command is for a copy.
    stem, _, suffix = (storage.basename(path) if storage.scheme_of(path) else path).rpartition(".")
    if suffix in layouts.PICKLED:
        raise ConfigError(
            f"model.weights {path} is pickled, and to read it could run code in it: convert it, "
            f"where PyTorch is, with {_CONVERT.format(f'{stem}.{suffix}', f'{stem}.safetensors')}"
        )
    try:
        data = storage.read_bytes(path)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ConfigError(
            f"model.weights {path} is not a file: give imagenet, none or a weights file"
        ) from error
    # Of the very bytes that are loaded, not of the file as it may be a moment later.
    found = hashlib.sha256(data).hexdigest()
    if sha256 and found != sha256:
        raise ConfigError(
            f"model.weights {path} has SHA-256 {found}, not {sha256}: it is another "
            "file than intended"
        )
    published.check(path, data)
    return data


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")
