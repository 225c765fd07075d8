# SPDX-License-Identifier: MIT
"""Tests of the second reference: radiologists' labels."""

import pathlib

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.evaluation import intervals, radiologists
from trainer.evaluation.auc import auroc
from trainer.predictions import metadata

HEAD = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],Fracture,Pneumothorax,"
    "Airspace opacity,Nodule or mass,Set Id"
)


def file(folder: pathlib.Path, *answers: str) -> str:
    rows = [
        f"{at:08d}_000.png,No Finding,0,{at},60,M,AP,3056,2544,0.139,0.139,{answer},test"
        for at, answer in enumerate(answers)
    ]
    path = folder / "google.csv"
    path.write_bytes("\r\n".join([HEAD, *rows, ""]).encode())
    return str(path)


def test_the_answers_are_read_in_the_order_of_the_references(tmp_path: pathlib.Path) -> None:
    found = radiologists.read(file(tmp_path, "NO,YES,NO,NO", "YES,NO,NO,YES", "NO,NO,YES,"))
    assert [one.column for one in radiologists.REFERENCES] == [
        "Pneumothorax",
        "Nodule or mass",
        "Airspace opacity",
    ]
    np.testing.assert_array_equal(found.labels, [[1, 0, 0], [0, 1, 0], [0, np.nan, 1]])
    assert found.patients.tolist() == ["0", "1", "2"]


def test_another_answer_or_another_file_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match=r"Pneumothorax of image '00000000_000\.png' is 'MAYBE'"):
        radiologists.read(file(tmp_path, "NO,MAYBE,NO,NO"))
    path = tmp_path / "entry.csv"
    path.write_text("Image Index,Finding Labels,Patient ID\na.png,Mass,1\n")
    with pytest.raises(DataError, match="no column 'Pneumothorax'"):
        radiologists.read(str(path))
    with pytest.raises(DataError, match="there is no such file of radiologists' labels"):
        radiologists.read(str(tmp_path / "none.csv"))
    path = pathlib.Path(file(tmp_path, "NO,NO,NO,NO", "NO,NO,NO,NO"))
    path.write_text(path.read_text().replace("00000001_000.png", "00000000_000"))
    with pytest.raises(DataError, match="image '00000000_000' is in more than one row"):
        radiologists.read(str(path))


def test_scores_and_labels_of_several_findings_become_one() -> None:
    scores = np.array([[0.2, 0.5, 0.0], [1.0, 0.3, 0.9]])
    np.testing.assert_allclose(radiologists.combined_scores(scores, "noisy_or"), [0.6, 1.0])
    assert radiologists.combined_scores(scores, "maximum").tolist() == [0.5, 1.0]
    assert radiologists.combined_scores(scores[:, :1], "score").tolist() == [0.2, 1.0]
    labels = np.array([[0, 1], [0, 0], [np.nan, 0], [np.nan, 1]])
    np.testing.assert_array_equal(radiologists.combined_labels(labels), [1, 0, np.nan, 1])


