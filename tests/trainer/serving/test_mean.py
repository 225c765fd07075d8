# SPDX-License-Identifier: MIT
"""The mean of models is the mean of their answers, and has no thresholds of its own."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from preprocessing.contract.errors import DataError
from trainer.serving import mean
from trainer.serving.facts import Facts
from trainer.serving.served import Answer

_FACTS = Facts(
    folder="a",
    findings=("Mass", "Edema"),
    stored_size=4,
    image_size=4,
    crop_fraction=1.0,
    prevalence={"Mass": 0.2, "Edema": 0.1},
    thresholds={"Mass": {"youden": 0.5}, "Edema": {"youden": 0.5}},
    calibration={"Mass": {}, "Edema": {}},
    identity="1",
    step=3,
)


class _Model:
    def __init__(self, value: float, *, strange: bool | None, **other: Any) -> None:
        named = {"folder": str(value), "content": str(value)} | other
        self.facts = dataclasses.replace(_FACTS, **named)
        self._value, self._strange = np.float32(value), strange

    def answer(self, pixels: npt.NDArray[np.uint8]) -> Answer:
        raw = np.full((len(pixels), 2), self._value)
        flags = np.ones((len(pixels), 2, 1), np.int32)
        strange = None if self._strange is None else np.full(len(pixels), self._strange)
        return Answer(raw, raw / 2 if self.facts.calibration else None, flags, raw[:, 0], strange)

    def heat_maps(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        side = self.facts.image_size
        return np.full((len(pixels), 2, side, side), self._value)


_PIXELS = np.zeros((3, 4, 4), np.uint8)


def test_answers_are_averaged() -> None:
    models = [
        _Model(0.2, strange=False),
        _Model(0.6, strange=True, prevalence={"Mass": 0.4, "Edema": 0.1}),
    ]
    model = mean.MeanModel(models)
    answer = model.answer(_PIXELS)
    np.testing.assert_allclose(answer.raw, np.full((3, 2), 0.4), rtol=1e-6)
    assert answer.probabilities is not None and answer.unfamiliar is not None
    np.testing.assert_allclose(answer.probabilities, np.full((3, 2), 0.2), rtol=1e-6)
    assert answer.unfamiliar.all() and answer.distance is None
    assert answer.flags.shape == (3, 2, 0) and model.facts.rules == ()
    assert model.facts.prevalence["Mass"] == pytest.approx(0.3)
    np.testing.assert_allclose(model.heat_maps(_PIXELS), np.full((3, 2, 4, 4), 0.4), rtol=1e-6)


def test_what_one_model_lacks_the_mean_lacks() -> None:
    models = [_Model(0.2, strange=None), _Model(0.6, strange=None, calibration={}, image_size=2)]
    answer = mean.MeanModel(models).answer(_PIXELS)
    assert answer.probabilities is None and answer.unfamiliar is None
    assert mean.MeanModel(models).heat_maps(_PIXELS).shape == (3, 2, 4, 4)


@pytest.mark.parametrize("other", [{"findings": ("Mass",)}, {"stored_size": 5}])
def test_models_of_different_kinds_are_refused(other: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="than 0.2"):
        mean.MeanModel([_Model(0.2, strange=None), _Model(0.6, strange=None, **other)])


def test_one_model_under_two_paths_is_refused() -> None:
    models = [_Model(0.2, strange=None), _Model(0.6, strange=None, content="0.2")]
    with pytest.raises(DataError, match="0.2 and 0.6 are the same model"):
        mean.MeanModel(models)
