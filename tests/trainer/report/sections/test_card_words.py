# SPDX-License-Identifier: MIT
"""What the card says of ChestX-ray14 is true of its label file."""

from pathlib import Path

import numpy as np

from trainer.predictions import metadata
from trainer.report.sections import card_words


def test_counts_are_those_of_the_label_file(nih: Path) -> None:
    known = metadata.read(str(nih / "Data_Entry_2017_v2020.csv"))
    images = np.unique(known.patients, return_counts=True)[1]
    facts = dict(card_words.CHESTXRAY14)
    for number in (len(known.ids), len(images), len(known.findings)):
        assert f"{number:,}" in facts["name"]
    limits = " ".join(card_words.CHESTXRAY14_LIMITS)
    assert "some more than a hundred" in limits and images.max() > 100
    assert "Many patients have several images" in limits and (images > 1).mean() > 0.4
    assert "about 5%" in limits and round(100 * (known.age < 18).mean()) == 5


def test_every_sentence_ends() -> None:
    groups = (
        card_words.INTENDED,
        card_words.OUT_OF_SCOPE,
        card_words.CHESTXRAY14_LIMITS,
        card_words.OTHER_LIMITS,
        card_words.ETHICS,
    )
    for sentence in (one for group in groups for one in group):
        assert sentence.endswith(".") and "  " not in sentence
    assert any("Neither the model nor this report is a medical device" in one
               for one in card_words.OUT_OF_SCOPE)  # fmt: skip
