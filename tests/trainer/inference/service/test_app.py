# SPDX-License-Identifier: MIT
"""Every route answers as it should, and as the model itself does."""

import base64
from collections.abc import Callable
from typing import Any

import cv2
import httpx
import numpy as np

from preprocessing.contract.pictures import image


def picture(said: str) -> np.ndarray:
    kind, _, encoded = said.partition(",")
    assert kind == "data:image/png;base64"
    found = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint8 and found.ndim == 2
    return found


def test_a_film_gets_the_answer_of_the_model(
    client: httpx.Client, served_model: Any, png: Callable[..., bytes]
) -> None:
    facts = served_model.facts
    said = client.post("/api/film", content=png()).raise_for_status().json()
    answer = served_model.answer(image.canonical(png(), facts.stored_size)[np.newaxis])
    assert (said["usable"], said["width"], said["height"]) == (True, 60, 90)
    assert [one["name"] for one in said["findings"]] == list(facts.findings)
    for key, expected in (("raw", answer.raw), ("probability", answer.best)):
        np.testing.assert_allclose([one[key] for one in said["findings"]], expected[0], atol=1e-6)
    flags = [[one["flags"][rule] for rule in facts.rules] for one in said["findings"]]
    assert flags == answer.flags[0].tolist()
    np.testing.assert_array_equal(picture(said["picture"]), image.decode(png()))
