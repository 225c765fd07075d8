# SPDX-License-Identifier: MIT
"""Each marker that pyproject.toml declares marks a test, so that `-m` never selects nothing."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]


def test_each_declared_marker_marks_something() -> None:
    text = (ROOT / "pyproject.toml").read_text().partition("markers = [")[2].partition("]")[0]
    declared = set(re.findall(r'"(\w+):', text))
    tests = [path.read_text() for path in (ROOT / "tests").rglob("*.py")]
    used = {name for text in tests for name in re.findall(r"pytest\.mark\.(\w+)", text)}
    assert declared and declared <= used, declared - used
