# SPDX-License-Identifier: MIT
"""The settings of the recipe: augmentation, network, loss and optimiser; no TensorFlow.

Sections of `trainer.config.Config`, which has all settings of a run.
"""

import dataclasses

from preprocessing.contract.settings.declaration import FIRST, FIXED, FREE, setting

_MOST = 2**31 - 1


@dataclasses.dataclass
class AugmentationConfig:
    """How training pictures are changed beside `data.flip`; by default they are only cut out."""

    min_area: float = setting(0.0, FIXED, ge=0.0, le=1.0)
    """Least share of the stored picture's area that a random crop keeps; 0 for crops of the size
    that evaluation looks at (`data.crop_fraction`), anywhere. Published recipes have torchvision's
    0.08, and max_ratio 1.3333 and rotation 7; so small a crop may cut off what its label says."""
    max_area: float = setting(1.0, FIXED, ge=0.01, le=1.0)
    """Greatest share, where `min_area` is given."""
    max_ratio: float = setting(1.0, FIXED, ge=1.0, le=4.0)
    """Width to height of a random crop: up to this, and down to one by this, as far as the crop
    fits into the picture; where `min_area` is given."""
    rotation: float = setting(0.0, FIXED, ge=0.0, le=180.0, unit="degrees")
    """Turn by up to so many degrees either way about the crop's centre."""
    brightness: float = setting(0.0, FIXED, ge=0.0, le=1.0)
    """Add up to this share of white, or take it away."""
    contrast: float = setting(0.0, FIXED, ge=0.0, le=1.0)
    """Stretch greys about their mean by up to this share, or press them together."""


@dataclasses.dataclass
class ModelConfig:
    """ResNet-50 -> GlobalAveragePooling -> Dense ReLU -> Dropout -> Dense sigmoid."""

    weights: str = setting("imagenet", FIRST, path=("imagenet", "none"))
    """imagenet (downloaded once by Keras), none, or a path, local or gs://, of a file with weights
    of the backbone (Keras's *.h5, *.weights.h5 or *.keras, or for v1.5 torchvision's resnet50 as
    *.safetensors), or of an earlier run, whose best network is taken, of its last layer the
    findings that both data sets have. Read by the start that finds no checkpoint."""
    weights_sha256: str = setting("", FIRST)
    """Refuse a weights file, or the .data file of a run's checkpoint, with another SHA-256; empty
    to accept any."""
    hidden_units: int = setting(256, FIXED, ge=1, le=2**16, unit="units")
    """Width of the dense layer."""
    variant: str = setting("v1", FIXED, choices=("v1", "v1.5"))
    """v1 is ResNet-50 as Keras has it, whose blocks stride in the first 1x1 convolution; v1.5 as
    torchvision has it, with the stride in the 3x3 convolution."""
    normalization: str = setting("auto", FIXED, choices=("auto", "caffe", "torch", "radimagenet"))
    """What is done to pixels first: caffe subtracts ImageNet's mean colours, radimagenet divides
    that by 255, torch scales to 0..1 and then by ImageNet's mean and deviation. It must be what the
    starting weights were made with; auto is caffe for v1 and torch for v1.5."""
    partial_weights: bool = setting(False, FIRST)
    """Take what fits of a weights file, and begin with random weights where it has none; what is
    missing is listed."""
    dropout: float = setting(0.3, FIXED, ge=0.0, le=0.99)
    """Share of hidden units dropped in training."""
    batch_norm_momentum: float = setting(0.99, FIXED, ge=0.0, le=0.9999)
    """Momentum of the moving batch statistics; runs of a few hundred steps need 0.9."""
    batch_norm: str = setting(
        "synchronized", FIXED, choices=("synchronized", "per_replica", "frozen")
    )
    """synchronized takes the statistics of the global batch: the result does not depend on the
    number of replicas. per_replica is faster between machines. frozen normalises by the statistics
    that the backbone was loaded with, and keeps them, as for small data sets; not with random
    weights."""

    @property
    def normalized(self) -> str:
        """What `normalization` comes to."""
        by_variant = {"v1": "caffe", "v1.5": "torch"}
        # What a later version noted may be none of these.
        auto = by_variant.get(self.variant, "unknown")
        return auto if self.normalization == "auto" else self.normalization


