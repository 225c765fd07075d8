# SPDX-License-Identifier: MIT
"""Tests that parts and views are known by their words, in six languages and any spelling."""

import pytest

from preprocessing.contract import vocabulary
from preprocessing.contract.errors import ConfigError

WORDS = vocabulary.of({})


@pytest.mark.parametrize(
    ("text", "meanings"),
    [
        ("XR CHEST 1 VIEW", {"chest"}),
        ("TÓRAX", {"chest"}),
        ("T?RAX", {"chest"}),
        ("To\u0301rax", {"chest"}),
        ("RX DU POUMON", {"chest"}),
        ("PULMÃO", {"chest"}),
        ("Rx torace", {"chest"}),
        ("TELETORACE", {"chest"}),
        ("Radiographie thoracique de face", {"chest", "frontal"}),
        ("RADIOGRAFÍA TORÁCICA", {"chest"}),
        ("Rö-Thorax p.a.", {"chest", "PA"}),
        ("Thorax a.p. liegend", {"chest", "AP"}),
        ("THORAX DE FACE", {"chest", "frontal"}),
        ("Thoraxaufnahme seitl.", {"chest", "not_frontal"}),
        ("THORAX PROFIL", {"chest", "not_frontal"}),
        ("TORAX PERFIL", {"chest", "not_frontal"}),
        ("TORACE LL", {"chest", "not_frontal"}),
        ("TÓRAX OBLÍQUA", {"chest", "never_frontal"}),
        ("TORAX AP DE PIE", {"chest", "AP", "nothing"}),
        ("tórax ap decúbito supino", {"chest", "AP", "nothing"}),
        ("postero-anterior", {"PA"}),
        ("ChestPA", {"chest", "PA"}),
        ("CHEST_PA/LAT", {"chest", "PA", "not_frontal"}),
        ("THORACIC SPINE", {"other"}),
        ("Rachis thoracique", {"other"}),
        ("COLUMNA TORÁCICA", {"other"}),
        ("colonna toracica", {"other"}),
        ("Hüfte", {"other"}),
        ("HUEFTE", {"other"}),
        ("Fuß", {"other"}),
        ("RX RODILLA DERECHA", {"other"}),
        ("GENOU", {"other"}),
        ("Joelho", {"other"}),
        ("ginocchio", {"other"}),
        ("Dose Report", {"paper"}),
        ("W033", set()),
        ("SNOUT", set()),
        ("", set()),
    ],
)
def test_words_have_their_meaning(text: str, meanings: set[str]) -> None:
    assert set(WORDS.read(text).words) == meanings


def test_a_side_is_a_view_only_where_it_is_the_whole_of_one() -> None:
    assert WORDS.read_view("L").not_frontal == "L"
    assert WORDS.read_view(" r ").not_frontal == "R"
    assert not WORDS.read_view("PA L").not_frontal
    assert not WORDS.read("THORAX L").words.get("not_frontal")


@pytest.mark.parametrize(
    ("text", "view", "not_frontal"),
    [
        ("PA erect", "PA", ""),
        ("AP_horizontal", "AP", ""),
        ("AP/PA", "", ""),
        ("FRONTAL", "", ""),
        ("LATERAL", "", "LATERAL"),
        ("PA LATERAL", "PA", ""),
        ("PA OBLIQUE", "PA", "OBLIQUE"),
        ("AP left lateral decubitus", "AP", "LATERAL DECUBITUS"),
        ("L-L", "", "L L"),
    ],
)
def test_views(text: str, view: str, not_frontal: str) -> None:
    said = WORDS.read(text)
    assert (said.view, said.not_frontal) == (view, not_frontal)


def test_words_that_no_one_knows_are_unknown_and_nothing_is_not() -> None:
    assert WORDS.read("XYZ 7").is_unknown
    assert not WORDS.read("").is_unknown and WORDS.read("12").is_empty
    assert not WORDS.read("UNKNOWN").is_unknown


def test_no_word_has_two_meanings() -> None:
    seen: dict[tuple[str, ...], str] = {}
    for meaning, text in vocabulary._TABLE.items():
        for phrase in text.split(","):
            assert seen.setdefault(vocabulary._words(phrase), meaning) == meaning


def test_a_hospital_adds_words_and_changes_those_of_the_table() -> None:
    own = vocabulary.of({"Rippenfell": "chest", "stehend vorn": "PA", "hand": "nothing"})
    assert own.read("RIPPENFELL, stehend vorn").words == {
        "chest": "RIPPENFELL",
        "PA": "STEHEND VORN",
    }
    assert set(own.read("hand").words) == {"nothing"}
    assert WORDS.read("rippenfell").is_unknown


@pytest.mark.parametrize("more", [{"7": "chest"}, {"brust": "Brust"}])
def test_a_word_that_cannot_work_is_named(more: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="^words"):
        vocabulary.of(more)
