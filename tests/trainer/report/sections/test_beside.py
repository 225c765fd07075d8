# SPDX-License-Identifier: MIT
"""Tests that files beside predictions are believed only if they are of those predictions."""

import pathlib
from collections.abc import Callable

import numpy as np
import pytest

from trainer.predictions.table import Predictions
from trainer.report.sections import beside
from trainer.report.source import Source


def test_rows_are_found_by_id_whatever_their_order(make: Callable[..., Predictions]) -> None:
    rows = make(("test",), 9)
    places = np.array([5, 2, 2])
    columns = np.array([0, 2, 1])
    findings = np.array(rows.findings)[columns]
    found = beside.rows_of(rows, rows.ids[places], findings, rows.scores[places, columns])
    assert found is not None and found.tolist() == [5, 2, 2]


@pytest.mark.parametrize("change", ["id", "finding", "score"])
def test_a_file_of_other_predictions_is_refused(
    change: str, make: Callable[..., Predictions]
) -> None:
    rows = make(("test",), 9)
    ids, findings, scores = rows.ids[:2].copy(), np.array(["Mass", "Mass"]), rows.scores[:2, 0]
    if change == "id":
        ids[1] = "other.png"
    elif change == "finding":
        findings = np.array(["Mass", "Gout"])
    else:
        scores = scores + np.float32(1e-4)
    assert beside.rows_of(rows, ids, findings, scores) is None


def test_a_path_is_given_for_what_is_there(
    tmp_path: pathlib.Path, make: Callable[..., Predictions]
) -> None:
    (tmp_path / "there.npz").write_bytes(b"")
    source = Source(predictions=make(), beside=str(tmp_path))
    assert beside.path_of(source, "there.npz") == f"{tmp_path}/there.npz"
    assert beside.path_of(source, "absent.npz") == ""
    assert beside.path_of(Source(predictions=make()), "there.npz") == ""
