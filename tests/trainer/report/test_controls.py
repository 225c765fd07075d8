# SPDX-License-Identifier: MIT
"""What surrounds drawings names them, and lets no name become markup."""

from markupsafe import Markup

from trainer.report import controls

SVG = Markup("<svg></svg>")


def test_charts_have_a_button_for_every_finding() -> None:
    made = controls.explorer(["Pleural_Thickening", "<i>"], controls.figure(SVG, "A & B"))
    assert made.html.count('class="chip"') == 2 and "<i>" not in made.html
    assert 'data-finding="Pleural_Thickening" aria-pressed="true"><span>Pleural Thick' in made.html
    assert "<figure><svg></svg><figcaption>A &amp; B</figcaption></figure>" in made.html


def test_colours_and_squares_are_named() -> None:
    made = controls.key([("test", "as it is"), ("validation", "after")], "; both ways")
    assert '<span class="swatch test"></span>as it is <span' in made.html
    assert made.html.endswith("after; both ways</p>")
    squares = controls.multiples([("Pleural_Thickening", "0.8", SVG)])
    assert "<li><p>Pleural Thickening <b>0.8</b></p><svg></svg></li>" in squares.html
