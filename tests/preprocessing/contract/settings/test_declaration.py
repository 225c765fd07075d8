# SPDX-License-Identifier: MIT
"""Tests of declared settings: one declaration gives the checks, the help and the lists of names."""

import dataclasses

import pytest

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.settings import declaration
from preprocessing.contract.settings.declaration import FIRST, FIXED, FREE, setting


@dataclasses.dataclass
class Part:
    """Half of a thing."""

    share: float = setting(0.5, FIXED, gt=0, le=1)
    """Its share."""
    rest: float = setting(0.5, FREE, ge=0, lt=1)
    """What is left of it,
    over two lines."""
    name: str = setting("a", FIRST, choices=("", "a", "b"))
    """Its "name"."""


@dataclasses.dataclass
class Whole:
    """A thing."""

    size: int = setting(3, FIXED, ge=1, le=9, unit="pixels")
    """How large."""
    count: int = setting(3, FREE, ge=1)
    """How many."""
    place: str = setting("", FREE, path=("memory",))
    """Where it lies."""
    names: list[str] = setting(["x"], FIXED)
    """What it is called."""
    part: Part = dataclasses.field(default_factory=Part)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("size", 0, "size is 0: use 1 to 9 pixels"),
        ("size", 10, "size is 10: use 1 to 9 pixels"),
        ("count", 0, "count is 0: use 1 or more"),
        ("part.share", 0.0, "part.share is 0.0: use more than 0 to 1"),
        ("part.share", 1.5, "part.share is 1.5: use more than 0 to 1"),
        ("part.share", float("nan"), "part.share is nan: use more than 0 to 1"),
        ("part.rest", 1.0, "part.rest is 1.0: use 0 to below 1"),
        ("part.rest", -0.1, "part.rest is -0.1: use 0 to below 1"),
        ("part.name", "c", "part.name is 'c': use one of nothing, a, b"),
    ],
)
def test_a_value_outside_is_refused_with_what_is_allowed(
    name: str, value: object, sentence: str
) -> None:
    whole = Whole()
    declaration.assign(whole, name, value)
    with pytest.raises(ConfigError) as caught:
        declaration.check(whole)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", 1), ("size", 9), ("count", 10**9), ("part.share", 1), ("part.rest", 0)]
    + [("part.name", ""), ("place", "anywhere"), ("names", [])],
)
def test_the_ends_of_a_range_and_every_choice_pass(name: str, value: object) -> None:
    whole = Whole()
    declaration.assign(whole, name, value)
    declaration.check(whole)


def test_the_sections_of_a_list_are_checked_by_number() -> None:
    @dataclasses.dataclass
    class Several:
        parts: list[Part] = setting([], FREE)

    declaration.check(Several([Part()]))
    with pytest.raises(ConfigError, match=r"^parts.1.share is 2: use more than 0 to 1$"):
        declaration.check(Several([Part(), Part(share=2)]))


def test_names_follow_from_how_settings_may_change() -> None:
    assert declaration.named(Whole(), FREE) == {"count", "place", "part.rest"}
    assert declaration.named(Whole(), FREE, FIRST) == {"count", "place", "part.rest", "part.name"}


def test_two_objects_do_not_share_a_list() -> None:
    Whole().names.append("y")
    assert Whole().names == ["x"]


def test_what_may_change_is_left_out_where_it_does_not_matter() -> None:
    lines = declaration.described(Whole(), changes=False).splitlines()
    assert lines[:2] == ["# How large. [1 to 9 pixels]", "size: 3"]
    assert "# What it is called." in lines and "starts" not in " ".join(lines)


def test_all_of_a_declaration_is_described() -> None:
    assert (
        declaration.described(Whole())
        == """# How large. [1 to 9 pixels; may not change between starts]
size: 3
# How many. [1 or more; may change between starts]
count: 3
# Where it lies. [a path or memory; may change between starts]
place: ''
# What it is called. [may not change between starts]
names:
- x

# Half of a thing.
part:
  # Its share. [more than 0 to 1; may not change between starts]
  share: 0.5
  # What is left of it, over two lines. [0 to below 1; may change between starts]
  rest: 0.5
  # Its "name". [one of nothing, a, b; read by the first start only]
  name: a"""
    )
