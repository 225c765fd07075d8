# SPDX-License-Identifier: MIT
"""Findings have public codes where there are some, and one of our own each where not."""

import pytest
from pydicom.sr.codedict import codes as standard

from trainer.inference.pacs import codes

CHESTXRAY14 = (
    *("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia"),
    *("Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening"),
    "Hernia",
)


def test_all_findings_but_two_have_public_codes() -> None:
    private = [
        name for name in CHESTXRAY14 if codes.of_finding(name).scheme_designator == "99CXR14"
    ]
    assert private == ["Pleural_Thickening", "Hernia"]
    assert len({codes.of_finding(name).value for name in CHESTXRAY14}) == 14


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Effusion", standard.SCT.PleuralEffusion),
        ("Mass", standard.SCT.Mass),
        ("Nodule", standard.SCT.Nodule),
        ("Pneumothorax", standard.SCT.Pneumothorax),
        ("Infiltration", standard.DCM.Infiltrate),
    ],
)
def test_codes_that_the_standard_has_are_those(name: str, known) -> None:
    assert codes.of_finding(name) == known


def test_other_codes_are_those_of_the_standard() -> None:
    assert standard.SCT.Positive == codes.POSITIVE and standard.SCT.Negative == codes.NEGATIVE
    assert standard.DCM.Probability == codes.PROBABILITY
    assert standard.DCM.Comment == codes.COMMENT
    assert standard.DCM.ArtificialIntelligence == codes.LEARNED
    assert standard.UCUM.NoUnits == codes.NO_UNIT


def test_private_codes_fit_and_differ() -> None:
    names = ["Ödem", "Ädem", "a" * 80, "a" * 80 + "b", "x y", "Hernia"]
    made = [codes.private(name, name) for name in names]
    assert len({code.value for code in made}) == len(names)
    assert all(len(code.value) <= 16 and len(code.meaning) <= 64 for code in made)
    assert all(code.value.isascii() and code.meaning.isascii() for code in made)
