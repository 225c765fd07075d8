# SPDX-License-Identifier: MIT
"""Every setting of a training run, declared once, with its unit and effect; no TensorFlow.

What a run needs to know about the data (finding names, sizes, counts) is not here: it comes from
the data set's manifest. FREE is where a run executes, how fast and by which kernels (that decides
roundings alone), what is kept, logged and checked, when the run is over, and what is made of the
best network. All that decides the weights is FIXED from the first checkpoint on.
"""

import dataclasses

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.settings import declaration
from preprocessing.contract.settings.declaration import FIXED, FREE, setting
from trainer import limits
from trainer.recipe import AugmentationConfig, LossConfig, ModelConfig, OptimizerConfig

_MOST = 2**31 - 1


@dataclasses.dataclass
class RuntimeConfig:
    """Where the run executes."""

    strategy: str = setting(
        "auto", FREE, choices=("auto", "one_device", "mirrored", "multi_worker", "tpu")
    )
    """How replicas share the work. auto takes tpu if `tpu` or TPU_NAME is set, multi_worker if the
    environment names more than one task, mirrored if there is more than one GPU or logical CPU,
    else one_device."""
    precision: str = setting(
        "float32", FIXED, choices=("float32", "mixed_float16", "mixed_bfloat16")
    )
    """Number format of the network; mixed_float16 has dynamic loss scaling."""
    accelerator: str = setting("any", FREE, choices=("any", "gpu"))
    """gpu refuses a machine on which TensorFlow sees no GPU."""
    tpu: str = setting("", FREE)
    """Name or address of a TPU, or "local" for the one attached; empty for none."""
    logical_cpus: int = setting(0, FREE, ge=0, le=64, unit="devices")
    """Split the CPU into this many devices, to try mirrored without GPUs; 0 for no."""
    deterministic: bool = setting(False, FREE)
    """Bit-identical repeats at some cost in speed; a CPU always repeats bit by bit."""
    xla: bool = setting(False, FREE)
    """Compile the step with XLA; on one device (a TPU compiles it anyway). With the
    same seed, XLA draws other crops of fixed size and drops other units."""
    communication: str = setting("auto", FREE, choices=("auto", "ring", "nccl"))
    """How the processes of multi_worker add up gradients."""
    verify_every_steps: int = setting(0, FREE, ge=0, le=_MOST, unit="steps")
    """Compute every so many steps' gradients twice and compare them, and hold the weights by
    checksums all the time, to find a machine that computes or remembers wrongly; 0 for never."""
    formation_seconds: int = setting(900, FREE, ge=1, le=86_400, unit="seconds")
    """How long a process of multi_worker waits for the others to come up, in seconds."""
    stall_seconds: int = setting(600, FREE, ge=0, le=86_400, unit="seconds")
    """A process in which nothing moves for so long, or for twelve times the longest wait of the
    same kind so far, is ended (exit 75); six times so long for what it does for the first time. 0
    for never."""


@dataclasses.dataclass
class DataConfig:
    """How batches are made."""

    global_batch_size: int = setting(64, FIXED, ge=1, le=2**20, unit="examples")
    """Examples in one optimiser step, over all replicas."""
    image_size: int = setting(224, FIXED, ge=32, le=2048, unit="pixels")
    """Side in pixels of the model's input."""
    crop_fraction: float = setting(0.875, FIXED, ge=0.25, le=1.0)
    """Side of the centre square that evaluation and serving look at, as a share of the stored
    picture; 0.875 is 224 of 256. Training crops the same size anywhere."""
    flip: bool = setting(True, FIXED)
    """Mirror half of the training pictures left to right."""
    shuffle_buffer: int = setting(4096, FIXED, ge=1, le=_MOST, unit="records")
    """Records mixed at a time; each costs the size of a stored picture in memory."""
    open_shards: int = setting(24, FIXED, ge=1, le=1024, unit="streams")
    """Streams of records read side by side. A process reads only its own if their number divides by
    that of the processes; 24 does by 2, 3, 4, 6, 8, 12 and 24."""
    cache: str = setting("", FREE, path=("memory",))
    """"memory" or a local folder, where a process keeps a copy of the train and validation shards;
    empty to read them where they are in every epoch."""
    deterministic: bool = setting(True, FIXED)
    """False takes records in the order in which they happen to be ready, for speed; the run cannot
    be repeated then, nor go on as if nothing had happened."""


