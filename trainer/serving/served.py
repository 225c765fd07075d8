# SPDX-License-Identifier: MIT
"""A SavedModel that answers: what prediction, its HTTP interface and its pictures are made with."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import faults, storage
from trainer.checkpoints import bundle
from trainer.serving import facts, names
from trainer.serving.facts import Facts

_TEXTS = (names.FINDINGS, names.RULES)
_AGAIN = "copy it again or export again (cxr14-train --mode=export)"

Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model says of n pictures, for F findings and R rules.

    Attributes:
        raw: scores, float32 [n, F], 0 to 1.
        probabilities: calibrated, float32 [n, F]; None without a calibration.
        flags: int32 [n, F, R], 1, 0, or -1 where a rule found no threshold; R may be 0.
        distance: from the pictures of training, float32 [n]; None where that is not known.
        unfamiliar: whether that is too far, bool [n]; None likewise.
    """

    raw: Floats
    probabilities: Floats | None
    flags: npt.NDArray[np.int32]
    distance: Floats | None
    unfamiliar: npt.NDArray[np.bool_] | None

    @property
    def best(self) -> Floats:
        """Calibrated probabilities where there are any, else raw scores."""
        return self.raw if self.probabilities is None else self.probabilities

    def film(self, at: int) -> "Answer":
        """Returns the answer about one picture alone, n = 1."""
        parts: dict[str, Any] = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        known = {name: part[at : at + 1] for name, part in parts.items() if part is not None}
        return dataclasses.replace(self, **known)


class Answering(Protocol):
    """A model, or several as one."""

    facts: Facts

    def answer(self, pixels: npt.NDArray[np.uint8]) -> Answer:
        """Scores canonical pictures, uint8 [n, stored_size, stored_size]."""

    def heat_maps(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """Returns float32 [n, F, image_size, image_size], 0 to 1, of canonical pictures."""


def load(folder: str) -> Any:
    """Loads the SavedModel in a folder.

    Raises:
        DataError: it cannot be loaded.
    """
    if bundle.is_pattern(folder):
        raise DataError(
            f"TensorFlow loads no SavedModel from a path with [, ] or \\: copy {folder} to a path "
            "without them"
        )
    variables = storage.list_files(storage.join(folder, "variables"))
    if not all(any(part in path for path in variables) for part in (".index", ".data-")):
        raise DataError(f"{folder} is not whole, without its variables: {_AGAIN}")
    try:
        return faults.insist(lambda: tf.saved_model.load(folder))
    except (OSError, ValueError, LookupError, RuntimeError, tf.errors.OpError) as error:
        raise DataError(
            f"{folder} cannot be loaded ({faults.line(str(error))}): {_AGAIN}"
        ) from error


class ServedModel:
    """A loaded SavedModel.

    Attributes:
        facts: what lies beside its graph.
        signatures: its functions, by the names of `trainer.serving.names`.

    Args:
        folder: of the SavedModel or of the run that holds it.

    Raises:
        DataError: there is no export that is whole, or it cannot be loaded.
    """

    def __init__(self, folder: str) -> None:
        self.facts = facts.read(folder)
        # The signatures do not keep the model alive by themselves.
        self._loaded = load(self.facts.folder)
        self.signatures: Mapping[str, Any] = self._loaded.signatures
        if lacking := {names.OF_PIXELS, names.EXPLAIN_PIXELS} - {*self.signatures}:
            raise DataError(
                f"{self.facts.folder} was exported by an older version, without the signature "
                f"{min(lacking)}: export again (cxr14-train --mode=export)"
            )

    def answer(self, pixels: npt.NDArray[np.uint8]) -> Answer:
        """Scores canonical pictures, uint8 [n, stored_size, stored_size].

        Raises:
            DataError: the graph has other findings, rules or calibration than `facts`.
        """
        found = self.signatures[names.OF_PIXELS](pixels=tf.constant(pixels))
        made = {name: tensor.numpy() for name, tensor in found.items()}
        count, findings = made[names.SCORES].shape
        if count:
            self._check(made)
        return Answer(
            raw=made[names.SCORES],
            probabilities=made.get(names.PROBABILITIES),
            flags=made.get(names.FLAGS, np.zeros([count, findings, 0], np.int32)),
            distance=made.get(names.DISTANCE),
            unfamiliar=made.get(names.UNFAMILIAR),
        )

    def _check(self, made: Mapping[str, Any]) -> None:
        facts = self.facts
        said = [[text.decode() for text in made[name][0]] for name in _TEXTS if name in made]
        expected = [[*texts] for texts in (facts.findings, facts.rules) if texts]
        if said != expected or (names.PROBABILITIES in made) != bool(facts.calibration):
            raise DataError(
                f"{facts.folder} has files of another export beside its graph, or lacks some: "
                f"{_AGAIN}"
            )

    def heat_maps(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """Returns float32 [n, F, image_size, image_size], 0 to 1, of canonical pictures."""
        found = self.signatures[names.EXPLAIN_PIXELS](pixels=tf.constant(pixels))
        return np.asarray(found[names.HEAT_MAPS].numpy())
