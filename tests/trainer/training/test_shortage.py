# SPDX-License-Identifier: MIT
"""Memory that runs out, for real: before the first step settings are named, later they are not."""

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, ResourceError
from trainer.checkpoints.progress import Progress
from trainer.config import Config
from trainer.training import shortage


@pytest.fixture(scope="module")
def exhausted() -> tf.errors.ResourceExhaustedError:
    """What TensorFlow raises, after ten seconds in which memory might have come free."""
    with pytest.raises(tf.errors.ResourceExhaustedError) as caught:
        tf.zeros([2**50])
    return caught.value


def _config(batch: int, parts: int = 1) -> Config:
    config = Config()
    config.data.global_batch_size, config.train.accumulation_steps = batch, parts
    return config


@pytest.mark.parametrize(
    ("batch", "parts", "advice"),
    [
        (
            48,
            1,
            r"raise train.accumulation_steps from 1 to 2, 3, 4 \.\.\. \(it must divide .* 24\)",
        ),
        (48, 12, r"raise train.accumulation_steps from 12 to 24 \(it must divide .* 24\)"),
        (2, 1, r"before any step was done: lower data.image_size, or take a larger device$"),
    ],
)
def test_before_the_first_step_the_settings_are_too_large(
    batch: int, parts: int, advice: str, exhausted: Exception
) -> None:
    with (
        pytest.raises(ConfigError, match=advice),
        shortage.named(_config(batch, parts), 2, Progress()),
    ):
        raise exhausted


def test_the_memory_of_the_host_is_told_alike() -> None:
    said = pytest.raises(ConfigError, match=r"this machine has no memory .*accumulation_steps")
    with said, shortage.named(_config(4), 1, Progress()):
        np.zeros([2**50])


def test_later_it_counts_as_a_restart(exhausted: Exception) -> None:
    said = pytest.raises(ResourceError, match="after 40 steps for which it sufficed")
    with said as caught, shortage.named(_config(4), 1, Progress(step=40)):
        raise exhausted
    assert "accumulation_steps" not in str(caught.value)


def test_a_disk_is_no_memory() -> None:
    error = tf.errors.ResourceExhaustedError(None, None, "/out/x; No space left on device")
    said = pytest.raises(tf.errors.ResourceExhaustedError)
    with said, shortage.named(_config(4), 1, Progress()):
        raise error
