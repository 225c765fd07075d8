# SPDX-License-Identifier: MIT
"""Every knob of a training run, typed, with its unit and effect; imports no TensorFlow.

What a run needs to know about the data (finding names, sizes, counts) is not here: it comes from
the data set's manifest.
"""

import dataclasses

from preprocessing.contract.errors import ConfigError

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
SCHEDULES = ("constant", "cosine")


@dataclasses.dataclass
class RuntimeConfig:
    """Where the run executes.

    Attributes:
        strategy: auto | one_device | mirrored | multi_worker | tpu. auto takes tpu if `tpu` is set,
            multi_worker if TF_CONFIG names more than one task, mirrored if there is more than one
            GPU, else one_device.
        precision: float32 | mixed_float16 (with dynamic loss scaling) | mixed_bfloat16.
        accelerator: any, or gpu to refuse a machine on which TensorFlow sees no GPU.
        tpu: name or address of a TPU, or "local" for the one attached; empty for none.
        logical_cpus: split the CPU into this many devices, to try mirrored without GPUs; 0 for no.
        deterministic: bit-identical repeats at some cost in speed; always given on a CPU.
    """

    strategy: str = "auto"
    precision: str = "float32"
    accelerator: str = "any"
    tpu: str = ""
    logical_cpus: int = 0
    deterministic: bool = False


@dataclasses.dataclass
class DataConfig:
    """How batches are made.

    Attributes:
        global_batch_size: examples in one optimiser step, over all replicas.
        image_size: side in pixels of the model's input.
        crop_fraction: side of the centre square that evaluation and serving look at, as a share of
            the stored picture; 0.875 is 224 of 256. Training crops the same size anywhere.
        flip: mirror half of the training pictures left to right.
        shuffle_buffer: records mixed at a time; each costs the size of a stored picture in memory.
        open_shards: shards read side by side.
    """

    global_batch_size: int = 64
    image_size: int = 224
    crop_fraction: float = 0.875
    flip: bool = True
    shuffle_buffer: int = 4096
    open_shards: int = 16


@dataclasses.dataclass
class ModelConfig:
    """ResNet-50 -> GlobalAveragePooling -> Dense ReLU -> Dropout -> Dense sigmoid.

    Attributes:
        weights: imagenet (downloaded once by Keras), none, or the path of a Keras weights file
            (*.weights.h5 or *.h5) of the backbone, local or gs://.
        weights_sha256: refuse a weights file with another SHA-256; empty to accept any.
        hidden_units: width of the dense layer.
        dropout: share of hidden units dropped in training, 0 to below 1.
        batch_norm_momentum: memory of the batch statistics; runs of a few hundred steps need 0.9.
    """

    weights: str = "imagenet"
    weights_sha256: str = ""
    hidden_units: int = 256
    dropout: float = 0.3
    batch_norm_momentum: float = 0.99


@dataclasses.dataclass
class OptimizerConfig:
    """Adam and its learning rate.

    Attributes:
        learning_rate: peak rate.
        schedule: constant | cosine (down to zero at the last step).
        warmup_steps: steps over which the rate rises linearly from zero.
        epsilon: Adam's denominator guard.
    """

    learning_rate: float = 1e-4
    schedule: str = "cosine"
    warmup_steps: int = 0
    epsilon: float = 1e-7


@dataclasses.dataclass
class TrainConfig:
    """How long to train and when to save.

    Attributes:
        epochs: passes over the train split.
        steps_per_call: optimiser steps per host call; more hides the host, less reacts faster.
        checkpoint_every_steps: steps between saves inside an epoch; 0 saves at the ends of epochs.
        keep_checkpoints: newest checkpoints kept beside the best one.
        patience_epochs: stop after so many epochs without a better validation AUC; 0 for never.
        log_every_steps: steps between points in TensorBoard and lines in the log.
    """

    epochs: int = 10
    steps_per_call: int = 10
    checkpoint_every_steps: int = 500
    keep_checkpoints: int = 3
    patience_epochs: int = 0
    log_every_steps: int = 50


