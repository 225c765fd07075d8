# SPDX-License-Identifier: MIT
"""Tests of what settings may be: batches over replicas, spans of steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.contract.errors import ConfigError
from trainer import limits
from trainer.config import Config


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
