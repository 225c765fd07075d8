# SPDX-License-Identifier: MIT
"""Every knob of a training run, typed, with its unit and effect; imports no TensorFlow.

What a run needs to know about the data (finding names, sizes, counts) is not here: it comes from
the data set's manifest.
"""

import dataclasses

from preprocessing.contract.errors import ConfigError
from trainer import limits


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
        xla: compile the step with XLA; on one device (a TPU compiles it anyway).
        communication: auto | ring | nccl, how the processes of multi_worker add up gradients.
        formation_seconds: how long a process of multi_worker waits for the others to come up.
    """

    strategy: str = "auto"
    precision: str = "float32"
    accelerator: str = "any"
    tpu: str = ""
    logical_cpus: int = 0
    deterministic: bool = False
    xla: bool = False
    communication: str = "auto"
    formation_seconds: int = 900


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
        open_shards: streams of records read side by side. A process reads only its own if their
            number divides by that of the processes; 24 does by 2, 3, 4, 6, 8, 12 and 24.
        cache: "memory" or a local folder, where a process keeps a copy of the train and validation
            shards; empty to read them where they are in every epoch.
        deterministic: False hands out records in the order in which they happen to be ready, for
            speed; the run cannot be repeated then, nor go on as if nothing had happened.
    """

    global_batch_size: int = 64
    image_size: int = 224
    crop_fraction: float = 0.875
    flip: bool = True
    shuffle_buffer: int = 4096
    open_shards: int = 24
    cache: str = ""
    deterministic: bool = True


@dataclasses.dataclass
class ModelConfig:
    """ResNet-50 -> GlobalAveragePooling -> Dense ReLU -> Dropout -> Dense sigmoid.

    Attributes:
        weights: imagenet (downloaded once by Keras), none, the path of a Keras weights file
            (*.weights.h5 or *.h5) of the backbone, or the folder of an earlier run, whose best
            network is taken whole if the findings are the same; local or gs://. Read by the start
            that finds no checkpoint.
        weights_sha256: refuse a weights file, or the .data file of a run's checkpoint, with another
            SHA-256; empty to accept any.
        hidden_units: width of the dense layer.
        dropout: share of hidden units dropped in training, 0 to below 1.
        batch_norm_momentum: memory of the batch statistics; runs of a few hundred steps need 0.9.
        batch_norm: synchronized (statistics of the global batch: the result does not depend on the
            number of replicas) | per_replica (faster between machines).
    """

    weights: str = "imagenet"
    weights_sha256: str = ""
    hidden_units: int = 256
    dropout: float = 0.3
    batch_norm_momentum: float = 0.99
    batch_norm: str = "synchronized"


@dataclasses.dataclass
class OptimizerConfig:
    """The optimiser and its learning rate.

    Attributes:
        name: adam | sgd (plain, for comparisons).
        learning_rate: peak rate.
        schedule: constant | cosine (down to zero at the last step) | plateau (times
            `plateau_factor` after `plateau_epochs` epochs without a better validation AUC).
        plateau_factor: see `schedule`.
        plateau_epochs: see `schedule`.
        restart_rate: learning rate from which a new cosine falls when a run whose cosine has come
            to zero is given more `train.epochs`; 0 for `learning_rate`.
        warmup_steps: steps over which the rate rises linearly from zero.
        epsilon: Adam's denominator guard.
        clip_norm: longest global gradient that is applied as it is, a longer one is scaled down to
            it; 0 for no limit.
        ema_decay: validate, keep and export a moving average of the weights with this decay per
            step, as 0.999; 0 for the weights themselves.
        loss_scale: first loss scale of mixed_float16; it adapts by factors of two.
    """

    name: str = "adam"
    learning_rate: float = 1e-4
    schedule: str = "cosine"
    plateau_factor: float = 0.1
    plateau_epochs: int = 1
    restart_rate: float = 0.0
    warmup_steps: int = 0
    epsilon: float = 1e-7
    clip_norm: float = 0.0
    ema_decay: float = 0.0
    loss_scale: float = 32768.0


@dataclasses.dataclass
class TrainConfig:
    """How long to train and when to save.

    Attributes:
        epochs: passes over the train split; a run that is over goes on when it is given more.
        steps_per_call: optimiser steps per host call, at most; slow steps are called for singly.
        accumulation_steps: parts in which a replica works off its share of the global batch, to fit
            it into memory; batch statistics are those of a part.
        frozen_epochs: epochs at the start in which only the head learns and the backbone, with its
            batch statistics, stays as it was loaded.
        checkpoint_every_steps: steps between saves inside an epoch; 0 saves at the ends of epochs.
        keep_checkpoints: newest checkpoints kept.
        keep_best: best networks kept, by validation mean AUC.
        patience_epochs: stop after so many epochs without a better validation AUC; 0 for never.
        max_loss: stop when the loss of a step exceeds this, in nats per finding; 0 for never.
        max_fruitless_starts: give up when so many starts in a row got to no new checkpoint; 0 for
            never.
        log_every_steps: steps between points in TensorBoard and lines in the log.
        profile_steps: "first,last" step to trace for TensorBoard's profiler; empty for none.
    """

    epochs: int = 10
    steps_per_call: int = 10
    accumulation_steps: int = 1
    frozen_epochs: int = 0
    checkpoint_every_steps: int = 500
    keep_checkpoints: int = 3
    keep_best: int = 1
    patience_epochs: int = 0
    max_loss: float = 20.0
    max_fruitless_starts: int = 10
    log_every_steps: int = 50
    profile_steps: str = ""


@dataclasses.dataclass
class EvaluationConfig:
    """How checkpoints are scored.

    Attributes:
        global_batch_size: examples per step, over all replicas; 0 takes the training batch size.
        bootstrap_resamples: patient-level resamples behind each interval of the report.
        localisation: leave heat maps (Grad-CAM) of the test images with boxes beside the
            predictions, for the report to hold against the boxes.
        gallery: pictures that evaluation leaves for the report with their heat maps, so many false
            alarms, misses and hits of each finding of the test split; 0 for none, as for pictures
            that must not leave the data set.
    """

    global_batch_size: int = 0
    bootstrap_resamples: int = 1000
    localisation: bool = False
    gallery: int = 3


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
        limits.check(self)

    def check_replicas(self, replicas: int) -> None:
        """Checks what depends on the number of replicas, before a network is built.

        Raises:
            ConfigError: a global batch that does not divide over the replicas and their parts.
        """
        parts = self.train.accumulation_steps
        share = limits.share("data.global_batch_size", self.data.global_batch_size, replicas)
        if share % parts:
            raise ConfigError(
                f"a replica's share of the batch, {share}, does not divide by "
                f"train.accumulation_steps {parts}: change one of them, {limits.ELSEWHERE}"
            )
        limits.share("evaluation.global_batch_size", self.evaluation_batch_size, replicas)
