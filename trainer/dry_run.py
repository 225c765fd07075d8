# SPDX-License-Identifier: MIT
"""Says what a training run would need, without training: `cxr14-train --mode=dry_run`.

Network, optimiser and step are built as for a run on one CPU device, whatever the machine has, and
the step is traced; nothing is read but the data set's manifest and sizes, and nothing is written.
"""

import contextlib
import dataclasses
import math
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from preprocessing.contract import manifest as manifests
from preprocessing.contract.manifest import Manifest
from trainer import course, foresight, limits
from trainer.checkpoints import earlier
from trainer.config import Config
from trainer.data import integrity, soundness
from trainer.flags import ParsedFlags
from trainer.network import model, weights
from trainer.runfolder import notes
from trainer.training import footprint, optimizer
from trainer.training.step import Step

# Without a data set: the findings of ChestX-ray14.
_FINDINGS = 14
# GB, of 10^9 bytes, that drivers leave of what is printed on the card, or more.
_DEVICES = {"NVIDIA L4": 24.0, "NVIDIA A100": 40.0, "NVIDIA A100 or H100, 80 GB": 80.0}
# Left to CUDA, and, as a share, to libraries' workspaces and to gaps between tensors.
_RESERVED_GB, _RESERVED_SHARE = 1.0, 0.15
_MIB, _GB = 2**20, 10**9


@dataclasses.dataclass(frozen=True)
class _Parts:
    """What has variables."""

    strategy: tf.distribute.Strategy
    network: model.Model
    average: keras.Model | None
    optimizer: keras.optimizers.Optimizer


def describe(parsed: ParsedFlags) -> str:
    """Builds a run's network, optimiser and step, and returns what they need, as text.

    Args:
        parsed: the command line; data set and folder of the run may be missing.

    Raises:
        ConfigError: settings that cannot work, with this data set or in this folder.
        DataError: a data set that is not whole.
    """
    config = parsed.config
    manifest = manifests.read(parsed.data) if parsed.data else None
    if manifest is not None and parsed.output:
        notes.check(parsed.output, config, manifest)
    about = [] if manifest is None else _about_data(parsed.data, config, manifest)
    findings = _FINDINGS if manifest is None else len(manifest.findings)
    with _on_cpu(config.runtime.precision):
        parts = _build(config, findings, manifest)
        traced = _trace(config, parts, findings, manifest)
    given = parsed.device_memory_gb
    devices = _devices() if given is None else {"as given": given}
    lines = [*_about_network(config, parts, findings), *_about_step(config, parts, traced)]
    lines += _about_devices(config, parts, traced, devices)
    return "\n".join([*about, *lines, "nothing was trained, and nothing written"])


@contextlib.contextmanager
def _on_cpu(precision: str) -> Iterator[None]:
    """Takes no memory of a GPU, on which somebody else may train, and sets the precision."""
    with contextlib.suppress(RuntimeError):  # in a process that has used its devices before
        tf.config.set_visible_devices([], "GPU")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _build(config: Config, findings: int, manifest: Manifest | None) -> _Parts:
    config.check_replicas(1)
    strategy, given = tf.distribute.OneDeviceStrategy("/CPU:0"), config.model.weights
    from_run = earlier.is_run(given)
    weights.check_settings(config.model)

    def network(pretrained: bool) -> model.Model:
        return model.build(
            config.model,
            image_size=config.data.image_size,
            findings=findings,
            # Whether a file fits is worth knowing; what Keras would download does.
            pretrained=pretrained and not from_run and given != "imagenet",
            strategy=strategy,
        )

    built = network(pretrained=True)
    if from_run and manifest is not None:
        earlier.fill(built.network, config.model, manifest)
    average = network(pretrained=False).network if config.optimizer.ema_decay else None
    with strategy.scope():
        chosen = optimizer.build(config.optimizer)
        chosen.build(built.network.trainable_variables)
    return _Parts(strategy, built, average, chosen)


def _trace(
    config: Config, parts: _Parts, findings: int, manifest: Manifest | None
) -> footprint.Footprint:
    def step(settings: Config) -> Step:
        return Step(
            parts.strategy,
            parts.network,
            parts.optimizer,
            settings,
            average=parts.average,
            frozen=config.train.frozen_epochs >= config.train.epochs,
        )

    stored = round(config.data.image_size / config.data.crop_fraction)
    stored = stored if manifest is None else manifest.stored_size
    return footprint.trace(step, config, stored=stored, findings=findings)


