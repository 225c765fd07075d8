# SPDX-License-Identifier: MIT
"""What a section of the report is made of, and how the page and report.md show it.

A section is written once, as a list of parts that its function `parts` returns:

    def parts(section, report):
        return [
            Notes(section["notes"]),
            Heading("Pointing game"),
            Table(caption, columns, rows, foot, sortable=True),
            Fold("False positives", [Table(...)]),
            Drawn(charts.markup(chart)),
        ]

Drawings and controls (`Drawn`, and `forest` for drawn intervals) are for the page alone, everything
else is in both. The title of the section is in `trainer.report.contents`; anchors and the names of
scrolling regions follow from the order of headings. `preprocessing.contract.tables` and
`preprocessing.contract.wording` say how cells, intervals and what is not defined are written.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from markupsafe import Markup

from preprocessing.contract.tables import Cell, Column, Table, numeric
from preprocessing.contract.wording import escape, words
from trainer.report.figures import plots


@dataclasses.dataclass(frozen=True)
class Words:
    """A paragraph; `css` is "aside" for remarks below a table, "plain" for what comes first."""

    text: str
    css: str = "aside"


@dataclasses.dataclass(frozen=True)
class Notes:
    """Statements as a list, or side by side where `css` is "columns"."""

    lines: Sequence[str]
    css: str = "limits"


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading below that of the section."""

    title: str


@dataclasses.dataclass(frozen=True)
class Fold:
    """Parts under a title that the page folds away, open or closed at first."""

    title: str
    parts: Sequence["Part"]
    opened: bool = False


@dataclasses.dataclass(frozen=True)
class Group:
    """Parts that the page lays out together, such as a table with a remark beside it."""

    parts: Sequence["Part"]
    css: str = "figure"


@dataclasses.dataclass(frozen=True)
class Drawn:
    """HTML that only the page shows, such as a chart; what it says is in a table too.

    Attributes:
        html: made by this package, not input.
        title: of a heading above it; empty for none.
    """

    html: str
    title: str = ""


Part: TypeAlias = Words | Notes | Heading | Fold | Group | Drawn | Table


def unavailable(reason: str) -> dict[str, Any]:
    """Returns what a section is whose figures cannot be made."""
    return {"available": False, "reason": reason}


def forest(
    caption: str,
    heads: tuple[str, str, str],
    rows: Sequence[tuple[Cell | str, Mapping[str, Any], str]],
    limits: tuple[float, float],
    *,
    means: int = 0,
    reference: float | None = None,
    dashed: Sequence[float] = (),
    form: str = ".3f",
    hide_caption: bool = False,
) -> Drawn:
    """Returns drawn intervals, one below another; the figures are in a table of their own.

    Args:
        caption: of the drawing.
        heads: of the names, the drawings and the figures.
        rows: a name, an area (value, low, high) and the class of its colour each.
        limits: of the axis.
        means: how many of the last rows are at the foot.
        reference: where to draw a heavy line.
        dashed: where to draw dashed ones.
        form: of the figures, as `format` takes it.
        hide_caption: whether a heading says it already.
    """
    name, drawn, value = heads
    axis = Column(drawn, "plot", drawing=plots.tick_row(limits))
    cells: list[list[Cell | str]] = [
        [
            title,
            Cell(plots.interval_row(area, limits, kind, reference=reference, dashed=dashed)),
            numeric(area["value"], form),
        ]
        for title, area, kind in rows
    ]
    body, foot = cells[: len(cells) - means], cells[len(cells) - means :]
    columns: list[Column | str] = [name, axis, Column(value, css="value")]
    return Drawn(Table(caption, columns, body, foot, "rows", hide_caption=hide_caption).html())


def flagged(name: str, flag: str, on: bool) -> Cell:
    """Returns the cell of a name, with a flag where `on`."""
    return Cell(words(name), flag=flag if on else "")


def finding_cell(name: str, finding: Mapping[str, Any], few: int) -> Cell:
    """Returns the name of a finding, flagged where fewer than `few` patients have it."""
    return flagged(name, f"under {few} patients", finding["few_positives"])


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


