# SPDX-License-Identifier: MIT
"""Writes films with the heat map of a finding over them, as PNG pictures."""

import hashlib
import re
from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from preprocessing.contract.files import storage
from preprocessing.contract.pictures.image import Pixels
from trainer.inference import on_film
from trainer.serving.facts import Facts

_MOST_PX = 1024
_STRENGTH = 0.5
# Of a name, so that those of a film and of a finding fit into the 255 bytes of a file's.
_LONGEST = 90


def write(
    folder: str,
    name: str,
    film: Pixels,
    maps: npt.NDArray[np.float32],
    findings: Iterable[str],
    facts: Facts,
) -> None:
    """Writes a picture for each of some findings: FILM.FINDING.png.

    Args:
        folder: local or in a bucket.
        name: id of the film.
        film: upright, uint8 [height, width]; it is made smaller if it is large.
        maps: of all findings, float32 [F, image_size, image_size], 0 to 1.
        findings: of which pictures are made.
        facts: of the model.
    """
    scale = min(1.0, _MOST_PX / max(film.shape))
    width, height = (max(1, round(side * scale)) for side in film.shape[::-1])
    small = cv2.resize(film, (width, height), interpolation=cv2.INTER_AREA)
    for finding in findings:
        heat = on_film.laid_out(maps[facts.findings.index(finding)], facts, height, width)
        colours = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
        share = (_STRENGTH * heat)[..., np.newaxis]
        mixed = small[..., np.newaxis] * (1 - share) + colours * share
        encoded = cv2.imencode(".png", mixed.round().astype(np.uint8))[1].tobytes()
        path = storage.join(folder, f"{file_name(name)}.{file_name(finding)}.png")
        storage.write_bytes(path, encoded, private=True)


def file_name(name: str) -> str:
    """Returns a name of a film or a finding as part of a file's name, different for different ones.

    >>> file_name("00000003_000.png"), file_name("../a b")
    ('00000003_000.png', '.._a_b-2c2c791a')
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    if plain == name and not name.startswith(".") and len(name) <= _LONGEST:
        return name
    return f"{plain[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
