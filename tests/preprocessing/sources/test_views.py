# SPDX-License-Identifier: MIT
"""Tests what becomes of a film by its field in the view column."""

import pathlib

import cv2
import numpy as np
import pytest

from preprocessing import task
from preprocessing.contract import manifest, vocabulary
from preprocessing.sources import views

WORDS = vocabulary.of({})


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("PA", "PA"),
        ("ap", "AP"),
        ("PA erect", "PA"),
        ("postero-anterior", "PA"),
        ("Frontal", ""),
        ("", ""),
        ("unknown", ""),
        ("nan", ""),
    ],
)
def test_a_frontal_view_is_taken(text: str, direction: str) -> None:
    assert views.read(text, "view", WORDS) == views.View(direction)


@pytest.mark.parametrize(
    ("text", "reason", "word"),
    [
        ("LATERAL", "not_frontal", "LATERAL"),
        ("LL", "not_frontal", "LL"),
        ("L", "not_frontal", "L"),
        ("Profil", "not_frontal", "PROFIL"),
        ("PA oblique", "not_frontal", "OBLIQUE"),
        ("COSTAL", "not_chest", "COSTAL"),
    ],
)
def test_another_view_or_part_is_refused(text: str, reason: str, word: str) -> None:
    found = views.read(text, "view", WORDS)
    assert found.refused[0] == reason
    assert "column 'view' names a" in found.refused[1] and f"({word})" in found.refused[1]


def test_an_unknown_word_is_named() -> None:
    found = views.read("steep", "view", WORDS)
    assert not found.refused and not found.direction
    assert found.warning.startswith("column 'view' is 'steep', which is unknown")


SETTINGS = """
findings: [Mass]
stored_size: 32
max_rejected_fraction: 0.5
split: random
table: {patient_column: patient, view_column: view}
words: {steep: AP, seven leagues: not_frontal}
"""


def test_the_job_rejects_lateral_films_and_counts_them(tmp_path: pathlib.Path) -> None:
    words = ["PA", "LATERAL", "AP", "L", "steep", "seven leagues", "odd", "PA erect"]
    lines = ["image,patient,Mass,view"]
    for at in range(24):
        grey = np.add.outer(np.arange(40), np.arange(40) + 3 * at).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{at:02d}.png"), grey)
        lines.append(f"{at:02d}.png,p{at},{at % 2},{words[at % 8]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    output = tmp_path / "out"
    argv = ["cxr14-preprocess", "--source=csv", f"--images={tmp_path}", f"--output={output}"]
    more = [f"--labels={tmp_path / 'labels.csv'}", f"--config={tmp_path / 'settings.yaml'}"]
    assert task.main([*argv, *more]) == 0
    made = manifest.read(str(output))
    assert made.counters["records_written"] == 15
    assert made.counters["rejected_not_frontal"] == made.counters["images_rejected"] == 9
    assert made.counters["images_with_warnings"] == 3
    assert (output / "rejected.csv").read_text().count("(SEVEN LEAGUES)") == 3
    assert (output / "warnings.csv").read_text().count("'odd', which is unknown") == 3
    # The same command finds it made.
    assert task.main([*argv, *more]) == 0
