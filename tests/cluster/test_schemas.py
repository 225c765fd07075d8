# SPDX-License-Identifier: MIT
"""The schemas name a field that a cluster does not know, at every depth of every kind."""

import copy
import pathlib
from typing import Any

import pytest
import yaml
from cxr14_schemas import VERSIONS, validate

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def golden(name: str) -> dict[str, Any]:
    return yaml.safe_load((GOLDEN / f"launch_kubernetes_{name}.yaml").read_text())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Returns the way to every mapping whose keys are a schema's, not the user's."""
    if isinstance(value, list):
        return [way for at, item in enumerate(value) for way in places(item, (*path, at))]
    if not isinstance(value, dict) or path[-1:] and path[-1] in _FREE:
        return []
    return [path] + [way for key, item in value.items() for way in places(item, (*path, key))]


_FREE = ("labels", "annotations", "matchLabels", "nodeSelector", "requests", "limits", "selector")


@pytest.mark.parametrize("name", ["gpu1", "jobset", "mounted", "gpu1_serve"])
def test_a_misspelt_key_anywhere_is_named(name: str) -> None:
    manifest = golden(name)
    validate(manifest, VERSIONS[-1])
    ways = [way for way in places(manifest) if "items" not in way or len(way) > 1]
    assert len(ways) > 20
    for way in ways[:: max(1, len(ways) // 20)]:
        broken = copy.deepcopy(manifest)
        place = broken
        for key in way:
            place = place[key]
        place["mispelt"] = "x"
        with pytest.raises((ValueError, AssertionError)):
            validate(broken, VERSIONS[-1])


def test_a_value_of_another_type_is_refused() -> None:
    manifest = golden("jobset")
    manifest["spec"]["failurePolicy"]["maxRestarts"] = "6"
    with pytest.raises(ValueError, match="maxRestarts"):
        validate(manifest)