class Case:
    """Mined labels that are radiologists' with errors, and scores that follow the radiologists."""

    def __init__(self, n: int = 300) -> None:
        generator = np.random.default_rng(2)
        self.seen = (generator.random(n) < 0.4).astype(float)
        wrong = generator.random(n) < 0.2
        self.mined = np.stack([np.where(wrong, 1 - self.seen, self.seen), np.zeros(n)], axis=1)
        noise = generator.normal(size=(n, 2)) + 1.5 * self.seen[:, None]
        self.scores = 1 / (1 + np.exp(-noise))
        self.draws = intervals.resample(np.arange(n) // 3, self.mined, resamples=300, seed=0)

    def judge(self) -> dict:
        return radiologists.judge(self.seen, self.mined, self.scores, self.draws, rule="maximum")


def test_counts_ratios_and_areas_are_those_of_counting_by_hand() -> None:
    case = Case()
    case.seen[:5], case.mined[5:9, 0] = np.nan, np.nan
    found = case.judge()
    known = slice(9, None)
    truth, text = case.seen[known], case.mined[known, 0]
    assert found["images"] == 291
    assert found["positives_radiologists"] == truth.sum()
    assert found["positives_mined"] == text.sum()
    marks = case.scores[known].max(axis=1)
    assert found["auc_radiologists"]["value"] == auroc(truth, marks)
    assert found["auc_mined"]["value"] == auroc(text, marks)
    agreement = found["agreement"]
    both, only_mined = (truth * text).sum(), ((1 - truth) * text).sum()
    only_seen = (truth * (1 - text)).sum()
    assert (agreement["both"], agreement["only_mined"]) == (both, only_mined)
    assert (agreement["only_radiologists"], agreement["neither"]) == (
        only_seen,
        291 - both - only_mined - only_seen,
    )
    assert agreement["ppv"]["value"] == both / (both + only_mined)
    assert agreement["sensitivity"]["value"] == both / truth.sum()
    assert agreement["specificity"]["value"] == agreement["neither"] / (truth == 0).sum()
    assert agreement["npv"]["value"] == agreement["neither"] / (text == 0).sum()
    kept = agreement["ppv"]["value"] + agreement["npv"]["value"] - 1
    random, seen = found["if_random"], found["auc_mined"]["value"]
    assert random["highest"]["value"] == pytest.approx((1 + kept) / 2)
    assert random["expected"]["value"] == pytest.approx(0.5 + (seen - 0.5) / kept)
    for name in ("ppv", "sensitivity", "specificity", "npv"):
        assert agreement[name]["low"] < agreement[name]["value"] < agreement[name]["high"]


def test_errors_of_the_mined_labels_show_as_a_difference() -> None:
    found = Case().judge()
    difference = found["difference"]
    areas = found["auc_radiologists"]["value"], found["auc_mined"]["value"]
    assert difference["value"] == areas[0] - areas[1]
    assert 0 < difference["low"] < difference["high"]


def test_labels_that_never_occur_leave_figures_undefined() -> None:
    case = Case()
    case.mined[:] = 0
    found = case.judge()
    assert found["auc_mined"]["value"] is None and found["difference"]["value"] is None
    assert found["agreement"]["ppv"]["value"] is None
    assert found["agreement"]["sensitivity"]["value"] == 0
    assert found["auc_radiologists"]["value"] > 0.7
    case.seen[:] = np.nan
    assert case.judge()["images"] == 0 and case.judge()["auc_radiologists"]["value"] is None


def test_mined_labels_of_the_official_test_list_agree_as_is_known(nih: pathlib.Path) -> None:
    """Figures computed before from the same files, by other code: 1,962 images, 860 patients."""
    readings = radiologists.read(str(nih / "google2019_nih-chest-xray-labels.csv"))
    entry = metadata.read(str(nih / "Data_Entry_2017_v2020.csv"))
    official = set((nih / "test_list.txt").read_text().split())
    inside = np.isin(readings.ids, list(official))
    assert (len(readings.ids), inside.sum()) == (4376, 1962)
    assert len(set(readings.patients[inside].tolist())) == 860
    rows = metadata.join(entry, readings.ids[inside], readings.patients[inside])
    assert (rows >= 0).all()
    draws = intervals.resample(entry.patients[rows], entry.labels[rows], resamples=50, seed=0)
    expected = {
        "Pneumothorax": (195, 0.485, 0.497),
        "Nodule or mass": (295, 0.565, 0.454),
        "Airspace opacity": (1135, 0.767, 0.506),
    }
    for at, one in enumerate(radiologists.REFERENCES):
        columns = [entry.findings.index(name) for name in one.findings]
        mined = entry.labels[rows][:, columns]
        found = radiologists.judge(
            readings.labels[inside, at], mined, 0.5 * mined, draws, rule=one.rule
        )
        agreement = found["agreement"]
        values = agreement["ppv"]["value"], agreement["sensitivity"]["value"]
        assert found["positives_radiologists"] == expected[one.column][0]
        assert values == pytest.approx(expected[one.column][1:], abs=5e-4)
