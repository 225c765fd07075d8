# SPDX-License-Identifier: MIT
"""A table that is written once and shown as HTML, Markdown, plain text or CSV.

A section fills cells by what they hold, and every form follows; `preprocessing.contract.wording`
says how figures are written.

    table = Table(
        caption="AUC of each finding, with its 95% interval.",
        columns=["Finding", "Positives", Column("AUC", css="strong")],
        rows=[[Cell("Hernia", flag="under 100 positives"), numeric(86, ","), interval(area)]],
        foot=[["Mean", "", interval(mean)]],
        sortable=True,
    )
    table.html(); table.markdown(); table.text(); table.csv()

A plain text may be given for a cell or a column. A drawing is a cell of `Markup`, such as inline
SVG, which HTML alone shows; no other text becomes markup.
"""

import csv
import dataclasses
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from markupsafe import Markup
from markupsafe import escape as html_escape

from preprocessing.contract import cells as spreadsheet
from preprocessing.contract.wording import NOT_DEFINED, Area, Number, ends, escape, number


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what is read, a line break between lines; `Markup`, such as inline SVG, is put into
            HTML as it is and left out of the other forms.
        below: a second line, such as an interval; behind the text outside HTML.
        flag: a mark behind the text, a few words.
        value: what the column is sorted by and CSV holds; None: the text.
        unseen: text beside a drawing for those who cannot see it.
        css: classes of the cell alone.
        links: lines of the text that HTML makes links, and the anchors on the page they lead to.
    """

    text: str = ""
    below: str = ""
    flag: str = ""
    value: Number | str | None = None
    unseen: str = ""
    css: str = ""
    links: Sequence[tuple[str, str]] = ()

    def plain(self, flag: str = "") -> str:
        """Returns the cell on one line, its flag put into `flag` as into a format."""
        text = self.unseen if isinstance(self.text, Markup) else self.text.replace("\n", "; ")
        return f"{text} {self.below}".strip() + (flag.format(self.flag) if self.flag else "")


def numeric(value: Number | None, form: str = ".3f", **more: Any) -> Cell:
    """Returns the cell of a figure, in a form as `format` takes it; `more` are fields of `Cell`."""
    return Cell(number(value, form), value=value, **more)


def interval(area: Area, form: str = ".3f", **more: Any) -> Cell:
    """Returns the cell of a figure with its interval, as `numeric` does."""
    below = "" if area["low"] is None else ends(area, form)
    return numeric(area["value"], form, below=below, **more)


@dataclasses.dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        title: its head.
        kind: "number" is set flush right, "text" flush left; "name" heads its rows, as the first
            column always does; "plot" holds drawings, and only HTML shows it.
        group: a head over this column and its neighbours of the same group.
        of: what the title is of, for those who do not see the group or the neighbour.
        drawing: in place of the title, such as the ticks of an axis.
        css: classes of its cells.
    """

    title: str
    kind: Literal["number", "text", "name", "plot"] = "number"
    group: str = ""
    of: str = ""
    drawing: str = ""
    css: str = ""

    @property
    def heading(self) -> str:
        """The title with what it is of."""
        return f"{self.title} {self.of}".strip()

    @property
    def classes(self) -> str:
        """The classes of the head and of the cells."""
        return f"{self.kind if self.kind != 'number' else ''} {self.css}".strip()


