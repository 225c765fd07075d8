# SPDX-License-Identifier: MIT
"""Several models as one: the mean of what they say."""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from preprocessing.contract.errors import DataError
from trainer.serving.facts import Facts

if TYPE_CHECKING:
    from trainer.serving.served import Answer, Answering, Floats


def facts_of(models: Sequence[Facts]) -> Facts:
    """Returns the facts of the mean of models; of one model its own.

    A threshold holds for the model that it was chosen for, not for a mean: there are none.

    Raises:
        DataError: one model twice, or models of other findings or another size of the canonical
            picture.
    """
    first = models[0]
    for other in models[1:]:
        for name in ("findings", "stored_size"):
            if getattr(other, name) != getattr(first, name):
                raise DataError(
                    f"{other.folder} has other {name.replace('_', ' ')} than {first.folder}: only "
                    "models of the same can be averaged"
                )
    if len(models) == 1:
        return first
    known = [f"{one.identity} {one.step} {one.content}" for one in models]
    for at, one in enumerate(known):
        if one in known[:at]:
            twice = f"{models[known.index(one)].folder} and {models[at].folder}"
            raise DataError(f"{twice} are the same model: name it once")
    return dataclasses.replace(
        first,
        folder=", ".join(one.folder for one in models),
        prevalence={
            name: sum(one.prevalence[name] for one in models) / len(models)
            for name in first.findings
        },
        thresholds={},
        calibration=first.calibration if all(one.calibration for one in models) else {},
        identity=hashlib.sha256(" ".join(sorted(known)).encode()).hexdigest(),
        step=0,
        content="",
        models=len(models),
        views=", ".join(dict.fromkeys(one.views for one in models)),
        manifests=tuple(manifest for one in models for manifest in one.manifests),
    )


class MeanModel:
    """The mean of several models; `trainer.serving.served.Answering`.

    A film is unfamiliar if one of them says so. Heat maps are averaged where all look at the same
    part of the film, else they are those of the first model.

    Args:
        models: two or more.

    Raises:
        DataError: as `facts_of`.
    """

    def __init__(self, models: "Sequence[Answering]") -> None:
        self._models = models
        self.facts = facts_of([model.facts for model in models])
        views = {(model.facts.image_size, model.facts.crop_fraction) for model in models}
        self._mapped = models if len(views) == 1 else models[:1]

    def answer(self, pixels: npt.NDArray[np.uint8]) -> "Answer":
        """Scores canonical pictures, uint8 [n, stored_size, stored_size]."""
        answers = [model.answer(pixels) for model in self._models]
        probabilities = [one.probabilities for one in answers if one.probabilities is not None]
        unfamiliar = [one.unfamiliar for one in answers if one.unfamiliar is not None]
        return dataclasses.replace(
            answers[0],
            raw=np.mean([one.raw for one in answers], axis=0, dtype=np.float32),
            probabilities=np.mean(probabilities, axis=0, dtype=np.float32)
            if len(probabilities) == len(answers)
            else None,
            flags=np.zeros([*answers[0].raw.shape, 0], np.int32),
            distance=None,
            unfamiliar=np.any(unfamiliar, axis=0) if unfamiliar else None,
        )

    def heat_maps(self, pixels: npt.NDArray[np.uint8]) -> "Floats":
        """Returns float32 [n, F, image_size, image_size], 0 to 1, of canonical pictures."""
        maps = [model.heat_maps(pixels) for model in self._mapped]
        return np.asarray(np.mean(maps, axis=0, dtype=np.float32))
