# SPDX-License-Identifier: MIT
"""Draws a picture with its heat map and boxes as SVG that needs nothing from outside."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from trainer.predictions.placement import Placement

# Units of the drawing, and pixels of a side of the layer of heat, which the browser smooths.
_SIDE = 128
_HEAT_PX = 32
# Blue, green, red; the hottest place lets 35% of the picture through. Few levels make small files.
_COLOUR = (20, 96, 255)
_MOST_OPAQUE = 0.65
_LEVELS = 24


def heat_layer(heat: npt.NDArray[np.floating], placement: Placement) -> bytes:
    """Returns a map laid out on its picture as a PNG of one colour: the hotter, the more opaque.

    Args:
        heat: [cells, cells], 0 to 1.
        placement: where the cells lie.
    """
    laid_out = placement.laid_out(heat, _HEAT_PX)
    alpha = np.round(laid_out * _LEVELS) * (255 * _MOST_OPAQUE / _LEVELS)
    layer = np.empty((_HEAT_PX, _HEAT_PX, 4), np.uint8)
    layer[...] = (*_COLOUR, 0)
    layer[..., 3] = np.clip(np.round(alpha), 0, 255)
    # Places without heat in one value, which is packed best.
    layer[layer[..., 3] == 0] = 0
    _, encoded = cv2.imencode(".png", layer, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return encoded.tobytes()


def drawing(*, picture: str, heat: bytes, boxes: Sequence[Sequence[float]], label: str) -> Markup:
    """Returns the picture under its heat and its boxes.

    Args:
        picture: a JPEG file in base64.
        heat: a PNG file, of the whole picture.
        boxes: x, y, width, height as shares of the picture's side.
        label: what a screen reader says.
    """
    parts = [
        f'<svg class="case" role="img" viewBox="0 0 {_SIDE} {_SIDE}" aria-label="{escape(label)}">',
        _image(f"data:image/jpeg;base64,{escape(picture)}", "picture"),
        _image(f"data:image/png;base64,{base64.b64encode(heat).decode()}", "heat"),
    ]
    for box in boxes:
        x, y, width, height = (round(_SIDE * share, 1) for share in box)
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
        parts.append(f'<rect class="halo" {place}/><rect class="box" {place}/>')
    return Markup("".join([*parts, "</svg>"]))


def where(heat: npt.NDArray[np.floating], placement: Placement) -> str:
    """Says in which ninth of the picture a map is hottest; sides are those of the picture."""
    peak = placement.peak(heat)
    if peak is None:
        return "no heat"
    across, down = (min(2, int(3 * place)) for place in peak)
    words = [("upper", "middle", "lower")[down], ("left", "centre", "right")[across]]
    return f"hottest at the {' '.join(words)}"


def _image(source: str, kind: str) -> str:
    return (
        f'<image class="{kind}" href="{source}" width="{_SIDE}" height="{_SIDE}" '
        'preserveAspectRatio="none"/>'
    )
