# SPDX-License-Identifier: MIT
"""Fills the templates of what is sent to a cloud, and writes it as plain YAML."""

import functools
import json
import re
from typing import Any

import jinja2
import yaml

Spec = dict[str, Any]

# Text to PyYAML when bare, but a number or a truth value to the YAML library of kubectl.
_AMBIGUOUS = re.compile(r"[yYnN~]|[-+.]?[0-9][0-9A-Za-z_.:+-]*")
# Line breaks to YAML 1.1 alone; only between double quotes PyYAML escapes them.
_BREAKS = re.compile("[\\x85\\u2028\\u2029]")


def _json(value: Any, **options: Any) -> str:
    r"""Returns JSON that is YAML too: ASCII, without DEL, each character one escape.

    JSON's own escapes would write a character beyond U+FFFF as two, which YAML reads as two; bare,
    YAML would fold U+0085 and U+2028 as line breaks and refuse DEL.

    >>> print(_json({"A": "\U0001f600\x7f"}))
    {"A": "\U0001f600\u007f"}
    """
    text = json.dumps(value, ensure_ascii=False, **options)
    return re.sub("[^\n -~]", _escape, text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


@functools.cache
def _templates() -> jinja2.Environment:
    """Values of a user go in through the filter `tojson`, with `_json` for YAML's sake."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("trainer.launch"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_function"] = _json
    made.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return made


def fill(template: str, **values: Any) -> Spec:
    """Returns what a template of this package describes, with values filled in."""
    text = _templates().get_template(f"{template}.yaml.j2").render(values)
    spec: Spec = yaml.safe_load(text)
    return spec


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Repeats what occurs twice: people edit the printed file."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    style = "'" if _AMBIGUOUS.fullmatch(text) else '"' if _BREAKS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> str:
    """Returns nested mappings and lists as YAML in their own order, without anchors.

    >>> print(dump({"env": [{"name": "LIMIT", "value": "1e3"}]}), end="")
    env:
    - name: LIMIT
      value: '1e3'
    """
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return text
