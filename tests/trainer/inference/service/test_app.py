# SPDX-License-Identifier: MIT
"""Every route answers as it should, and as the model itself does."""

import asyncio
import base64
import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from preprocessing.contract.pictures import image
from trainer.inference import films, on_film
from trainer.inference.service import shown
from trainer.inference.service.app import create
from trainer.inference.service.settings import Settings

PREDICT = "/v1/models/cxr14:predict"


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


def test_a_film_that_cannot_be_used_is_an_answer(client: httpx.Client) -> None:
    said = client.post("/api/film", content=b"text" * 100).raise_for_status().json()
    assert (said["usable"], said["reason"]) == (False, "not_dicom")
    assert said["text"]
    refused = client.post("/api/heat_maps", content=b"text" * 100)
    assert (refused.status_code, set(refused.json())) == (400, {"error"})


def test_heat_maps_lie_on_the_film(
    client: httpx.Client, served_model: Any, png: Callable[..., bytes]
) -> None:
    facts, film = served_model.facts, png(1, 600, 300)
    said = client.post("/api/heat_maps", content=film).raise_for_status().json()
    heat = served_model.heat_maps(image.canonical(film, facts.stored_size)[np.newaxis])[0]
    assert list(said["maps"]) == list(facts.findings)
    for name, one in zip(facts.findings, heat, strict=True):
        laid = on_film.laid_out(one, facts, 512, 256)
        assert np.abs(picture(said["maps"][name]) - 255 * laid).max() <= 0.5 + 1e-3


def test_the_page_learns_what_the_model_is(client: httpx.Client, served_model: Any) -> None:
    facts, said = served_model.facts, client.get("/api/model").raise_for_status().json()
    assert [one["name"] for one in said["findings"]] == list(facts.findings)
    assert (said["identity"], said["step"]) == (facts.identity, facts.step)
    assert (tuple(said["rules"]), said["calibrated"]) == (facts.rules, bool(facts.calibration))
    for one in said["findings"]:
        for rule, threshold in one["thresholds"].items():
            assert threshold["raw"] == facts.thresholds[one["name"]][rule]
            assert (threshold["raw"] is None) == (threshold["probability"] is None)
    assert "Not a medical device" in said["research_use"]


def test_a_threshold_is_on_the_scale_of_what_is_shown(served_model: Any) -> None:
    lines = {"method": "platt", "intercept": 1.0, "slope": 2.0}
    facts = dataclasses.replace(
        served_model.facts,
        calibration=dict.fromkeys(served_model.facts.findings, lines),
        thresholds={name: {"youden": 0.5, "none": None} for name in served_model.facts.findings},
    )
    [first, *_] = shown.model(facts)["findings"]
    assert first["thresholds"]["youden"]["probability"] == pytest.approx(1 / (1 + np.exp(-1)))
    assert first["thresholds"]["none"] == {"raw": None, "probability": None}


def plain(found: object) -> object:
    """Makes of a tensor's value what TensorFlow Serving's JSON is, but for NaN."""
    if isinstance(found, list):
        return [plain(one) for one in found]
    if isinstance(found, bytes):
        return found.decode()
    return None if found != found else found


@pytest.mark.parametrize("signature", ["serving_default", "as_array", "explain", "pixels"])
def test_it_answers_as_the_saved_model_does(
    client: httpx.Client, served_model: Any, png: Callable[..., bytes], signature: str
) -> None:
    """As TensorFlow Serving would: the same keys, and in both forms the same values."""
    import tensorflow as tf

    size = served_model.facts.stored_size
    if signature == "pixels":
        squares = np.stack([image.canonical(png(at), size) for at in (1, 2)])
        squares[1] = 7
        given, named = squares.tolist(), {"pixels": tf.constant(squares)}
    else:
        files = [png(1), png(2)[:900]]
        given = [{"b64": base64.b64encode(one).decode()} for one in files]
        named = {"image_bytes": tf.constant(files)}
    loaded = tf.saved_model.load(served_model.facts.folder)
    direct = loaded.signatures[signature](**named)
    expected = {name: plain(tensor.numpy().tolist()) for name, tensor in direct.items()}
    asked = {"inputs": given, "signature_name": signature}
    columns = client.post(PREDICT, json=asked).raise_for_status().json()["outputs"]
    asked = {"instances": given, "signature_name": signature}
    rows = client.post(PREDICT, json=asked).raise_for_status().json()["predictions"]
    assert set(columns) == set(expected) == set(rows[0])
    # Heat maps are too much for pytest to compare.
    same = columns == {name: [row[name] for row in rows] for name in columns}
    assert same
    assert columns["usable"] == [True, False]
    for name, values in expected.items():
        if direct[name].dtype.is_floating:
            got, wanted = (np.array(one, np.float64) for one in (columns[name], values))
            np.testing.assert_allclose(got, wanted, atol=1e-6, err_msg=name)
        else:
            assert columns[name] == values, name


def test_dicom_is_read_as_preprocessing_reads_it(
    client: httpx.Client, served_model: Any, nih: pathlib.Path
) -> None:
    encoded = (nih.parent / "dicom" / "test3.dcm").read_bytes()
    film = films.read(encoded, "", stored_size=served_model.facts.stored_size)
    answer = served_model.answer(film.pixels[np.newaxis])
    asked = {"instances": [{"b64": base64.b64encode(encoded).decode()}]}
    [row] = client.post(PREDICT, json=asked).raise_for_status().json()["predictions"]
    np.testing.assert_allclose(row["scores"], answer.raw[0], atol=1e-6)
    said = client.post("/api/film", content=encoded).raise_for_status().json()
    assert said["warnings"] == list(film.original.warnings)
    np.testing.assert_allclose([one["raw"] for one in said["findings"]], answer.raw[0], atol=1e-6)


def test_it_says_that_it_is_ready(client: httpx.Client) -> None:
    for route in ("/v1/models/cxr14", "/health"):
        [version] = client.get(route).raise_for_status().json()["model_version_status"]
        assert version["state"] == "AVAILABLE"


def test_without_a_model_only_the_page_answers() -> None:
    async def ask() -> None:
        transport = httpx.ASGITransport(create(None, Settings(predict_route="/v9/ask")))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            assert (await client.get("/")).status_code == 200
            assert (await client.get("/static/page.js")).status_code == 200
            for path in ("/api/model", "/health", "/v1/models/cxr14"):
                found = await client.get(path)
                assert (found.status_code, found.headers["retry-after"]) == (503, "1")
            for path in ("/api/film", "/v9/ask"):
                assert (await client.post(path)).status_code == 503
            for path in ("/nowhere", "/static/..%2fapp.py", "/static/page", "/docs"):
                assert (await client.get(path)).status_code == 404, path

    asyncio.run(ask())
