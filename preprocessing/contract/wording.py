# SPDX-License-Identifier: MIT
"""How a figure, an interval and what is not defined are written, in tables and in sentences.

An area is a mapping of value, low and high, each a number or None, as report.json holds it.
"""

import re
from collections.abc import Mapping
from typing import Any

NOT_DEFINED = "not defined"
_MINUS = "\N{MINUS SIGN}"

Number = float | int
Area = Mapping[str, Any]


def number(value: Number | None, form: str = ".3f") -> str:
    r"""Writes a figure in a form as `format` takes it; None is "not defined".

    >>> number(0.1234), number(25596, ","), number(0.1234, ".1%"), number(None)
    ('0.123', '25,596', '12.3%', 'not defined')
    >>> number(-0.5, "+.3f") == "\N{MINUS SIGN}0.500"
    True
    """
    return NOT_DEFINED if value is None else format(value, form).replace("-", _MINUS)


def ends(area: Area, form: str = ".3f") -> str:
    """Writes an interval alone.

    >>> ends({"low": 0.8, "high": 0.824}), ends({"low": None, "high": None})
    ('[0.800, 0.824]', 'not defined')
    """
    if area["low"] is None:
        return NOT_DEFINED
    return f"[{number(area['low'], form)}, {number(area['high'], form)}]"


def estimate(area: Area, form: str = ".3f") -> str:
    """Writes a figure with its interval, or without where it has none.

    >>> estimate({"value": 0.8123, "low": 0.8, "high": 0.824})
    '0.812 [0.800, 0.824]'
    >>> estimate({"value": 0.01, "low": 0.002, "high": 0.018}, "+.3f")
    '+0.010 [+0.002, +0.018]'
    >>> estimate({"value": None, "low": None, "high": None})
    'not defined'
    """
    value = number(area["value"], form)
    return value if area["low"] is None else f"{value} {ends(area, form)}"


def counted(number: int, one: str) -> str:
    """Writes how many there are of a thing: "1 image", "2,000 images"."""
    return f"{number:,} {one}{'s' * (number != 1)}"


def words(name: str) -> str:
    """Writes a name of code or of a file as text.

    >>> words("Pleural_Thickening")
    'Pleural Thickening'
    """
    return name.replace("_", " ")


def one_line(text: str) -> str:
    r"""Shows a sentence with values that may hold anything: in one line, and not for pages.

    >>> one_line("a\nb\u202e"), len(one_line("x" * 100_000))
    ('a\\nb\\u202e', 1003)
    """
    shown = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
    shown = re.sub(r"(\S{1000})\S+", r"\1...", shown)
    return shown if len(shown) <= 4000 else f"{shown[:4000]}..."


def sentence(text: str) -> str:
    """Begins text with a capital and ends it with a full stop.

    >>> sentence("no heat maps are here")
    'No heat maps are here.'
    """
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def escape(text: str) -> str:
    r"""Makes Markdown show text as it is: no markup, no HTML, no new cell or line.

    >>> print(escape("a|b_c <i>"))
    a\|b\_c &lt;i&gt;
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_|\[\]])", r"\\\1", " ".join(text.split()))
