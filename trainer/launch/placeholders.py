# SPDX-License-Identifier: MIT
"""Finds the words in a job that its user has yet to replace.

Cloud names are lower case, so that these words in capitals cannot be meant.
"""

import re
from collections.abc import Iterator
from typing import Any

# Each with a name that could stand in its place.
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
    return sorted({word for text in _texts(value) for word in _WORD.findall(text)})


def fill(value: Any) -> Any:
    """Returns nested mappings and lists with an example in the place of each placeholder.

    >>> fill({"args": ["--output=gs://BUCKET/run"], "replicas": 2})
    {'args': ['--output=gs://my-bucket/run'], 'replicas': 2}
    """
    if isinstance(value, str):
        return _WORD.sub(lambda found: _EXAMPLES[found[0]], value)
    if isinstance(value, dict):
        return {key: fill(item) for key, item in value.items()}
    return [fill(item) for item in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
