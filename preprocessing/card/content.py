# SPDX-License-Identifier: MIT
"""What a card is made of: sections of words and tables, without a form yet."""

import dataclasses
from collections.abc import Sequence

from preprocessing.card.contact_sheet import Example


@dataclasses.dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        caption: what it shows, and how it is to be read.
        columns: heads; the first column names the rows.
        rows: of text, as long as `columns`.
        bars: for each row one share of the longest bar, 0 to 1, for each split; none for no bars.
        shades: for each row the shade of each cell but the first, 0 to 1; none for no shades.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Sequence[Sequence[float]] = ()
    shades: Sequence[Sequence[float]] = ()


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


def number(value: int) -> str:
    """Writes a count.

    >>> number(112120)
    '112,120'
    """
    return f"{value:,}"


def percent(part: float, whole: float) -> str:
    """Writes a share.

    >>> percent(141, 86524), percent(1, 3), percent(0, 0)
    ('0.16%', '33.3%', 'none')
    """
    if not whole:
        return "none"
    share = 100 * part / whole
    return f"{share:.2f}%" if 0 < share < 1 else f"{share:.1f}%"
