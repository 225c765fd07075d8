# SPDX-License-Identifier: MIT
"""Text for Markdown, and the table that a terminal shows at the end of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from preprocessing.contract.wording import NOT_DEFINED as NOT_DEFINED
from preprocessing.contract.wording import escape as escape


def auc_text(area: Mapping[str, Any] | None, *, with_interval: bool) -> str:
    """An AUC to three decimals, with its interval where there is one.

    >>> auc_text({"value": 0.8123, "low": 0.8, "high": 0.824}, with_interval=True)
    '0.812 [0.800, 0.824]'
    >>> auc_text({"value": None, "low": None, "high": None}, with_interval=True)
    'not defined'
    >>> auc_text(None, with_interval=True)
    '-'
    """
    if area is None:
        return "-"
    if area["value"] is None:
        return NOT_DEFINED
    if not with_interval or area["low"] is None:
        return f"{area['value']:.3f}"
    return f"{area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}]"


def signed(value: float) -> str:
    r"""A difference to three decimals, always with its sign.

    >>> signed(0.01), signed(-0.5) == "\N{MINUS SIGN}0.500"
    ('+0.010', True)
    """
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def difference_text(area: Mapping[str, Any]) -> str:
    """A difference of two areas or rates, with its interval where there is one.

    >>> difference_text({"value": 0.01, "low": 0.002, "high": 0.018})
    '+0.010 [+0.002, +0.018]'
    """
    if area["value"] is None:
        return NOT_DEFINED
    ends = "" if area["low"] is None else f" [{signed(area['low'])}, {signed(area['high'])}]"
    return f"{signed(area['value'])}{ends}"


def sentence(text: str) -> str:
    """Begins text with a capital and ends it with a full stop.

    >>> sentence("no heat maps are here")
    'No heat maps are here.'
    """
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def pipe_lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True
) -> str:
    r"""Returns a table of Markdown; every cell stands in it as it is.

    Args:
        header: one text a column.
        rows: as many texts each as the header has.
        numbers: whether all columns but the first are set flush right.

    >>> print(pipe_lines(["finding", "AUC"], [["Mass|Nodule", "0.812"]]))
    | finding | AUC |
    | --- | ---: |
    | Mass\|Nodule | 0.812 |
    """
    rule = ["---", *("---:" if numbers else "---" for _ in header[1:])]
    lines = [[escape(cell) for cell in header], rule]
    lines += [[escape(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
