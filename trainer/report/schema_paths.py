# SPDX-License-Identifier: MIT
"""Checks a path into report.json against its schema, before there is a report."""

import difflib
import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any


def check(path: Sequence[str]) -> None:
    """Checks that a path may lead to a figure, alone or with its interval.

    Args:
        path: keys of objects and numbers of elements; `*` is every one.

    Raises:
        ValueError: no report could hold it; the text says which part is wrong and what it could be.
    """
    schema = _schema()
    below = _below(schema, [schema])
    for number, part in enumerate(path):
        nodes = below.get(part) or below.get("*") or below.get("0" * part.isdecimal())
        nodes = [node for each in below.values() for node in each] if part == "*" else nodes
        if not nodes:
            could = ", ".join(difflib.get_close_matches(part, below, 3) or below)
            where = ".".join(path[:number]) or "report.json"
            raise ValueError(f"{where} never holds {part!r}" + f", but {could}" * bool(could))
        below = _below(schema, nodes)
    if below and "value" not in below and {} not in below.get("*", []):
        raise ValueError(f"{'.'.join(path)} is not one figure: add a dot and {' or '.join(below)}")


@functools.cache
def _schema() -> Any:
    file = resources.files(__package__).joinpath("templates", "report.schema.json")
    return json.loads(file.read_text("utf-8"))


def _below(schema: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Returns what the schema has below some of its parts, by key.

    Any key is "*", an element of a list "0", and what was handed in may be anything, `{}`.
    """
    found: dict[str, list[Any]] = {}
    left = list(nodes)
    while left:
        node = left.pop()
        names, more = node.get("propertyNames", {}), node.get("additionalProperties")
        names = schema["$defs"][names["$ref"].rpartition("/")[2]] if "$ref" in names else names
        if "$ref" in node:
            left.append(schema["$defs"][node["$ref"].rpartition("/")[2]])
        left += node.get("oneOf", [])
        pairs = list(node.get("properties", {}).items())
        pairs += [(name, more) for name in names.get("enum", ["*"]) if isinstance(more, dict)]
        pairs += [("0", node["items"])] if "items" in node else []
        free = more is True or not node.keys() & {"$ref", "oneOf", "type", "enum", "const"}
        for key, each in [*pairs, *[("*", {})] * free]:
            found.setdefault(key, []).append(each)
    return found
