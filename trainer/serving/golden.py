# SPDX-License-Identifier: MIT
"""The golden pair beside a SavedModel: a drawn picture and what the model said of it.

Whoever copies the model or serves it on other software replays it (`cxr14-train
--mode=verify_export`) and knows that it still says the same. It needs no data set.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.pictures import image
from trainer.serving import names, served
from trainer.serving.facts import Facts

PICTURE, ANSWERS = "golden.png", names.GOLDEN
# The same weights under TensorFlow 2.16.2 and 2.21, with and without oneDNN, gave scores that
# differed by up to 3e-7 on a CPU.
BOUND = 1e-5

_MEASURED = {names.SCORES, names.PROBABILITIES}
_COMPARED = (names.SCORES, names.PROBABILITIES, names.FLAGS)
_AGAIN = "copy the SavedModel again or export again (cxr14-train --mode=export)"


def picture(stored_size: int) -> bytes:
    """Returns a PNG of `stored_size` * 2 pixels a side: shapes and greys of a chest film, drawn."""
    side = 2 * stored_size
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    film = 0.75 - 0.35 * np.abs(x) ** 3 + 0.12 * y
    for centre, width in ((-0.42, 0.27), (0.42, 0.25)):
        film -= 0.55 * _oval(x - centre, (y + 0.05) * 0.95, width, 0.62)
    film += 0.4 * _oval(x - 0.12, y - 0.28, 0.28, 0.3)
    film += 0.25 * np.exp(-((x / 0.1) ** 2))
    film += 0.05 * np.sin(24 * (y - 0.3 * x**2)) * (np.abs(x) < 0.85)
    film += np.random.default_rng(14).normal(0, 0.02, film.shape)
    # In steps of 4, so that the mean of 2 x 2 pixels is a whole number, which needs no rounding.
    return image.encode((63 * np.clip(film, 0, 1)).astype(np.uint8) * 4)


def pair(
    signatures: Mapping[str, Any], *, findings: Sequence[str], stored_size: int
) -> dict[str, bytes]:
    """Makes the pair; returns file name -> content.

    Args:
        signatures: of the SavedModel as it was written, by name.
        findings: names, in the order of its outputs.
        stored_size: side of its canonical picture in pixels.
    """
    encoded = picture(stored_size)
    answers = _answers(signatures, encoded, stored_size)
    note = {"tensorflow": tf.__version__, "findings": list(findings)}
    note |= {name: values[0].tolist() for name, values in answers.items()}
    text = json.dumps(note, indent=2, allow_nan=False) + "\n"
    return {PICTURE: encoded, ANSWERS: text.encode()}


def verify(folder: str) -> str:
    """Replays the pair of a SavedModel.

    Args:
        folder: of the SavedModel, or of the run that holds it, local or gs://.

    Returns:
        A line that says how large the largest difference is.

    Raises:
        DataError: the model cannot be loaded, a file of the pair is missing or corrupt, or what
            the model says differs by more than `BOUND`.
    """
    model = served.ServedModel(folder)
    facts = model.facts
    encoded, text = (_read(facts.folder, name) for name in (PICTURE, ANSWERS))
    try:
        note = json.loads(text)
        expected = {name: np.array(note[name], float) for name in _COMPARED if name in note}
        version = str(note["tensorflow"])
        found = _answers(model.signatures, encoded, facts.stored_size)
    except (ValueError, KeyError, TypeError, RecursionError, image.ImageError) as error:
        raise DataError(f"the golden pair of {facts.folder} is corrupt: {_AGAIN}") from error
    shapes = [{name: each.shape for name, each in expected.items()}]
    shapes += [{name: each.shape[1:] for name, each in found.items()}]
    if shapes[0] != shapes[1]:
        raise DataError(f"the golden pair of {facts.folder} is of another model: {_AGAIN}")
    gaps = [np.abs(found[name] - expected[name]).max() for name in _MEASURED & {*found}]
    largest = float(np.max(gaps))
    flipped = names.FLAGS in found and _flipped(expected[names.FLAGS], found, facts)
    # Not "above", as nothing is above NaN.
    if flipped or not largest <= BOUND:
        raise DataError(
            f"{facts.folder} does not answer as it did when TensorFlow {version} exported it: for "
            f"its golden picture {'flags differ, and ' * flipped}scores differ by up to "
            f"{largest:.2g} ({BOUND:g} is allowed; TensorFlow {tf.__version__} here): {_AGAIN}, or "
            "serve it with the TensorFlow that exported it"
        )
    return (
        f"golden pair: largest difference {largest:.2g} ({BOUND:g} is allowed); exported by "
        f"TensorFlow {version}, replayed by {tf.__version__}: {facts.folder}"
    )


def _answers(
    signatures: Mapping[str, Any], encoded: bytes, stored_size: int
) -> dict[str, npt.NDArray[Any]]:
    """Asks for the picture as a file, then as pixels: scores [2, F] and flags [2, F, R]."""
    pixels = image.canonical(encoded, stored_size)
    # A GPU would round factors to 10 bits, and differ from a CPU by more than the bound.
    rounding = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        asked = (
            signatures[names.AS_ARRAY](image_bytes=tf.constant([encoded])),
            signatures[names.OF_PIXELS](pixels=tf.constant(pixels[np.newaxis])),
        )
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(rounding)
    return {
        name: np.concatenate([answer[name].numpy() for answer in asked])
        for name in _COMPARED
        if name in asked[0]
    }


def _flipped(
    expected: npt.NDArray[Any], found: Mapping[str, npt.NDArray[Any]], facts: Facts
) -> bool:
    """Tells whether a flag differs though its score is not at the threshold."""
    lines = [[facts.thresholds[name][rule] for rule in facts.rules] for name in facts.findings]
    near = np.abs(found[names.SCORES][:, :, np.newaxis] - np.array(lines, float)) <= BOUND
    return bool(((found[names.FLAGS] != expected) & ~near).any())


def _read(folder: str, name: str) -> bytes:
    path = storage.join(folder, names.EXTRA, name)
    try:
        return storage.read_bytes(path)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise DataError(f"{path} is missing: {_AGAIN}") from error


def _oval(x: Any, y: Any, width: float, height: float) -> Any:
    """A shape that is 1 inside and falls off softly towards 0 outside."""
    return 1 / (1 + np.exp(12 * ((x / width) ** 2 + (y / height) ** 2 - 1)))
