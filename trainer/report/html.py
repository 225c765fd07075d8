# SPDX-License-Identifier: MIT
"""The report as one HTML page that needs no network: style, script and figures are inside it.

Every word and number is HTML text and tables; the figures repeat them. The script only adds
sorting, the reading of points and the hiding of curves: without it the page is complete.

The page is a row of parts, each a template of its own. The parts of the frame (`trainer.report.
frame`) show what every report holds; a section X is shown by templates/X.html.j2, which sees
`section` (report["X"]), `page` (what `sections.X.page` returned), `report` and these filters,
all of which say in words what is None:

    auc       {"value": 0.8123, ...} -> 0.812
    ends      {"low": 0.8, "high": 0.824, ...} -> 0.800 to 0.824; both may take decimals
    number    0.12345 -> 0.123; number(1) -> 0.1
    signed    0.0123 -> +0.012
    share     0.1234 -> 12.3%
    thousands 25596 -> 25,596
    words     Pleural_Thickening -> Pleural Thickening
    sentence  no maps are here -> No maps are here.
    sort_key  what a cell of table.sortable holds as data-value: -inf where nothing is defined
"""

from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from preprocessing.contract import wording
from trainer.report import frame
from trainer.report.contents import templated
from trainer.report.findings import compared_split
from trainer.report.markdown import NOT_DEFINED, auc_text, sentence
from trainer.report.parts import html as as_html
from trainer.report.source import headline


def render(report: dict[str, Any]) -> str:
    """Returns report.html.

    Args:
        report: what `trainer.report.report.build` returned.
    """
    environment = _environment()
    shown = frame.content(report)
    parts = []
    for name, _, heading, below in shown:
        if below is None:
            template, module = environment.get_template(f"{name}.html.j2"), templated(name)
            page = module.page(report[name], report)
            parts.append(Markup(template.render(report=report, section=report[name], page=page)))
        else:
            parts.append(as_html(name, heading, below))
    split = headline(report["splits"])
    return environment.get_template("report.html.j2").render(
        report=report,
        parts=parts,
        contents=shown,
        cautions=frame.cautions(report),
        notes=frame.notes_of(report),
        headline=split,
        main=report["splits"][split],
        compared=compared_split(report),
        number=wording.number,
        ends=wording.ends,
        style=_files("charts.css", "gallery.css", "report.css", "print.css"),
        script=_files("charts.js", "report.js"),
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        auc=_auc,
        ends=_ends,
        number=_number,
        signed=lambda value, digits=3: _format(value, f"+.{digits}f"),
        share=lambda value, digits=1: _format(value, f".{digits}%"),
        thousands=lambda value: _format(value, ","),
        words=lambda name: name.replace("_", " "),
        sort_key=_sort_key,
        sentence=sentence,
    )
    return environment


def _template(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")


def _files(*names: str) -> Markup:
    """Style or script; these are files of this package, not input."""
    return Markup("\n".join(_template(name) for name in names))


def _format(value: float | None, form: str) -> str:
    if value is None:
        return NOT_DEFINED
    return format(value, form).replace("-", "\N{MINUS SIGN}")


def _number(value: float | None, digits: int = 3) -> str:
    return _format(value, f".{digits}f")


def _auc(area: Mapping[str, Any] | None, digits: int = 3) -> str:
    if digits == 3 or area is None:
        return auc_text(area, with_interval=False)
    return _number(area["value"], digits)


def _ends(area: Mapping[str, Any] | None, digits: int = 3) -> str:
    if area is None or area["low"] is None:
        return "none"
    return f"{_number(area['low'], digits)} to {_number(area['high'], digits)}"


def _sort_key(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value["value"]
    return "-inf" if value is None else str(value)
