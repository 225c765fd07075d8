# SPDX-License-Identifier: MIT
"""Reasons as sentences and facts as rows."""

from collections.abc import Mapping
from typing import Any


def sentence(text: str) -> str:
    """Begins text with a capital and ends it with a full stop.

    >>> sentence("no heat maps are here")
    'No heat maps are here.'
    """
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def flatten(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Turns nested facts into rows of a dotted name and a text, in their order.

    >>> flatten({"model": {"name": "resnet50", "size": None}, "gpus": [1, 2]})
    [('model.name', 'resnet50'), ('model.size', 'unknown'), ('gpus', '1, 2')]
    """
    rows: list[tuple[str, str]] = []
    for key, value in facts.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += flatten(value, f"{name}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
            rows += flatten(
                {str(position): item for position, item in enumerate(value)}, f"{name}."
            )
        elif isinstance(value, list):
            rows.append((name, ", ".join(str(item) for item in value) or "none"))
        else:
            rows.append((name, "unknown" if value is None else str(value)))
    return rows
