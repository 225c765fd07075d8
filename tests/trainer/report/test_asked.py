# SPDX-License-Identifier: MIT
"""Tests of what the command line fixes for a report."""

import pathlib

import pytest

from preprocessing.contract.errors import UsageError
from trainer import flags
from trainer.report import report
from trainer.report.asked import USUAL, Asked
from trainer.report.inputs import Inputs

_COMMAND = ["cxr14-train", "--mode=report", "--predictions=p.csv", "--output=out"]


def test_what_is_given_is_taken() -> None:
    given = ["--compare=b.csv", "--margin=0.01", "--threshold_range=0.02,0.3"]
    parsed = flags.parse([*_COMMAND, *given], {})
    assert parsed.asked == Asked(0.01, (0.02, 0.3))
    assert flags.parse(_COMMAND, {}).asked == USUAL
    narrow = flags.parse([*_COMMAND, "--threshold_range=0.01,0.011"], {})
    assert narrow.asked.threshold_range == (0.01, 0.011)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("--margin=0", "--margin=0.0 is not allowed: give a difference of AUC above 0"),
        ("--margin=1", "--margin=1.0 is not allowed"),
        ("--threshold_range=0.5", "--threshold_range=0.5 is not allowed: give two probabilities"),
        ("--threshold_range=0.5,0.1", "--threshold_range=0.5,0.1 is not allowed"),
        ("--threshold_range=0,0.1", "--threshold_range=0,0.1 is not allowed"),
        ("--threshold_range=a,b", "--threshold_range=a,b is not allowed"),
        (
            "--threshold_range=0.5,0.500001",
            "from 0.0001 to 0.9999, the lower first and 0.001 apart",
        ),
        ("--threshold_range=1e-9,0.5", "--threshold_range=1e-9,0.5 is not allowed"),
        ("--threshold_range=0.5,0.99999", "--threshold_range=0.5,0.99999 is not allowed"),
    ],
)
def test_what_cannot_be_is_refused(given: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        flags.parse([*_COMMAND, given], {})


def test_a_report_is_made_again_where_the_choices_are_others(
    predictions_file: str, tmp_path: pathlib.Path
) -> None:
    def made(asked: Asked) -> report.Report:
        inputs, output = Inputs(predictions_file), str(tmp_path / "out")
        return report.from_files(inputs, output=output, context={}, resamples=10, asked=asked)

    assert made(USUAL)["request"]["margin"] is None
    assert made(Asked(margin=0.02))["request"]["margin"] == 0.02
    assert made(Asked(0.02, (0.1, 0.2)))["request"]["threshold_range"] == [0.1, 0.2]