@dataclasses.dataclass
class EvaluationConfig:
    """How checkpoints are scored.

    Attributes:
        global_batch_size: examples per step, over all replicas; 0 takes the training batch size.
        bootstrap_resamples: patient-level resamples behind each interval of the report.
    """

    global_batch_size: int = 0
    bootstrap_resamples: int = 1000


@dataclasses.dataclass
class Config:
    """All settings of a run; `seed` decides initial weights, data order and augmentation."""

    seed: int = 0
    runtime: RuntimeConfig = dataclasses.field(default_factory=RuntimeConfig)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)

    @property
    def evaluation_batch_size(self) -> int:
        """Examples per evaluation step, over all replicas."""
        return self.evaluation.global_batch_size or self.data.global_batch_size

    def validate(self) -> None:
        """Checks every setting by itself; what depends on replicas or data is checked later.

        Raises:
            ConfigError: the first setting that cannot work, in one sentence.
        """
        _one_of("runtime.strategy", self.runtime.strategy, STRATEGIES)
        _one_of("runtime.precision", self.runtime.precision, PRECISIONS)
        _one_of("runtime.accelerator", self.runtime.accelerator, ("any", "gpu"))
        _one_of("optimizer.schedule", self.optimizer.schedule, SCHEDULES)
        for name, value, low, high in self._ranges():
            if not low <= value <= high:
                raise ConfigError(f"{name} is {value}: use {low} to {high}")

    def check_replicas(self, replicas: int) -> None:
        """Checks what depends on the number of replicas, before a network is built.

        Raises:
            ConfigError: a global batch that does not divide over the replicas.
        """
        check_batch("data.global_batch_size", self.data.global_batch_size, replicas)
        check_batch("evaluation.global_batch_size", self.evaluation_batch_size, replicas)

    def _ranges(self) -> list[tuple[str, float, float, float]]:
        most = 2**31 - 1
        return [
            ("seed", self.seed, 0, most),
            ("runtime.logical_cpus", self.runtime.logical_cpus, 0, 64),
            ("data.global_batch_size", self.data.global_batch_size, 1, 2**20),
            ("data.image_size", self.data.image_size, 32, 2048),
            ("data.crop_fraction", self.data.crop_fraction, 0.25, 1.0),
            ("data.shuffle_buffer", self.data.shuffle_buffer, 1, most),
            ("data.open_shards", self.data.open_shards, 1, 1024),
            ("model.hidden_units", self.model.hidden_units, 1, 2**16),
            ("model.dropout", self.model.dropout, 0.0, 0.99),
            ("model.batch_norm_momentum", self.model.batch_norm_momentum, 0.0, 0.9999),
            ("optimizer.learning_rate", self.optimizer.learning_rate, 1e-12, 1e3),
            ("optimizer.warmup_steps", self.optimizer.warmup_steps, 0, most),
            ("optimizer.epsilon", self.optimizer.epsilon, 1e-12, 1.0),
            ("train.epochs", self.train.epochs, 1, 100_000),
            ("train.steps_per_call", self.train.steps_per_call, 1, 100_000),
            ("train.checkpoint_every_steps", self.train.checkpoint_every_steps, 0, most),
            ("train.keep_checkpoints", self.train.keep_checkpoints, 1, 1000),
            ("train.patience_epochs", self.train.patience_epochs, 0, 100_000),
            ("train.log_every_steps", self.train.log_every_steps, 1, most),
            ("evaluation.global_batch_size", self.evaluation.global_batch_size, 0, 2**20),
            ("evaluation.bootstrap_resamples", self.evaluation.bootstrap_resamples, 1, 100_000),
        ]


def check_batch(name: str, size: int, replicas: int) -> int:
    """Returns the batch size of one replica.

    >>> check_batch("data.global_batch_size", 96, 8)
    12

    Raises:
        ConfigError: the global batch does not divide over the replicas.
    """
    if size % replicas:
        below = size // replicas * replicas
        near = f"{below} or {below + replicas}" if below else str(replicas)
        raise ConfigError(f"{name} {size} does not divide over {replicas} replicas: use {near}")
    return size // replicas


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}: use one of {', '.join(allowed)}")
