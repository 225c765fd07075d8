# SPDX-License-Identifier: MIT
"""TensorFlow Serving's REST form of requests and answers, which Vertex AI's containers speak too.

As TensorFlow Serving answers with the same SavedModel, but for a number that is not defined, of a
film that could not be used: it is null, as JSON has no NaN. It reads DICOM files as well.
"""

import base64
import dataclasses
import json
import re
from typing import Any, NoReturn

import numpy as np

from preprocessing.contract.pictures import image
from preprocessing.contract.pictures.image import ImageError, Pixels
from trainer.inference import films
from trainer.inference.service.settings import RefusedError
from trainer.serving import names
from trainer.serving.facts import Facts
from trainer.serving.served import Answer, Floats

# Signature -> its input.
SIGNATURES = dict.fromkeys((names.DEFAULT, names.AS_ARRAY, names.EXPLAIN), names.BYTES)
SIGNATURES[names.OF_PIXELS] = names.PIXELS
_KEYS = ("instances", "inputs", "signature_name", "parameters")
# An empty list takes two bytes of JSON and sixty of memory.
_MAX_BRACKETS, _MAX_COMMAS, _MAX_DEPTH = 100_000, 10_000_000, 16

# A film as it arrived: the content of a file, or rows of grey values.
Given = bytes | list[Any]


@dataclasses.dataclass(frozen=True)
class Request:
    """The films of a request, one at least, and whether their answers come film by film."""

    signature: str
    films: list[Given]
    by_film: bool


@dataclasses.dataclass
class Row:
    """What becomes of a film.

    Attributes:
        square: canonical picture; of a film that cannot be used, black.
        reason: why it cannot be used, or "".
        answer: about the square alone, which means nothing where there is a reason.
        maps: float32 [F, image_size, image_size].
    """

    square: Pixels
    reason: str = ""
    answer: Answer | None = None
    maps: Floats | None = None


def read(body: bytes) -> Request:
    """Reads a request.

    Raises:
        RefusedError: it is not such a request.
    """
    said = _json(body)
    chosen = said.get("parameters") or {}
    if not set(said) <= {*_KEYS} or not isinstance(chosen, dict) or set(chosen) - {_KEYS[2]}:
        raise _wrong(f"its keys are {', '.join(_KEYS)}, the last one with {_KEYS[2]} alone in it")
    signature = said.get(_KEYS[2], chosen.get(_KEYS[2], names.DEFAULT))
    if not isinstance(signature, str) or signature not in SIGNATURES:
        raise _wrong(f"signature_name is one of {', '.join(SIGNATURES)}")
    name, by_film = SIGNATURES[signature], "instances" in said
    given = said.get("instances" if by_film else "inputs")
    if not by_film and isinstance(given, dict):
        given = given.get(name)
    if not isinstance(given, list) or not given or (by_film and "inputs" in said):
        raise _wrong("give one film or more in either instances or inputs")
    return Request(signature, [_film(film, name) for film in given], by_film)


def _film(said: Any, name: str) -> Given:
    if isinstance(said, dict) and set(said) == {name}:
        said = said[name]
    if name == names.PIXELS and isinstance(said, list):
        return said
    try:
        if name == names.BYTES and set(said) == {"b64"}:
            return base64.b64decode(said["b64"], validate=True)
    except (ValueError, TypeError):
        pass
    form = 'of base64, {"b64": "..."}' if name == names.BYTES else "rows of numbers, 0 to 255"
    raise _wrong(f"each {name} is {form}")


def decoded(given: Given, size: int) -> Row:
    """Reads a film to its canonical picture, uint8 [size, size], or the reason against it.

    Raises:
        RefusedError: its numbers are not a grey picture.
    """
    try:
        if isinstance(given, bytes):
            return Row(films.read(given, "", stored_size=size).pixels)
        pixels = _pixels(given)
        image.check_original(pixels)
        return Row(image.resize(image.square(pixels), size))
    except ImageError as error:
        return Row(np.zeros([size, size], np.uint8), error.reason)


def _pixels(given: list[Any]) -> Pixels:
    # Before NumPy sees them: it gives every text the room of the longest.
    is_grey = all(
        isinstance(row, list) and {*map(type, row)} == {int} and 0 <= min(row) <= max(row) <= 255
        for row in given
    )
    if not is_grey or len({*map(len, given)}) != 1:
        raise _wrong("pixels are rows of one length of whole numbers, 0 to 255")
    return np.array(given, np.uint8)


def answered(request: Request, rows: list[Row], facts: Facts) -> bytes:
    """Returns the body of the answer."""
    made = [_outputs(row, facts, request.signature) for row in rows]
    columns = {name: [one[name] for one in made] for name in made[0]}
    said = {"predictions": made} if request.by_film else {"outputs": columns}
    return json.dumps(said, allow_nan=False).encode()


def _outputs(row: Row, facts: Facts, signature: str) -> dict[str, Any]:
    findings, rules, answer = facts.findings, facts.rules, row.answer
    made: dict[str, Any] = {names.FINDINGS: findings}
    made |= {names.USABLE: not row.reason, names.REASON: row.reason}
    if signature == names.EXPLAIN:
        shape = (len(findings), facts.image_size, facts.image_size)
        maps = np.zeros(shape) if row.maps is None else row.maps.astype(np.float64)
        # Without the digits that single precision does not have.
        return made | {names.HEAT_MAPS: maps.round(7).tolist()}
    assert answer
    known, unknown = not row.reason, [None] * len(findings)
    made[names.SCORES] = answer.raw[0].tolist() if known else unknown
    if answer.probabilities is not None:
        made[names.PROBABILITIES] = answer.probabilities[0].tolist() if known else unknown
    if rules:
        flags = answer.flags[0] if known else np.full_like(answer.flags[0], -1)
        made |= {names.RULES: rules, names.FLAGS: flags.tolist()}
    if answer.distance is not None:
        made[names.DISTANCE] = float(answer.distance[0]) if known else None
    if answer.unfamiliar is not None:
        made[names.UNFAMILIAR] = known and bool(answer.unfamiliar[0])
    if signature == names.DEFAULT:
        made |= dict(zip(findings, made[names.SCORES], strict=True))
    return made


def _json(body: bytes) -> dict[str, Any]:
    """Parses an object that takes no more memory than a few times its bytes, or refuses it."""
    brackets, depth = body.count(b"[") + body.count(b"{"), 0
    if brackets > _MAX_BRACKETS or body.count(b",") > _MAX_COMMAS:
        raise _wrong("it has too many parts")
    for found in re.finditer(rb"[\[{]|[\]}]", body):
        depth += 1 if found[0] in b"[{" else -1
        if depth > _MAX_DEPTH:
            raise _wrong(f"its parts lie more than {_MAX_DEPTH} deep in each other")
    try:
        said = json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise _wrong("it is not a JSON object")
    return said


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


def _wrong(what: str) -> RefusedError:
    return RefusedError(400, f"the body does not ask for predictions: {what}")
