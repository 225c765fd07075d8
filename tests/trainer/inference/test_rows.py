# SPDX-License-Identifier: MIT
"""Films of one patient are told from films that only look like it."""

from typing import Any

import numpy as np
import pytest

from preprocessing.contract.pictures.image import Original
from trainer.inference import rows
from trainer.inference.films import Film
from trainer.inference.scoring import Loaded, Scored
from trainer.serving.facts import Facts
from trainer.serving.served import Answer

_FACTS = Facts("", ("Mass",), 4, 4, 1.0, {}, {}, {}, "", 0)


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("00000003_000.png", "00000003"),
        ("a/00000003_000", "00000003"),
        ("20230101_123456.png", "20230101_123456.png"),  # a date and a time
        ("00000003_000_copy.png", "00000003_000_copy.png"),
    ],
)
def test_the_patient_is_read_off_a_name_of_one_form(name: str, patient: str) -> None:
    maker = rows.Maker(_FACTS, "test", "", b"", b"")
    pixels = np.zeros((4, 4), np.uint8)
    known: Any = np.zeros((1, 1), np.float32)
    answer = Answer(known, None, np.zeros((1, 1, 0), np.int32), None, None)
    film = Film(pixels, Original(pixels), is_dicom=False)
    assert maker.row(Scored(Loaded(name, "", film), answer))["patient"] == patient