@dataclasses.dataclass
class TrainConfig:
    """How long to train and when to save."""

    epochs: int = setting(10, FREE, ge=1, le=100_000, unit="epochs")
    """Passes over the train split; a run that is over goes on when it is given more. Fewer than
    were done, and another end for a cosine that is under way, are refused."""
    steps_per_call: int = setting(10, FREE, ge=1, le=100_000, unit="steps")
    """Optimiser steps per host call, at most; slow steps run one per call."""
    accumulation_steps: int = setting(1, FIXED, ge=1, le=2**20, unit="parts")
    """Parts in which a replica computes its share of the global batch, to fit it into memory; batch
    statistics are those of a part."""
    frozen_epochs: int = setting(0, FIXED, ge=0, le=100_000, unit="epochs")
    """Epochs at the start in which only the head learns and the backbone, with its batch
    statistics, stays as it was loaded."""
    checkpoint_every_steps: int = setting(500, FREE, ge=0, le=_MOST, unit="steps")
    """Steps between saves inside an epoch; 0 saves at the ends of epochs."""
    keep_checkpoints: int = setting(3, FREE, ge=1, le=1000, unit="checkpoints")
    """Newest checkpoints kept."""
    keep_best: int = setting(1, FREE, ge=1, le=1000, unit="networks")
    """Best networks kept."""
    monitor: str = setting("auc", FIXED, choices=("auc", "loss"))
    """Validation figure that chooses the best network, lowers plateau's rate and ends by patience:
    the mean AUC or the mean binary cross-entropy."""
    patience_epochs: int = setting(0, FREE, ge=0, le=100_000, unit="epochs")
    """Stop after so many epochs without a better validation AUC or loss; 0 for never."""
    teacher: str = setting("", FIXED, path=())
    """Predictions file on the train split of a teacher, whose scores are learned too (distillation,
    Hinton et al., 2015); of several, with commas between them, the mean. It must not have learned
    from validation or test patients. Empty for none."""
    teacher_share: float = setting(0.5, FIXED, ge=0.0, le=1.0)
    """Share of the loss that the teacher's scores have; the labels have the rest. What has only one
    of both is learned from that alone."""
    max_loss: float = setting(20.0, FREE, ge=0.0, le=1e9)
    """Stop when the loss of a step exceeds this, in nats per finding; 0 for never."""
    max_fruitless_starts: int = setting(10, FREE, ge=0, le=100_000, unit="starts")
    """Give up when so many starts in a row got to no new checkpoint; 0 for never."""
    log_every_steps: int = setting(50, FREE, ge=1, le=_MOST, unit="steps")
    """Steps between points in TensorBoard and lines in the log."""
    profile_steps: str = setting("", FREE)
    """"first,last" step to trace for TensorBoard's profiler; empty for none."""


@dataclasses.dataclass
class EvaluationConfig:
    """How checkpoints are scored."""

    global_batch_size: int = setting(0, FREE, ge=0, le=2**20, unit="examples")
    """Examples per step, over all replicas; 0 takes the training batch size."""
    views: str = setting("one", FREE, choices=("one", "flip", "ten_crop"))
    """Cut-outs of a picture whose scores are averaged by evaluation and by the SavedModel: the
    centre; the centre and its mirror image; or centre and four corners and their mirror images.
    Ten take ten times as long, and no more memory. While it trains, a run validates on the centre;
    heat maps show the centre. Evaluate, report and export with the same value."""
    bootstrap_resamples: int = setting(1000, FREE, ge=1, le=100_000, unit="resamples")
    """Patient-level resamples behind each interval of the report."""
    localisation: bool = setting(False, FREE)
    """Leave heat maps (Grad-CAM) of the test images with boxes beside the predictions, for the
    report to compare with the boxes."""
    gallery: int = setting(3, FREE, ge=0, le=20, unit="pictures")
    """Pictures that evaluation leaves for the report with their heat maps, so many false alarms,
    misses and hits of each finding of the test split; 0 for none, as for pictures that must not
    leave the data set."""
    familiarity: int = setting(2048, FREE, ge=0, le=16_384, unit="pictures")
    """Pictures of each split that the export looks at, so that the SavedModel can flag pictures
    unlike those of training; 0 for no such flag."""


@dataclasses.dataclass
class Config:
    """All settings of a run."""

    seed: int = setting(0, FIXED, ge=0, le=_MOST)
    """Decides initial weights, data order and augmentation."""
    runtime: RuntimeConfig = dataclasses.field(default_factory=RuntimeConfig)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    augmentation: AugmentationConfig = dataclasses.field(default_factory=AugmentationConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)

    @property
    def evaluation_batch_size(self) -> int:
        """Examples per evaluation step, over all replicas."""
        return self.evaluation.global_batch_size or self.data.global_batch_size

    def validate(self) -> None:
        """Checks every setting, and those that go together; replicas and data are checked later.

        Raises:
            ConfigError: the first setting that cannot work, in one sentence.
        """
        declaration.check(self)
        limits.span(self.train.profile_steps)
        limits.crops(self.augmentation)

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
