# SPDX-License-Identifier: MIT
"""Placeholders are found wherever a value can hold them, and real names are not taken for them."""

from trainer.launch.description import placeholders


def test_each_placeholder_is_named_once_wherever_it_stands() -> None:
    spec = {"a": [{"image": "REGION-docker.pkg.dev/PROJECT/x@sha256:DIGEST"}, "gs://BUCKET/x"]}
    assert placeholders.find([spec, "PROJECT"]) == ["BUCKET", "DIGEST", "PROJECT", "REGION"]


def test_names_that_only_contain_a_word_are_none() -> None:
    assert placeholders.find({"PROJECT": ["my-project", "MY_PROJECT_ID", 3, None, True]}) == []
