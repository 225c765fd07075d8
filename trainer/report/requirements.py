# SPDX-License-Identifier: MIT
"""What a report must say for a pipeline to go on: `--require`, with paths of report.json.

A path is keys with dots between them. `*` is every key of an object or every element of a list, a
number one element, and a name that holds a dot stands in double quotes. Findings may be spelt with
spaces or underscores. A figure that has an interval stands for its value.
"""

import dataclasses
import difflib
import math
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import flags

from preprocessing.contract.errors import RequirementError, UsageError
from preprocessing.contract.process import log
from preprocessing.contract.wording import words
from trainer.report import schema_paths

NAME = "require"
_SIGNS = {">=": operator.ge, "<=": operator.le, "==": operator.eq}
_SIGNS |= {">": operator.gt, "<": operator.lt}
_FORM = re.compile(
    r"""\s*(?P<path>(?:"[^"]*"|[^"<>=])+?)\s*(?:(?P<sign>>=|<=|==|>|<)\s*(?P<value>[^\s=].*?)"""
    r"""|\s(?P<range>in)\s+(?P<low>\S+?)\s*\.\.\s*(?P<high>\S+))\s*"""
)
_PART = r'\s*(?:"([^"]+)"|([^."]*[^."\s]))\s*'


@dataclasses.dataclass(frozen=True)
class Requirement:
    """What one or more figures must be.

    Attributes:
        text: as it was given.
        path: the keys, from the top of report.json.
        sign: of `_SIGNS`, or "in".
        wanted: what to compare with, as written; for "in" both ends, which belong to it.
    """

    text: str
    path: tuple[str, ...]
    sign: str
    wanted: tuple[str, ...]

    def is_met_by(self, value: Any) -> bool:
        """Tells whether a number, text, or true or false is as required."""
        if isinstance(value, str | bool):
            return self.sign == "==" and self.wanted[0] == _shown(value)
        first, last = _number(self.wanted[0]), _number(self.wanted[-1])
        return bool(
            first <= value <= last if self.sign == "in" else _SIGNS[self.sign](value, first)
        )


def define(values: flags.FlagValues) -> None:
    """Defines the flag."""
    flags.DEFINE_multi_string(
        NAME,
        [],
        "What the report must say, such as 'splits.test.mean_auc.low>=0.80' or "
        "'calibration.findings.*.test.slope in 0.8..1.2': a path of report.json (* is every key or "
        'element, "a name.with dots" stands in quotes), then >=, >, <=, <, == or in LOW..HIGH. '
        "What falls short is named, and the command ends with exit code "
        f"{RequirementError.exit_code} when all is done. May be given several times.",
        flag_values=values,
    )


def parse(text: str) -> Requirement:
    """Reads a requirement and checks its path against the schema of report.json.

    Raises:
        UsageError: it cannot be read, or no report could hold what it names.
    """
    found = _FORM.fullmatch(text)
    if found is None or not re.fullmatch(rf"{_PART}(?:\.{_PART})*", found["path"]):
        raise UsageError(
            f"--{NAME}={text!r} cannot be read: write a path of report.json, then >=, >, <=, <, == "
            "and what to compare with, or in LOW..HIGH, such as 'splits.test.mean_auc.low>=0.80'"
        )
    path = tuple(quoted or plain for quoted, plain in re.findall(_PART, found["path"]))
    try:
        schema_paths.check(path)
    except ValueError as error:
        raise UsageError(f"--{NAME}={text!r}: {error}") from error
    sign = found["sign"] or found["range"]
    wanted = (found["low"], found["high"]) if found["range"] else (found["value"].strip("\"'"),)
    if sign == "==" and found["value"] in ("null", "None"):
        raise UsageError(
            f"--{NAME}={text!r}: what is not defined (null) meets nothing: ask for a figure, or "
            "leave this out"
        )
    if sign != "==" and not _number(wanted[0]) <= _number(wanted[-1]):
        raise UsageError(
            f"--{NAME}={text!r}: {' and '.join(wanted)} cannot be compared with: give a number, or "
            "two with the lower one first"
        )
    return Requirement(text, path, sign, wanted)


def check(report: Mapping[str, Any] | None, required: Sequence[Requirement]) -> None:
    """Says what is met, in a line for each requirement.

    Args:
        report: the content of report.json; None where another process has made it.
        required: of it.

    Raises:
        RequirementError: something falls short; the sentence names all of it with its value.
    """
    short = []
    for each in required if report is not None else ():
        found = list(_found(report, each.path))
        missed = [
            f"{place} {why or f'is {_shown(value)}'}"
            for place, value, why in found
            if why or not each.is_met_by(value)
        ]
        if missed:
            short.append(f"{each.text}, but {', '.join(missed)}")
        else:
            values = sorted(
                (value for _, value, _ in found), key=lambda each: (isinstance(each, str), each)
            )
            ends = dict.fromkeys(map(_shown, (values[0], values[-1])))
            count = f"{len(values)} figures, " * (len(values) > 1)
            log.show(f"met: {each.text} ({count}{' to '.join(ends)})")
    if short:
        raise RequirementError(
            f"the report is written and falls short of {len(short)} of {len(required)} "
            f"requirements: {'; '.join(short)}"
        )


def _found(node: Any, path: Sequence[str], place: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yields what a path leads to: its place, its value, and why that cannot be compared."""
    if not path or node is None:
        value = node.get("value", node) if isinstance(node, Mapping) else node
        several = "is not one figure" * isinstance(value, Mapping | list)
        yield place, value, "is not defined (null)" if value is None else several
        return
    part, items = path[0], node if isinstance(node, Mapping) else {}
    if isinstance(node, list):
        items = {str(number): item for number, item in enumerate(node)}
    like = [key for key in items if words(key).casefold() == words(part).casefold()]
    keys = list(items) if part == "*" else [part] if part in items else like
    if items.get("available") is False and part not in items:
        yield place, None, f"is not there ({items['reason']})"
        return
    if not keys:
        close = (
            f" (but {each})" if (each := "".join(difflib.get_close_matches(part, items, 1))) else ""
        )
        yield place, None, "holds nothing" if part == "*" else f"holds no {part}{close}"
    for key in keys:
        yield from _found(items[key], path[1:], f"{place}.{key}".strip("."))


def _shown(value: Any) -> str:
    """Writes a figure, with digits enough to see on which side of a bound it is."""
    text = str(value).lower() if isinstance(value, bool) else value
    return text if isinstance(text, str) else f"{value:.10g}"


def _number(text: str) -> float:
    """Returns the number that a text is, NaN for none: no comparison with it holds."""
    try:
        return float(text)
    except ValueError:
        return math.nan
