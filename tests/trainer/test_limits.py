# SPDX-License-Identifier: MIT
"""Tests of what settings may be: batches over replicas, spans of steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.contract.errors import ConfigError
from trainer import limits
from trainer.config import Config
from trainer.recipe import AugmentationConfig


@given(size=st.integers(1, 5000), replicas=st.integers(1, 64))
def test_a_batch_divides_or_the_sentence_names_sizes_that_do(size: int, replicas: int) -> None:
    if size % replicas == 0:
        assert limits.share("name", size, replicas) * replicas == size
        return
    with pytest.raises(ConfigError) as caught:
        limits.share("name", size, replicas)
    advice = str(caught.value).rpartition("use ")[2].split(" or ")
    assert advice
    for other in map(int, advice):
        assert limits.share("name", other, replicas) >= 1
        assert abs(other - size) < replicas


@pytest.mark.parametrize("steps", ["5", "0,3", "9,8", "a,b", "1,2,3", "-1,4"])
def test_a_span_that_is_none_is_refused(steps: str) -> None:
    config = Config()
    config.train.profile_steps = steps
    with pytest.raises(ConfigError, match="use two steps, as 100,120"):
        config.validate()


def test_a_batch_that_a_run_keeps_is_changed_elsewhere_and_one_of_evaluation_anywhere() -> None:
    with pytest.raises(ConfigError, match="use 8 or 12, in a new --output if the run has a check"):
        limits.share("data.global_batch_size", 10, 4)
    with pytest.raises(ConfigError, match="over 4 replicas: use 8 or 12$"):
        limits.share("evaluation.global_batch_size", 10, 4)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"min_area": 0.9, "max_area": 0.5}, "min_area 0.9 is more than max_area 0.5: lower it"),
        ({"max_area": 0.5}, "max_area is 0.5 .* without augmentation.min_area changes nothing"),
        ({"max_ratio": 1.3, "rotation": 7.0}, "max_ratio 1.3, which without .*: set that too"),
    ],
)
def test_settings_of_crops_that_cannot_work_together_are_refused(
    settings: dict[str, float], sentence: str
) -> None:
    config = Config(augmentation=AugmentationConfig(**settings))
    with pytest.raises(ConfigError, match=sentence):
        config.validate()
    Config(augmentation=AugmentationConfig(**settings | {"min_area": 0.3})).validate()