@dataclasses.dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        caption: what it shows and how it is read.
        columns: of which the first heads the rows.
        rows: each with a cell a column.
        foot: rows of totals or means.
        css: classes of the table.
        sortable: whether a reader may sort it, without groups of columns or of rows.
        grouped: whether neighbouring rows of the same first cell share it.
        hide_caption: whether a heading already says what the caption does.
    """

    caption: str
    columns: Sequence[Column | str]
    rows: Sequence[Sequence[Cell | str]]
    foot: Sequence[Sequence[Cell | str]] = ()
    css: str = "numbers"
    sortable: bool = False
    grouped: bool = False
    hide_caption: bool = False

    def html(self, anchor: str = "") -> Markup:
        """Returns the table element.

        Args:
            anchor: the id of the caption; empty for none.
        """
        columns = self._columns()
        caption = _element("caption", self.caption, "hidden" * self.hide_caption, anchor)
        head = [_row(_groups(columns))] if any(column.group for column in columns) else []
        head.append(_row(map(_head, columns)))
        parts = [caption, _element("thead", _joined(head))]
        for _, rows in itertools.groupby(
            _cells(self.rows), lambda row: self.grouped and row[0].text
        ):
            body = list(rows)
            lines = [list(_shown(row, columns, sortable=self.sortable)) for row in body]
            if self.grouped:
                name = _element("th", body[0][0].text, scope="rowgroup", rowspan=len(body))
                lines = [[name * (not at), *line[1:]] for at, line in enumerate(lines)]
            parts.append(_element("tbody", _joined(map(_row, lines))))
        if self.foot:
            feet = (_row(_shown(row, columns)) for row in _cells(self.foot))
            parts.append(_element("tfoot", _joined(feet)))
        return _element("table", _joined(parts), f"{self.css}{' sortable' * self.sortable}")

    def markdown(self) -> str:
        """Returns the caption and the lines of the table; every text in it is shown as it is."""
        seen, heads, rows = self._plain(" ({})")
        rule = ["---" if column.kind in ("name", "text") else "---:" for column in seen]
        first, *lines = [[escape(cell) for cell in row] for row in (heads, *rows)]
        caption = "" if self.hide_caption else f"{escape(self.caption)}\n\n"
        return caption + "\n".join(f"| {' | '.join(line)} |" for line in (first, rule, *lines))

    def text(self) -> str:
        """Returns aligned text for a terminal; what a flag (*) says follows in the last line."""
        seen, heads, rows = self._plain(" *")
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        left = [column.kind in ("name", "text") for column in seen]
        lines = [
            "  ".join(
                cell.ljust(width) if is_left else cell.rjust(width)
                for cell, width, is_left in zip(line, widths, left, strict=True)
            ).rstrip()
            for line in [heads, *rows]
        ]
        rule, end = "-" * max(map(len, lines)), len(lines) - len(self.foot)
        flags = {cell.flag: None for row in _cells(self.rows) for cell in row if cell.flag}
        foot = [rule, *lines[end:]] if self.foot else []
        legend = [f"* {'; '.join(flags)}"] if flags else []
        return "\n".join([lines[0], rule, *lines[1:end], *foot, *legend])

    def csv(self) -> str:
        """Returns values in full, nothing where one is not defined, no text that runs."""
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(column.heading for column in self._columns())
        writer.writerows(map(_value, row) for row in _cells([*self.rows, *self.foot]))
        return buffer.getvalue()

    def _columns(self) -> list[Column]:
        given = [Column(each) if isinstance(each, str) else each for each in self.columns]
        return [dataclasses.replace(given[0], kind="name"), *given[1:]]

    def _plain(self, flag: str) -> tuple[list[Column], list[str], list[list[str]]]:
        """The columns without drawings, their heads, and the rows as texts."""
        columns = self._columns()
        kept = [at for at, column in enumerate(columns) if column.kind != "plot"]
        rows = [[row[at].plain(flag) for at in kept] for row in _cells([*self.rows, *self.foot])]
        seen = [columns[at] for at in kept]
        return seen, [column.heading for column in seen], rows


def _cells(rows: Sequence[Sequence[Cell | str]]) -> list[list[Cell]]:
    return [[Cell(each) if isinstance(each, str) else each for each in row] for row in rows]


def _value(cell: Cell) -> Number | str:
    if cell.value is None:
        return "" if cell.text == NOT_DEFINED else spreadsheet.harmless(cell.plain())
    return spreadsheet.harmless(cell.value) if isinstance(cell.value, str) else cell.value


def _element(tag: str, content: str, css: str = "", anchor: str = "", **more: Any) -> Markup:
    """An element around content, which is escaped unless it is `Markup`."""
    attributes = {"id": anchor, "class": css, **more}
    given = [Markup(' {}="{}"').format(key, value) for key, value in attributes.items() if value]
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), Markup("").join(given), content)


def _joined(parts: Iterable[Markup]) -> Markup:
    return Markup("\n").join(["", *parts, ""])


def _row(parts: Iterable[Markup]) -> Markup:
    return _element("tr", Markup("").join(parts))


def _groups(columns: Sequence[Column]) -> Iterator[Markup]:
    for name, group in itertools.groupby(columns, key=lambda column: column.group):
        width = len(list(group))
        wide = _element("th", name, scope="colgroup", colspan=width)
        yield wide if name else Markup("<td></td>") * width


def _head(column: Column) -> Markup:
    title = html_escape(column.title)
    if column.drawing:
        title = _element("span", title, "hidden") + column.drawing
    elif column.of:
        title += _element("span", f" {column.of}", "hidden")
    return _element("th", title, column.classes, scope="col")


def _shown(
    row: Sequence[Cell], columns: Sequence[Column], *, sortable: bool = False
) -> Iterator[Markup]:
    for cell, column in zip(row, columns, strict=True):
        links = {line: _element("a", line, href=f"#{anchor}") for line, anchor in cell.links}
        lines = [links.get(line, line) for line in cell.text.split("\n")]
        content = cell.text if isinstance(cell.text, Markup) else Markup("<br>").join(lines)
        if cell.below:
            content += Markup("<br>") + _element("small", cell.below)
        if cell.flag:
            content += " " + _element("span", cell.flag, "flag")
        if cell.unseen:
            content += _element("span", cell.unseen, "hidden")
        key = cell.value if cell.value is not None else cell.text if content != cell.text else None
        more = {"data-value": str(key)} if sortable and key is not None else {}
        tag, css = ("td", column.classes) if column.kind != "name" else ("th", column.css)
        scope = "row" if tag == "th" else ""
        yield _element(tag, content, f"{css} {cell.css}".strip(), scope=scope, **more)
