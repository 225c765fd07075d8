# SPDX-License-Identifier: MIT
"""Finds the words in a job that its user has yet to replace.

Cloud names are lower case, so that these words in capitals cannot be meant.
"""

import re
from collections.abc import Callable
from typing import Any

# Each with an example of what replaces it.
_EXAMPLES = {
    "BUCKET": "my-bucket",
    "DIGEST": "0" * 64,
    "PROJECT": "my-project",
    "REGION": "us-central1",
}
WORDS = tuple(_EXAMPLES)

_WORD = re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(WORDS)})(?![A-Za-z0-9_])")


def find(value: Any) -> list[str]:
    """Returns the placeholders in the texts of nested mappings and lists, sorted, each once.

    >>> find({"image": "REGION-docker.pkg.dev/PROJECT/cxr14", "args": ["--output=gs://BUCKET/run"]})
    ['BUCKET', 'PROJECT', 'REGION']
    >>> find({"env": {"BUCKET": "of-mine"}})
    []
    """
    found: list[str] = []

    def note(word: re.Match[str]) -> str:
        found.append(word[0])
        return word[0]

    _replaced(value, note)
    return sorted(set(found))


def fill(value: Any) -> Any:
    """Returns nested mappings and lists with an example in the place of each placeholder.

    >>> fill({"args": ["--output=gs://BUCKET/run"], "replicas": 2})
    {'args': ['--output=gs://my-bucket/run'], 'replicas': 2}
    """
    return _replaced(value, lambda word: _EXAMPLES[word[0]])


def _replaced(value: Any, by: Callable[[re.Match[str]], str]) -> Any:
    if isinstance(value, str):
        return _WORD.sub(by, value)
    if isinstance(value, dict):
        return {key: _replaced(item, by) for key, item in value.items()}
    return [_replaced(item, by) for item in value] if isinstance(value, list) else value