def _about_data(folder: str, config: Config, manifest: Manifest) -> list[str]:
    """Checks that a data set is whole and fits the settings."""
    soundness.check_validation(manifest)
    integrity.check_shards(folder, manifest)
    batch = config.data.global_batch_size
    steps = course.steps_per_epoch(manifest, batch)
    validation = -(-manifest.splits["validation"].examples // config.evaluation_batch_size)
    total = steps * config.train.epochs
    phase = course.turn(config, per_epoch=steps, step=0)
    warning = foresight.warning(config, steps, manifest.stored_size)
    return [
        f"data set: {folder}, {len(manifest.findings)} findings, {manifest.stored_size} px",
        f"  steps        {steps} an epoch, of {batch} examples; {total} in all; {validation} for a "
        "validation",
        *([f"  at first     {phase}"] if phase else []),
        *([f"  {warning}"] if warning else []),
    ]


def _about_network(config: Config, parts: _Parts, findings: int) -> list[str]:
    network, kind = parts.network.network, config.optimizer.name
    precision, size = config.runtime.precision, config.data.image_size
    lines = [
        f"network: {parts.network.backbone.name}, {size} px, {findings} findings, {precision}",
        f"  parameters   {_count(network.weights):,}, {_count(network.trainable_variables):,} of "
        "them trainable",
        f"  weights      {_mib(_size(network.weights))}",
        f"  gradients    {_mib(_size(network.trainable_variables))}",
        f"  optimizer    {_mib(_size(parts.optimizer.variables))}, {kind}",
    ]
    if parts.average is not None:
        lines.append(f"  average      {_mib(_size(parts.average.weights))}")
    return lines


def _about_step(config: Config, parts: _Parts, traced: footprint.Footprint) -> list[str]:
    kept = traced.kept(2) - traced.kept(1)
    return [
        "step: an estimate, from when its graph makes each tensor and reads it last",
        f"  kept         {_mib(kept)} an example for the backward pass",
        *(
            f"  at its peak  {_mib(traced.peak(batch))} with {batch} examples at once"
            for batch in (8, 64)
        ),
    ]


def _about_devices(
    config: Config, parts: _Parts, traced: footprint.Footprint, devices: dict[str, float]
) -> list[str]:
    """Says how many examples fit, and over how many replicas the global batch has to be spread."""
    variables = [*parts.network.network.weights, *parts.optimizer.variables]
    gradients = _size(parts.network.network.trainable_variables)
    # The sum over replicas copies all gradients; so do the sums over the parts of a batch.
    lasting = _size(variables) + gradients * (1 + (config.train.accumulation_steps > 1))
    lasting += 0 if parts.average is None else _size(parts.average.weights)
    found = [
        f"largest batch that a replica should compute at once: an estimate, with "
        f"{_RESERVED_GB:g} GB and {_RESERVED_SHARE:.0%} left free"
    ]
    for name, memory in devices.items():
        room = memory * _GB * (1 - _RESERVED_SHARE) - _RESERVED_GB * _GB - lasting
        most = _largest(traced, room)
        found.append(f"  {memory:5g} GB {most:>8}  {name}: {_spread(config, most)}")
    return found


def _largest(traced: footprint.Footprint, room: float) -> int:
    """Returns the most examples whose step takes no more bytes than there is room for."""
    fits, too_many = 0, 2
    while traced.peak(too_many) <= room:
        too_many *= 2
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if traced.peak(middle) <= room else (fits, middle)
    return fits


def _spread(config: Config, most: int) -> str:
    batch, parts = config.data.global_batch_size, config.train.accumulation_steps
    share = batch // parts
    replicas = next((n for n in range(1, share + 1) if not share % n and share // n <= most), 0)
    if not replicas:
        return f"not one example fits: lower data.image_size, {limits.ELSEWHERE}"
    if replicas == 1:
        return f"the batch of {batch} fits on one replica"
    return (
        f"the batch of {batch} needs {replicas} replicas, or train.accumulation_steps="
        f"{parts * replicas}, {limits.ELSEWHERE}"
    )


def _devices() -> dict[str, float]:
    """Returns the memory in GB of the machine's first GPU by its name, or of usual ones."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return _DEVICES
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
        name, _, mebibytes = done.stdout.splitlines()[0].rpartition(",")
        return {name.strip(): round(float(mebibytes) * _MIB / _GB, 1)}
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return _DEVICES


def _count(variables: Sequence[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def _size(variables: Sequence[Any]) -> int:
    """Returns the bytes of variables."""
    return sum(math.prod(one.shape) * tf.as_dtype(one.dtype).size for one in variables)


def _mib(size: float) -> str:
    return f"{size / _MIB:,.1f} MiB"
