# SPDX-License-Identifier: MIT
"""Reads the view column of a label file, in whatever words it names views."""

import dataclasses

from preprocessing.contract.vocabulary import AP, CHEST, OTHER, PA, Vocabulary


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
    if text in ("", AP, PA):  # nearly always, and 112,120 times
        return View(text)
    said, only = words.read_view(text), "only frontal films of the chest are used"
    if OTHER in said.words and CHEST not in said.words:
        reason = f"column {column!r} names another part of the body ({said.words[OTHER]}): {only}"
        return View(refused=("not_chest", reason))
    if said.not_frontal:
        reason = f"column {column!r} names a view that is not frontal ({said.not_frontal}): {only}"
        return View(refused=("not_frontal", reason))
    if said.is_unknown:
        known = "its view is taken as frontal; the setting words can name it"
        return View(warning=f"column {column!r} is {text!r}, which is unknown: {known}")
    return View(said.view)
