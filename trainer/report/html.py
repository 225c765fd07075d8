# SPDX-License-Identifier: MIT
"""The report as one HTML page that needs no network: style, script and figures are inside it.

Every word and number is HTML text and tables; the figures repeat them. The script only adds
sorting, the reading of points and the hiding of curves: without it the page is complete.

`trainer.report.frame` says which parts it has, `trainer.report.parts` how each is shown.
"""

from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from preprocessing.contract import wording
from trainer.report import frame, parts
from trainer.report.findings import compared_split
from trainer.report.source import headline


def render(report: dict[str, Any]) -> str:
    """Returns report.html.

    Args:
        report: what `trainer.report.report.build` returned.
    """
    shown = frame.content(report)
    split = headline(report["splits"])
    page = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    ).from_string(_template("report.html.j2"))
    return page.render(
        report=report,
        title=frame.title(report),
        parts=[parts.html(each.name, each.heading, each.parts) for each in shown],
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


def _template(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")


def _files(*names: str) -> Markup:
    """Style or script; these are files of this package, not input."""
    return Markup("\n".join(_template(name) for name in names))