@dataclasses.dataclass
class LossConfig:
    """What training minimises, over the findings that are known."""

    name: str = setting("bce", FIXED, choices=("bce", "focal", "asymmetric"))
    """bce is binary cross-entropy, unweighted: its scores are nearly calibrated. focal (Lin et al.,
    2017) and asymmetric (Ridnik et al., 2021) play down what is easy."""
    class_weights: str = setting("none", FIXED, choices=("none", "balanced"))
    """balanced weights the positives of each finding by negatives to positives of the train split.
    It spoils calibration, and has not improved AUC where it was measured."""
    focal_gamma: float = setting(2.0, FIXED, ge=0.0, le=10.0)
    """Focusing of focal."""
    gamma_positive: float = setting(1.0, FIXED, ge=0.0, le=10.0)
    """Focusing of asymmetric on positives."""
    gamma_negative: float = setting(4.0, FIXED, ge=0.0, le=10.0)
    """Focusing of asymmetric on negatives."""
    margin: float = setting(0.05, FIXED, ge=0.0, le=0.9)
    """Scores of negatives below this cost nothing in asymmetric."""
    label_smoothing: float = setting(0.0, FIXED, ge=0.0, le=0.49)
    """Targets become this instead of 0, and 1 minus this instead of 1; half of what Keras calls
    label smoothing."""


@dataclasses.dataclass
class OptimizerConfig:
    """The optimiser and its learning rate."""

    name: str = setting("adam", FIXED, choices=("adam", "adamw", "sgd"))
    """Optimiser; adamw (Loshchilov and Hutter, 2019) has `weight_decay`, sgd is plain, for
    comparisons."""
    weight_decay: float = setting(0.05, FIXED, ge=0.0, le=1.0)
    """Of adamw, times the learning rate, a step; norms and biases do not decay."""
    backbone_factor: float = setting(1.0, FIXED, ge=0.0, le=100.0)
    """What the learning rate is multiplied by for the backbone; at 0 its weights stay, but, unlike
    in frozen epochs, its batch statistics follow (unless `model.batch_norm` is frozen)."""
    frozen_rate: float = setting(0.0, FIXED, ge=0.0, le=1e3)
    """Constant learning rate of `train.frozen_epochs`, after which the schedule begins, warm-up
    first, and only then plateau and patience count; 0 to have one schedule over all epochs."""
    learning_rate: float = setting(1e-4, FIXED, ge=1e-12, le=1e3)
    """Peak learning rate."""
    schedule: str = setting("cosine", FIXED, choices=("constant", "cosine", "plateau"))
    """How the rate goes on after the warm-up: cosine falls to zero at the last step, plateau
    goes down in steps, by `plateau_factor`."""
    plateau_factor: float = setting(0.1, FIXED, ge=1e-6, le=0.999999)
    """What plateau multiplies the rate by."""
    plateau_epochs: int = setting(1, FIXED, ge=1, le=100_000, unit="epochs")
    """Epochs without a better validation AUC or loss (`train.monitor`) after which plateau lowers
    the rate."""
    restart_rate: float = setting(0.0, FREE, ge=0.0, le=1e3)
    """Learning rate from which a new cosine falls when a run whose cosine has come to zero is given
    more `train.epochs`; 0 for `learning_rate`."""
    warmup_steps: int = setting(0, FIXED, ge=0, le=_MOST, unit="steps")
    """Steps over which the rate rises linearly from zero."""
    epsilon: float = setting(1e-7, FIXED, ge=1e-12, le=1.0)
    """Adam's denominator guard."""
    clip_norm: float = setting(0.0, FIXED, ge=0.0, le=1e6)
    """Longest global gradient that is applied as it is, a longer one is scaled down to it; 0 for no
    limit."""
    ema_decay: float = setting(0.0, FIXED, ge=0.0, le=0.999999)
    """Validate, keep and export a moving average of the weights and batch statistics with this
    decay per step, as 0.999; 0 for no average."""
    loss_scale: float = setting(32768.0, FIRST, ge=1.0, le=2.0**24)
    """First loss scale of mixed_float16; it adapts by factors of two."""
