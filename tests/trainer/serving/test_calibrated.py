# SPDX-License-Identifier: MIT
"""The graph's probabilities and flags against those of the report."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.evaluation import recalibration
from trainer.serving import calibrated, names

FINDINGS = ("Mass", "Nodule", "Edema")
CALIBRATION = {
    "Mass": {"method": "none"},
    "Nodule": {"method": "temperature", "temperature": 2.5},
    "Edema": {"method": "platt", "intercept": -1.5, "slope": 0.7},
}
THRESHOLDS = {name: {"youden": 0.25, "max_f1": None} for name in FINDINGS}


def scores() -> np.ndarray:
    edges = [0.0, 1e-9, 0.25, np.nextafter(np.float32(0.25), np.float32(0)), 1 - 1e-7, 1.0]
    return np.tile(np.array(edges, np.float32)[:, None], (1, 3))


def test_probabilities_are_those_of_the_report() -> None:
    found = calibrated.Answers(FINDINGS, {}, CALIBRATION)(scores(), tf.fill([6], ""))
    for at, name in enumerate(FINDINGS):
        expected = recalibration.apply(CALIBRATION[name], scores()[:, at])
        np.testing.assert_allclose(found[names.PROBABILITIES][:, at], expected, atol=1e-7)
    assert names.FLAGS not in found


def test_a_score_at_the_threshold_is_flagged_and_without_one_there_is_no_answer() -> None:
    found = calibrated.Answers(FINDINGS, THRESHOLDS, {})(scores(), tf.fill([6], ""))
    flags = found[names.FLAGS].numpy()
    assert flags[:, 0, 0].tolist() == [0, 0, 1, 0, 1, 1]
    assert (flags[:, :, 1] == -1).all()
    assert found[names.RULES].numpy().astype(str).tolist() == [["youden", "max_f1"]] * 6
    assert names.PROBABILITIES not in found


def test_what_could_not_be_used_has_no_figure() -> None:
    reason = tf.constant(["", "cut_short", "", "", "", ""])
    found = calibrated.Answers(FINDINGS, THRESHOLDS, CALIBRATION)(scores(), reason)
    assert found[names.USABLE].numpy().tolist() == [True, False, True, True, True, True]
    for name in (names.SCORES, names.PROBABILITIES):
        assert np.isnan(found[name]).any(axis=1).tolist() == [False, True] + [False] * 4
    assert (found[names.FLAGS].numpy()[1] == -1).all()


def test_a_map_that_is_not_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="isotonic"):
        calibrated.Answers(("Mass",), {}, {"Mass": {"method": "isotonic"}})
