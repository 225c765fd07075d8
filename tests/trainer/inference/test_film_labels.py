# SPDX-License-Identifier: MIT
"""Labels of films are read by the model's findings, and a wrong file is refused in one sentence."""

import pathlib

import pytest

from preprocessing.contract.errors import DataError
from trainer.inference import film_labels
from trainer.serving.facts import Facts

FINDINGS = ("Mass", "Edema", "Other")
FACTS = Facts(
    folder="/model",
    findings=FINDINGS,
    stored_size=40,
    image_size=32,
    crop_fraction=0.875,
    prevalence=dict.fromkeys(FINDINGS, 0.2),
    thresholds={},
    calibration={},
    identity="ab" * 32,
    step=70,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,Heart\n1,0\n", "no column is a finding of the model: name columns Mass, Edema, Other"),
        ("film,Mass\n1,0\n", "no column id or Image Index"),
        ("id,Mass\n", "a header but no row"),
        ("id,Mass\n1,2\n", "2 in row 1 .* is not a label"),
        ("id,Mass\n1,yess\n", "'yess' in row 1 .* is not a label"),
        ("id,Mass\na.png,1\na.dcm,0\n", "film 'a.dcm' is in more than one row"),
        ("", "the file is empty"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_scored(
    tmp_path: pathlib.Path, text: str, words: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        film_labels.read(str(path), FACTS)


def test_labels_of_one_finding_in_two_columns_are_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id,Mass,label:Mass\n000,1,0\n")
    with pytest.raises(DataError, match="columns Mass and label:Mass: keep one"):
        film_labels.read(str(path), FACTS)
