# SPDX-License-Identifier: MIT
"""Writes YAML that every reader takes the same way, not only PyYAML."""

import re
from typing import Any

import yaml

# Text to PyYAML when bare, but a number or a truth value to the YAML library of kubectl.
_AMBIGUOUS = re.compile(r"[yYnN~]|[-+.]?[0-9][0-9A-Za-z_.:+-]*")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Repeats what occurs twice: people edit the printed file."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    style = "'" if _AMBIGUOUS.fullmatch(text) else None
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
