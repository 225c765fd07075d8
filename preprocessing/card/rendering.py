# SPDX-License-Identifier: MIT
"""Brings the sections of a card into their forms: plain text, Markdown and one HTML page."""

import base64
import itertools
from collections.abc import Iterator, Sequence
from importlib import resources

import jinja2
from markupsafe import Markup

from preprocessing.card.content import Section, Table
from preprocessing.card.provenance import USE

_BAR, _STEP = 7, 10


def text(title: str, sections: Sequence[Section]) -> str:
    """Returns the card as plain text; pictures are named, not shown."""
    lines = [title, "=" * len(title), USE]
    for section in sections:
        lines += ["", section.title, "-" * len(section.title)]
        lines += section.words
        for table in section.tables:
            lines += ["", table.caption, *_plain(table)]
        lines += [f"{one.finding}: {one.id}, {one.caption}" for one in section.examples]
    return "\n".join(lines)


def _plain(table: Table) -> Iterator[str]:
    columns = table.columns
    if table.shades:  # fourteen heads side by side are wider than a terminal
        columns = [columns[0], *(name[:5] for name in columns[1:])]
    lines = [columns, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    # What is longer than a number is read, not compared.
    left = [at == 0 or width > 30 for at, width in enumerate(widths)]
    for line in lines:
        cells = zip(line, widths, left, strict=True)
        told = (
            cell.ljust(width) if is_left else cell.rjust(width) for cell, width, is_left in cells
        )
        yield "  ".join(told).rstrip()


def markdown(title: str, sections: Sequence[Section], *, picture: str) -> str:
    """Returns the card as Markdown.

    Args:
        title: of the card.
        sections: of the card.
        picture: name of the contact sheet's file.
    """
    return _template("card.md.j2", escape=False).render(
        title=title, lede=USE, sections=sections, picture=picture
    )


def html(title: str, sections: Sequence[Section]) -> str:
    """Returns the card as a page that needs no network: style and pictures are inside it."""
    style = Markup(_file("card.css"))  # a file of this package, not input
    return _template("card.html.j2", escape=True).render(
        title=title,
        lede=USE,
        sections=sections,
        style=style,
        splits=("train", "validation", "test"),
        groups=lambda examples: [
            (name, list(group)) for name, group in itertools.groupby(examples, lambda e: e.finding)
        ],
        embedded=lambda example: base64.b64encode(example.jpeg()).decode(),
        bars=bars,
    )


def bars(shares: Sequence[float], splits: Sequence[str]) -> Markup:
    """Draws one bar for each split, stretched with the page; the numbers stand beside them.

    Args:
        shares: lengths, 0 to 1.
        splits: the names, which decide the colours.
    """
    height = _STEP * len(shares)
    drawn = [
        f'<rect class="{Markup.escape(split)}" y="{_STEP * at + (_STEP - _BAR) / 2:g}" '
        f'height="{_BAR}" width="{100 * share:.2f}%"/>'
        for at, (share, split) in enumerate(zip(shares, splits, strict=True))
    ]
    return Markup(
        f'<svg class="bars" height="{height}" aria-hidden="true" focusable="false">'
        f"{''.join(drawn)}</svg>"
    )


def _template(name: str, *, escape: bool) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = _cell
    return environment.get_template(name)


def _cell(value: str) -> str:
    r"""Makes a text safe inside a Markdown table.

    >>> _cell("a|b")
    'a\\|b'
    """
    return value.strip().replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _file(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")
