# SPDX-License-Identifier: MIT
"""Templates take any text, and the written YAML reads the same to strict and lenient readers."""

import dataclasses

import pytest
import yaml

from trainer.launch import manifests
from trainer.launch.description.job import EXAMPLE
from trainer.launch.kubernetes import render
from trainer.launch.vertex import render as vertex_render


@pytest.mark.parametrize("text", ["1e3", "0o17", "y", "N", "1_000", ".5", "-7", "86400s", "~"])
def test_texts_that_look_like_something_else_are_quoted(text: str) -> None:
    assert manifests.dump({"a": text}) == f"a: '{text}'\n"


def test_what_occurs_twice_is_written_twice() -> None:
    labels = {"app": "cxr14"}
    text = manifests.dump({"one": labels, "two": labels})
    assert yaml.safe_load(text) == {"one": labels, "two": labels}
    assert "&" not in text and "*" not in text


@pytest.mark.parametrize(
    "text",
    [
        *("a: b # c", "{x}", "'\"\\", "<&>", "{{ job }}", "on", "\u00e9\n- x"),
        *("\U0001f600", "\U0010ffff", "a\x7fb", "\\ud83d\\ude00", "a\x85\u2028b", "a\x01\tb"),
    ],
)
def test_a_value_reaches_its_place_whatever_it_holds(text: str) -> None:
    job = dataclasses.replace(EXAMPLE, env={"A": text}, args=[text])
    (pool,) = vertex_render.render(job)["workerPoolSpecs"]
    assert pool["containerSpec"]["env"] == [{"name": "A", "value": text}]
    assert pool["containerSpec"]["args"][0] == text
    (container,) = render.render(job)["spec"]["template"]["spec"]["containers"]
    assert (container["env"], container["args"][0]) == ([{"name": "A", "value": text}], text)
    assert yaml.safe_load(manifests.dump(container)) == container
