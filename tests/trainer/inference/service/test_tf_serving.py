# SPDX-License-Identifier: MIT
"""Requests in TensorFlow Serving's form are read, and anything else is refused in a sentence."""

import base64
import json

import numpy as np
import pytest

from trainer.inference.service import tf_serving
from trainer.inference.service.settings import RefusedError

FILM = {"b64": base64.b64encode(b"film").decode()}


@pytest.mark.parametrize(
    ("said", "signature", "by_film"),
    [
        ({"instances": [FILM]}, "serving_default", True),
        ({"instances": [{"image_bytes": FILM}]}, "serving_default", True),
        ({"instances": [FILM], "parameters": None}, "serving_default", True),
        ({"instances": [FILM], "parameters": {"signature_name": "as_array"}}, "as_array", True),
        ({"inputs": [FILM], "signature_name": "explain"}, "explain", False),
        ({"inputs": {"image_bytes": [FILM]}}, "serving_default", False),
    ],
)
def test_every_form_of_the_same_film_is_read(said: object, signature: str, by_film: bool) -> None:
    found = tf_serving.read(json.dumps(said).encode())
    assert found == tf_serving.Request(signature, [b"film"], by_film)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\xff", b"[]", b"{}", b"null", b'{"instances": NaN}', b'{"instances": []}'),
        *(b'{"instances": {}}', b'{"instances": [1]}', b'{"instances": ["film"]}'),
        *(b'{"instances": [{"b64": 1}]}', b'{"instances": [{"b64": "a"}]}', b'{"inputs": 1}'),
        *(b'{"instances": [{"b64": "a*"}]}', b'{"instances": [{"b64": "\xc3\xa9"}]}'),
        b'{"instances": [{"b64": "", "more": 1}]}',
        b'{"instances": [{"b64": ""}], "inputs": []}',
        b'{"instances": [{"b64": ""}], "more": 1}',
        b'{"instances": [{"b64": ""}], "parameters": 1}',
        b'{"instances": [{"b64": ""}], "parameters": {"more": 1}}',
        b'{"instances": [{"b64": ""}], "signature_name": []}',
        b'{"instances": [{"b64": ""}], "signature_name": "tf_example"}',
        b'{"instances": [{"b64": ""}], "signature_name": "pixels"}',
        b'{"instances": ' + b"9" * 10_000 + b"}",
        # Deep, deep behind a string that hides it, and wide.
        b'{"instances": ' + b"[" * 90_000,
        b'{"instances": "' + b"]" * 5000 + b'", "inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"instances": [' + b"[]," * 200_000 + b"[]]}",
        b"[" + b"1," * 11_000_000 + b"1]",
    ],
    ids=lambda _: "",
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        tf_serving.read(body)
    assert caught.value.status == 400
    assert str(caught.value).startswith("the body does not ask for predictions: ")


@pytest.mark.parametrize(
    "given",
    [
        [],
        [1, 2],
        [[]],
        [[1], [1, 2]],
        [[256]],
        [[-1]],
        [[1.0]],
        [["1"]],
        [[[1]]],
        [[None]],
        [[1 << 70]],
        # 20 GB as an array of texts of one length.
        [["x" * 1_000_000] + [""] * 5000],
        ["x" * 1_000_000] + [""] * 5000,
    ],
)
def test_pixels_are_rows_of_grey_values(given: list) -> None:
    grey = np.arange(256).reshape(16, 16)
    np.testing.assert_array_equal(tf_serving.decoded(grey.tolist(), 16).square, grey)
    assert tf_serving.decoded([[1] * 20] * 20, 16).reason == "constant"
    assert tf_serving.decoded([[1, 2] * 9000] * 16, 16).reason == "too_large"
    with pytest.raises(RefusedError):
        tf_serving.decoded(given, 16)
