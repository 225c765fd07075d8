# SPDX-License-Identifier: MIT
"""Reads the view column of a label file, in whatever words it names views."""

import dataclasses

from preprocessing.vocabulary import CHEST, OTHER, Vocabulary


@dataclasses.dataclass(frozen=True)
class View:
    """What a field of the view column says.

    Attributes:
        direction: "AP", "PA" or "".
        refused: (reason, text) of a film that is not a frontal one of the chest, else empty.
        warning: that the field is not understood, else empty.
    """

    direction: str = ""
    refused: tuple[str, ...] = ()
    warning: str = ""


def read(text: str, column: str, words: Vocabulary) -> View:
    """Reads a field.

    Args:
        text: the field.
        column: its name.
        words: by which views are known.
    """
    said = words.read_view(text)
    advice = "leave such rows out by table.only_column, or correct the column"
    if OTHER in said.words and CHEST not in said.words:
        reason = f"column {column!r} names another part of the body ({said.words[OTHER]}): {advice}"
        return View(refused=("not_chest", reason))
    if said.not_frontal:
        reason = (
            f"column {column!r} names a view that is not frontal ({said.not_frontal}): {advice}"
        )
        return View(refused=("not_frontal", reason))
    if said.is_unknown:
        known = "its view is taken as frontal; the setting words can name it"
        return View(warning=f"column {column!r} is {text!r}, which is unknown: {known}")
    return View(said.view)
