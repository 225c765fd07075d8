# SPDX-License-Identifier: MIT
"""Declares a setting at its field, once: default, range or choices, whether it may change, text.

The text is the string under the field, where editors look for it too. From all this follow checks,
`--help`, the identity of a run and which settings hold paths.
"""

import ast
import copy
import dataclasses
import enum
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, cast

import yaml

from preprocessing.contract.errors import ConfigError

T = TypeVar("T")

_KEY = "setting"
_WIDTH = 98


class Change(enum.Enum):
    """Whether a setting may change between two starts on one output; the value is for people."""

    FIXED = "may not change between starts"
    FREE = "may change between starts"
    FIRST = "read by the first start only"


# In the place of a default.
REQUIRED: Any = dataclasses.MISSING
FIXED, FREE, FIRST = Change.FIXED, Change.FREE, Change.FIRST


@dataclasses.dataclass(frozen=True)
class Declaration:
    """What is declared of a setting beside its name, type, default and text; see `setting`."""

    change: Change
    choices: tuple[str, ...]
    path: tuple[str, ...] | None
    pattern: str
    form: str
    unit: str
    ge: float | None
    gt: float | None
    le: float | None
    lt: float | None

    @property
    def allowed(self) -> str:
        """The values that it may have, in words; "" for any."""
        if self.choices:
            return f"one of {', '.join(choice or 'nothing' for choice in self.choices)}"
        if self.path is not None:
            return " or ".join(("a path", *self.path))
        if self.pattern:
            return self.form
        if (self.ge, self.gt) == (None, None):
            return ""
        low = f"{self.ge}" if self.gt is None else f"more than {self.gt}"
        if (self.le, self.lt) == (None, None):
            return f"{low} or more {self.unit}".rstrip()
        high = f"{self.le}" if self.lt is None else f"below {self.lt}"
        return f"{low} to {high} {self.unit}".rstrip()

    def takes(self, value: Any) -> bool:
        """Tells whether a value is among the choices or in the range; NaN is in no range."""
        return (
            (not self.choices or value in self.choices)
            and (not self.pattern or re.fullmatch(self.pattern, value) is not None)
            and (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )


def setting(
    default: T,
    change: Change,
    *,
    choices: Sequence[str] = (),
    path: Sequence[str] | None = None,
    pattern: str = "",
    form: str = "",
    unit: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> T:
    """Declares a field of a settings dataclass; the string under it says what it is and does.

    Args:
        default: its value where no other is given, or REQUIRED; a list or mapping is copied.
        change: whether it may change between starts.
        choices: the texts that it may be; empty for any.
        path: given for a path, local or in a bucket: the words that it may be instead.
        pattern: regular expression of what it may be.
        form: the same in words, after "use".
        unit: for the sentence that names the range, such as "pixels".
        ge: least value.
        gt: the value must be greater.
        le: greatest value.
        lt: the value must be less.
    """
    words = None if path is None else tuple(path)
    facts = Declaration(change, tuple(choices), words, pattern, form, unit, ge, gt, le, lt)
    made: Any = (
        dataclasses.field(default_factory=lambda: copy.copy(default), metadata={_KEY: facts})
        if isinstance(default, (list, dict))
        else dataclasses.field(default=default, metadata={_KEY: facts})
    )
    return cast(T, made)


def walk(settings: Any, prefix: str = "") -> Iterator[tuple[str, Declaration, Any]]:
    """Yields section.name, declaration and value of every setting, in the order of the fields.

    A section that may be missing, and is, has no settings. Those of the sections in a list have
    their number in the name, from 0 on.
    """
    for field in dataclasses.fields(settings):
        value, name = getattr(settings, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            yield from walk(value, f"{name}.")
        elif value is not None or _KEY in field.metadata:
            yield name, field.metadata[_KEY], value
        for at, item in enumerate(value) if isinstance(value, list) else ():
            if dataclasses.is_dataclass(item):
                yield from walk(item, f"{name}.{at}.")


def named(settings: Any, *changes: Change) -> frozenset[str]:
    """Returns the names, as section.name, of the settings that may change so."""
    return frozenset(name for name, declared, _ in walk(settings) if declared.change in changes)


def assign(settings: Any, name: str, value: Any) -> None:
    """Sets the setting of a name, as section.name."""
    *sections, last = name.split(".")
    for section in sections:
        settings = getattr(settings, section)
    setattr(settings, last, value)


def check(settings: Any) -> None:
    """Checks every setting by itself.

    Raises:
        ConfigError: the first one outside its range or choices, in one sentence.
    """
    for name, declared, value in walk(settings):
        if value is not None and not declared.takes(value):
            shown = repr(value) if isinstance(value, str) else value
            raise ConfigError(f"{name} is {shown}: use {declared.allowed}")


def texts(kind: type) -> dict[str, str]:
    """Returns field -> the text under it, of a settings dataclass."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    found = {}
    for field, text in itertools.pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            found[ast.unparse(field.target)] = " ".join(str(ast.literal_eval(text.value)).split())
    return found


def described(settings: Any, indent: str = "", *, changes: bool = True) -> str:
    """Returns all settings as YAML with comments, for `--help` and as a file to start from.

    Args:
        settings: with the values to show.
        indent: what each line begins with.
        changes: whether to say which settings may change between starts.
    """
    lines, about, plain = [], texts(type(settings)), dataclasses.asdict(settings)
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            lines += ["", *_comment(str(type(value).__doc__).partition("\n")[0], indent)]
            lines += [f"{indent}{field.name}:", described(value, f"{indent}  ", changes=changes)]
            continue
        declared: Declaration = field.metadata[_KEY]
        rules = [declared.allowed, declared.change.value if changes else ""]
        shown = "; ".join(filter(None, rules))
        lines += _comment(f"{about[field.name]} [{shown}]" if shown else about[field.name], indent)
        text = yaml.safe_dump({field.name: plain[field.name]}, sort_keys=False, allow_unicode=True)
        lines.append(textwrap.indent(text.rstrip(), indent))
    return "\n".join(lines)


def _comment(text: str, indent: str) -> list[str]:
    marked = f"{indent}# "
    return textwrap.wrap(
        text, _WIDTH, initial_indent=marked, subsequent_indent=marked, break_on_hyphens=False
    )
