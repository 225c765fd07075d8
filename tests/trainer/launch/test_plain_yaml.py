# SPDX-License-Identifier: MIT
"""The written YAML reads the same to strict and to lenient readers."""

import pytest
import yaml

from trainer.launch import plain_yaml


@pytest.mark.parametrize("text", ["1e3", "0o17", "y", "N", "1_000", ".5", "-7", "86400s", "~"])
def test_texts_that_look_like_something_else_are_quoted(text: str) -> None:
    assert plain_yaml.dump({"a": text}) == f"a: '{text}'\n"


def test_what_occurs_twice_is_written_twice() -> None:
    labels = {"app": "cxr14"}
    text = plain_yaml.dump({"one": labels, "two": labels})
    assert yaml.safe_load(text) == {"one": labels, "two": labels}
    assert "&" not in text and "*" not in text
