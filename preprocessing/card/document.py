# SPDX-License-Identifier: MIT
"""A card: sections of words, tables and examples, as plain text, Markdown and one HTML page."""

import base64
import dataclasses
import itertools
from collections.abc import Sequence
from importlib import resources

import jinja2
from markupsafe import Markup

from preprocessing.card.contact_sheet import Example
from preprocessing.contract.tables import Cell, Table
from preprocessing.contract.wording import NOT_DEFINED, escape

USE = "For research. Not a medical device: nothing here may be used for the care of patients."
# Fourteen heads side by side are wider than a terminal.
_HEAD_LETTERS = 5
_BAR, _STEP = 7, 10
_SHADES = 20


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading with words, then tables, then examples."""

    title: str
    words: Sequence[str] = ()
    tables: Sequence[Table] = ()
    examples: Sequence[Example] = ()

    @property
    def anchor(self) -> str:
        """The section's name in links."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


def percent(part: float, whole: float) -> str:
    """Writes a share, with two decimals below one per cent.

    >>> percent(141, 86524), percent(1, 3), percent(0, 0)
    ('0.16%', '33.3%', 'not defined')
    """
    if not whole:
        return NOT_DEFINED
    share = 100 * part / whole
    return f"{share:.2f}%" if 0 < share < 1 else f"{share:.1f}%"


def bars(shares: Sequence[float], splits: Sequence[str]) -> Cell:
    """Draws one bar for each split, stretched with the page; the numbers are beside them.

    Args:
        shares: lengths, 0 to 1.
        splits: the names, which decide the colours.
    """
    drawn = [
        f'<rect class="{Markup.escape(split)}" y="{_STEP * at + (_STEP - _BAR) / 2:g}" '
        f'height="{_BAR}" width="{100 * share:.2f}%"/>'
        for at, (share, split) in enumerate(zip(shares, splits, strict=True))
    ]
    return Cell(
        Markup(
            f'<svg class="bars" height="{_STEP * len(shares)}" aria-hidden="true" '
            f'focusable="false">{"".join(drawn)}</svg>'
        )
    )


def shaded(text: str, share: float) -> Cell:
    """Returns a cell with a background as dark as its share, 0 to 1."""
    return Cell(text, css=f"shade-{round(share * _SHADES)}")


def text(title: str, sections: Sequence[Section]) -> str:
    """Returns the card as plain text; pictures are named, not shown."""
    lines = [title, "=" * len(title), USE]
    for section in sections:
        lines += ["", section.title, "-" * len(section.title), *section.words]
        for table in section.tables:
            if table.css == "heat":
                heads = [str(head)[:_HEAD_LETTERS] for head in table.columns[1:]]
                table = dataclasses.replace(table, columns=[table.columns[0], *heads])
            lines += ["", table.caption, table.text()]
        lines += [f"{one.finding}: {one.id}, {one.caption}" for one in section.examples]
    return "\n".join(lines)


def markdown(title: str, sections: Sequence[Section], *, picture: str) -> str:
    """Returns the card as Markdown with a link to the file of the contact sheet, `picture`."""
    paragraphs = [f"# {escape(title)}", USE]
    for section in sections:
        paragraphs += [f"## {section.title}", *map(escape, section.words)]
        if section.examples:
            paragraphs.append(f"![Examples of each finding]({picture})")
        paragraphs += [table.markdown() for table in section.tables]
    return "\n\n".join(paragraphs) + "\n"


def html(title: str, sections: Sequence[Section]) -> str:
    """Returns the card as a page that needs no network: style and pictures are inside it."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    shades = (f".shade-{at} {{ --shade: {at / _SHADES:g}; }}\n" for at in range(_SHADES + 1))
    return environment.get_template("card.html.j2").render(
        title=title,
        lede=USE,
        sections=sections,
        style=Markup(_file("card.css") + "".join(shades)),  # of this package, not input
        groups=lambda examples: [
            (name, list(group)) for name, group in itertools.groupby(examples, lambda e: e.finding)
        ],
        embedded=lambda example: base64.b64encode(example.jpeg()).decode(),
    )


def _file(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")
