# SPDX-License-Identifier: MIT
"""What a YAML file holds is what people mean who write it, and no other kind of value."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.settings import yaml_files


@pytest.fixture
def read(tmp_path: pathlib.Path) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        path = tmp_path / "a.yaml"
        path.write_text(text)
        return yaml_files.read(str(path))

    return read


@pytest.mark.parametrize(
    "text",
    ["010", "-07", "00", "0x1F", "0o17", "0b11", "1_000", "1_000.5", "1:30", "1:30:00", "1:30.5"]
    + ["yes", "Yes", "NO", "on", "Off", "y", "n", "2026-11-29", "2026-11-29 10:00:00", "=", "1e3"],
)
def test_what_is_no_plain_number_or_truth_value_is_text(
    read: Callable[[str], Any], text: str
) -> None:
    assert read(f"a: {text}") == {"a": text}
    assert read(f"{text}: [{text}]") == {text: [text]}


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("10", 10), ("-7", -7), ("+7", 7), ("1.5", 1.5), ("-.5", -0.5), ("010.5", 10.5)]
    + [("1.0e-7", 1e-7), ("1.e+2", 100.0), ("true", True), ("False", False), ("~", None)]
    + [("null", None), ("", None), ("'010'", "010"), (".inf", float("inf"))],
)
def test_plain_values_are_read(read: Callable[[str], Any], text: str, value: Any) -> None:
    found = read(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_an_empty_file_holds_nothing(read: Callable[[str], Any]) -> None:
    assert read("") is None and read("# only words\n") is None


def test_a_block_can_be_used_again(read: Callable[[str], Any]) -> None:
    text = "one: &x {a: 1, b: 2}\ntwo: {<<: *x, b: 3}\n"
    assert read(text)["two"] == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    "text",
    ["a: 1\na: 2", "a: [1", "a:\n\t- 1", "!!python/object/apply:os.getcwd []", "a: 1\n---\na: 2"]
    + ["[" * 5000],
)
def test_what_is_not_yaml_is_refused_in_one_line(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ConfigError, match="a.yaml is not YAML") as caught:
        read(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            'a: 1\nTOKEN: "hf_REAL',
            "quoted scalar, line 2, column 8: found unexpected end of stream",
        ),
        ("TOKEN: *hf_REAL", "found undefined alias ..., line 1, column 8"),
        ("TOKEN: !hf_REAL x", "for the tag ..., line 1, column 8"),
        ("a:\n hf_REAL\nb", "could not find expected ':', line 3, column 2"),
        ("a: [hf_REAL", "expected ',' or ']', but got '<stream end>', line 1, column 12"),
        ("TOKEN: !!int hf_REAL", "invalid literal for int() with base 10: ..."),
    ],
)
def test_no_sentence_on_yaml_shows_what_may_be_secret(
    read: Callable[[str], Any], text: str, where: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert where in str(caught.value) and "hf_" not in str(caught.value)


def test_other_readers_of_yaml_in_this_process_are_left_alone(read: Callable[[str], Any]) -> None:
    read("a: 010")
    assert yaml.safe_load("a: 010") == {"a": 8}


def test_a_value_is_found_by_its_line(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "a.yaml")
    pathlib.Path(path).write_text(
        "# a job\nname: a\nargs:\n  - --mode=all\n  - --config.seed=1\nvertex:\n  region: x\n"
        "more: {a: 1,\n  b.c: 2}\n"
    )
    lines = {
        ("name",): 2,
        ("args", "config.seed"): 5,
        ("args", "--mode=all"): 4,
        ("args", "missing"): 3,
        ("vertex", "region"): 7,
        ("vertex", "missing", "more"): 6,
        ("more", "b.c"): 9,
    }
    for keys, line in lines.items():
        assert yaml_files.place(path, keys) == f"{path}, line {line}"
    assert yaml_files.place(path, ["args", "none"], ["more", "a"]) == f"{path}, line 8"
    assert yaml_files.place(path, ["none"]) == path
    assert yaml_files.place(f"{path}.none", ["name"]) == f"{path}.none"
