# SPDX-License-Identifier: MIT
"""What surrounds the drawings of the page: buttons of findings, captions, keys, rows of squares."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from preprocessing.contract.wording import words
from trainer.report.parts import Drawn

_CHIPS = Markup(
    '<div class="controls" role="group" aria-label="Findings that are shown in charts" hidden>\n'
    '<p class="line"><span class="legend">Findings</span> '
    '<button type="button" class="text" data-all="true">Show all</button> '
    '<button type="button" class="text" data-all="false">Hide all</button></p>\n'
    '<ul class="chips">\n{}\n</ul>\n</div>'
)
_CHIP = Markup(
    '<li><button type="button" class="chip" data-finding="{}" aria-pressed="true">'
    "<span>{}</span></button></li>"
)


def figure(drawing: str, caption: str) -> Markup:
    """Returns a chart with its caption."""
    return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(Markup(drawing), caption)


def explorer(findings: Sequence[str], *content: Markup, before: str = "", title: str = "") -> Drawn:
    """Returns charts below buttons that hide and show the lines of findings in every chart.

    Args:
        findings: their names.
        content: the charts.
        before: HTML of further controls.
        title: of a heading above it; empty for none.
    """
    chips = _CHIPS.format(Markup("\n").join(_CHIP.format(name, words(name)) for name in findings))
    parts = Markup("\n").join([Markup(before), chips, *content])
    return Drawn(Markup('<div class="explorer">\n{}\n</div>').format(parts), title)


def choice(name: str, options: Sequence[str]) -> Markup:
    """Returns radio buttons, the first of them pressed."""
    button = Markup('<label><input type="radio" name="{}" value="{}"{}> {}</label>')
    buttons = Markup("\n").join(
        button.format(name, option, "" if at else Markup(" checked"), option.capitalize())
        for at, option in enumerate(options)
    )
    return Markup(
        '<fieldset class="choice controls" hidden><legend>{}</legend>\n{}\n</fieldset>'
    ).format(name.capitalize(), buttons)


def key(
    colours: Iterable[tuple[str, str]], after: str = "", title: str = "", mark: str = "swatch"
) -> Drawn:
    """Returns what the colours of the drawings below mean.

    Args:
        colours: the class of a colour and what it means.
        after: what else there is to say.
        title: of a heading above it; empty for none.
        mark: "swatch" of a line or "dot".
    """
    swatch = Markup('<span class="{} {}"></span>{}')
    meanings = Markup(" ").join(swatch.format(mark, *colour) for colour in colours)
    return Drawn(Markup('<p class="key">{}{}</p>').format(meanings, after), title)


def multiples(squares: Iterable[tuple[str, str, str]]) -> Drawn:
    """Returns small drawings side by side, each with a name and a figure above it."""
    item = Markup("<li><p>{} <b>{}</b></p>{}</li>")
    items = (item.format(words(name), text, Markup(svg)) for name, text, svg in squares)
    return Drawn(Markup('<ul class="multiples">\n{}\n</ul>').format(Markup("\n").join(items)))
