# SPDX-License-Identifier: MIT
"""The report as one HTML page that needs no network: style, script and figures are inside it.

Every word and number is HTML text and tables; the figures repeat them. The script only adds
sorting, the reading of points and the hiding of curves: without it the page is complete. Sections
are folded; what a link leads into, or a search finds, the browser unfolds. In print all are open,
below one page that sums up the report and that a button prints alone.

`trainer.report.frame` says which parts it has, `trainer.report.parts` how each is shown.
"""

import dataclasses
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from preprocessing.contract import wording
from trainer.report import findings, frame, parts, series
from trainer.report.source import EXTERNAL, headline

# Open at first: what most readers come for.
_OPENED = "findings"
# What the names of the test images say of a data set without a manifest.
_OFFICIAL = {"proven": "official test list of ChestX-ray14", "probable": "probably ChestX-ray14"}


def render(report: dict[str, Any], sha256: str = "") -> str:
    """Returns report.html.

    Args:
        report: what `trainer.report.report.build` returned.
        sha256: of report.json; empty where it is not written.
    """
    split = headline(report["splits"])
    areas = findings.table(report)
    page = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    ).from_string(_template("report.html.j2"))
    return page.render(
        report=report,
        title=frame.title(report),
        chapters=frame.chapters(report),
        section=lambda each: parts.html(
            each.name, each.heading, each.parts, opened=each.name == _OPENED
        ),
        areas=dataclasses.replace(areas, sortable=False, hide_caption=True).html(),
        identity=_identity(report, sha256),
        cautions=frame.cautions(report),
        notes=frame.notes_of(report),
        headline=split,
        main=report["splits"][split],
        compared=findings.compared_split(report),
        number=wording.number,
        ends=wording.ends,
        estimate=wording.estimate,
        style=_files("charts.css", "gallery.css", "report.css", "print.css"),
        script=_files("charts.js", "report.js"),
    )


def _identity(report: Mapping[str, Any], sha256: str) -> dict[str, str]:
    """Of what a printed page is: names and hashes."""
    predictions, context = report["predictions"], report["context"]
    known = {
        name: context.get(name, {}).get(key) if isinstance(context.get(name), Mapping) else None
        for name, key in (("manifest", "identity"), ("training", "identity"), (EXTERNAL, "model"))
    }
    runs = len(context.get(series.KEY, {}).get("runs", ()))
    facts = {
        "Predictions": predictions["file"]
        and f"{predictions['file']}, SHA-256 {predictions['sha256']}",
        "Data set": known["manifest"] or _OFFICIAL.get(report["split_identity"]["certainty"]),
        "Model": known[EXTERNAL] or known["training"] or runs and f"mean of {runs} runs",
        "report.json": sha256 and f"SHA-256 {sha256}",
    }
    return {name: str(fact or "not known") for name, fact in facts.items()}


def _template(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")


def _files(*names: str) -> Markup:
    """Style or script; these are files of this package, not input."""
    return Markup("\n".join(_template(name) for name in names))
