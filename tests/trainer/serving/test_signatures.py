# SPDX-License-Identifier: MIT
"""The signatures of the SavedModel give what they say, and a loaded one answers with it."""

from typing import Any

import numpy as np
import pytest

from trainer.serving import names, served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(finished_run: Any) -> served.ServedModel:
    return served.ServedModel(finished_run.output)


def test_pixels_are_answered_with_everything(loaded: served.ServedModel, data_set: Any) -> None:
    pixels = np.stack(list(data_set.pixels.values()))
    answer = loaded.answer(pixels)
    count = len(pixels)
    assert answer.raw.shape == (count, 3) and answer.raw.dtype == np.float32
    assert answer.probabilities is not None and answer.best is answer.probabilities
    assert answer.flags.shape == (count, 3, 4)
    maps = loaded.heat_maps(pixels[:2])
    assert maps.shape == (2, 3, 32, 32) and maps.min() >= 0 and maps.max() <= 1


def test_every_output_has_a_name_of_its_own() -> None:
    assert len(set(names.OUTPUTS)) == len(names.OUTPUTS)