def facts_table(title: str, facts: Mapping[str, Any]) -> Table:
    """Returns nested facts as rows of a dotted name and a value."""
    columns: list[Column | str] = ["Fact", Column("Value", "text")]
    return Table(title, columns, flatten(facts), css="provenance", hide_caption=True)


def markdown(title: str, parts: Iterable[Part], level: str = "##") -> str:
    """Returns a section of Markdown below a heading of a level."""
    return "\n\n".join([f"{level} {escape(title)}", *_markdown(parts, f"{level}#")])


def html(name: str, title: str, parts: Iterable[Part], *, opened: bool = False) -> Markup:
    """Returns a section of the page, folded below its heading.

    Its text has the id h-NAME, not its heading: browsers unfold what a link leads into.
    """
    anchors = (f"h-{name}-{number}" for number in itertools.count(1))
    content = Markup("\n").join(_html(parts, anchors))
    return Markup(
        '<details class="part"{3}>\n<summary><h3 id="t-{0}">{1}</h3></summary>\n'
        '<section id="h-{0}" aria-labelledby="t-{0}">\n{2}\n</section>\n</details>'
    ).format(name, title, content, Markup(" open" * opened))


def _markdown(parts: Iterable[Part], level: str) -> Iterator[str]:
    for part in parts:
        match part:
            case Table():
                yield part.markdown()
            case Words():
                yield escape(part.text)
            case Notes():
                yield "\n".join(f"- {escape(line)}" for line in part.lines)
            case Heading():
                yield f"{level} {escape(part.title)}"
            case Fold():
                yield f"{level} {escape(part.title)}"
                yield from _markdown(part.parts, f"{level}#")
            case Group():
                yield from _markdown(part.parts, level)


def _html(parts: Iterable[Part], anchors: Iterator[str], outer: str = "") -> Iterator[Markup]:
    label = outer  # of the next region; no two regions may have one name
    for part in parts:
        match part:
            case Table():
                yield _scrolled(part, label, anchors)
                label = ""
            case Words():
                yield Markup('<p class="{}">{}</p>').format(part.css, part.text)
            case Notes(css="columns"):
                yield _block(
                    part.css,
                    (Markup('<p class="aside">{}</p>').format(line) for line in part.lines),
                )
            case Notes():
                lines = Markup("\n").join(Markup("<li>{}</li>").format(line) for line in part.lines)
                yield Markup('<ul class="{}">\n{}\n</ul>').format(part.css, lines)
            case Heading():
                anchor = next(anchors)
                label = f"{outer} {anchor}".strip()
                yield Markup('<h4 id="{}">{}</h4>').format(anchor, part.title)
            case Fold():
                yield _folded(part, anchors)
            case Group():
                yield _block(part.css, _html(part.parts, anchors))
            case Drawn():
                if part.title:
                    yield Markup('<h4 id="{}">{}</h4>').format(next(anchors), part.title)
                yield Markup(part.html)


def _scrolled(table: Table, labels: str, anchors: Iterator[str]) -> Markup:
    """A table of figures in a region of its own, which scrolls where it is wider than the page."""
    if not table.css.startswith("numbers"):
        return table.html()
    caption = "" if labels else next(anchors)
    return Markup(
        '<div class="scroll" role="region" aria-labelledby="{}" tabindex="0">\n{}\n</div>'
    ).format(labels or caption, table.html(caption))


def _folded(fold: Fold, anchors: Iterator[str]) -> Markup:
    anchor = next(anchors)
    content = Markup("\n").join(_html(fold.parts, anchors, anchor))
    return Markup('<details{}>\n<summary id="{}">{}</summary>\n{}\n</details>').format(
        " open" if fold.opened else "", anchor, fold.title, content
    )


def _block(css: str, parts: Iterable[Markup]) -> Markup:
    return Markup('<div class="{}">\n{}\n</div>').format(css, Markup("\n").join(parts))
