# SPDX-License-Identifier: MIT
"""A hospital's own words travel from its settings to whoever reads its DICOM files."""

import pathlib

import numpy as np

from preprocessing import task
from preprocessing.contract import manifest

SETTINGS = """
findings: [Mass]
stored_size: 32
max_rejected_fraction: 0.3
split: random
words: {snout: chest, steep view: not_frontal}
"""


def test_films_are_taken_and_refused_by_words_of_the_settings(
    film, encode, tmp_path: pathlib.Path
) -> None:
    lines = ["image,Mass"]
    for at in range(16):
        pixels = np.add.outer(np.arange(40), np.arange(40) + at).astype(np.uint8)
        view = "STEEP VIEW" if at % 8 == 7 else "PA"
        made = film(pixels, BodyPartExamined="SNOUT", ViewPosition=view, PatientID=f"p{at}")
        (tmp_path / f"f{at:02d}.dcm").write_bytes(encode(made))
        lines.append(f"f{at:02d}.dcm,{at % 2}")
    for name, text in (("l.csv", "\n".join(lines)), ("s.yaml", SETTINGS), ("key", "0123456789")):
        (tmp_path / name).write_text(text)
    flags = {"images": "", "labels": "l.csv", "config": "s.yaml", "pseudonym_key_file": "key"}
    argv = [f"--{name}={tmp_path / file}" for name, file in flags.items()]
    output = tmp_path / "out"
    assert task.main(["job", "--source=dicom", *argv, f"--output={output}"]) == 0
    counters = manifest.read(str(output)).counters
    assert counters["records_written"] == 14
    assert counters["rejected_not_frontal"] == 2
    assert (output / "rejected.csv").read_text().count("(STEEP VIEW)") == 2
    assert not (output / "warnings.csv").exists()
