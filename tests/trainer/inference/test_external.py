# SPDX-License-Identifier: MIT
"""An external test judges the model's own thresholds and calibration, and says that it is one."""

import dataclasses
import hashlib
import json
import pathlib
from importlib import resources
from typing import Any

import jsonschema
import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from preprocessing.contract.manifest import Manifest, Split
from trainer.evaluation import recalibration
from trainer.inference import external, film_labels
from trainer.predictions import table
from trainer.report.source import ANOTHER, COUNTS, called
from trainer.serving import mean
from trainer.serving.facts import Facts

FINDINGS = ("Mass", "Edema", "Other")
PLATT = {"method": "platt", "intercept": -1.5, "slope": 0.7}
FACTS = Facts(
    folder="/model",
    findings=FINDINGS,
    stored_size=40,
    image_size=32,
    crop_fraction=0.875,
    prevalence=dict.fromkeys(FINDINGS, 0.2),
    thresholds={
        name: {"youden": 0.5, "max_f1": 0.6, "sensitivity_90": 0.25, "specificity_90": None}
        for name in FINDINGS
    },
    calibration=dict.fromkeys(FINDINGS, PLATT),
    identity="ab" * 32,
    step=70,
)
ROWS = 60


@pytest.fixture
def scored(tmp_path: pathlib.Path) -> dict[str, Any]:
    """Predictions as cxr14-predict writes them, in a folder below, and the true labels."""
    generator = np.random.default_rng(2)
    labels = (generator.random((ROWS, 3)) < 0.4).astype(int)
    raw = np.round(np.clip(0.3 * labels + generator.random((ROWS, 3)) * 0.7, 0.01, 0.99), 2)
    lines = ["id,patient,split,warnings," + ",".join(f"score:{n},raw:{n}" for n in FINDINGS)]
    for row in range(ROWS):
        chances = recalibration.apply(PLATT, raw[row])
        cells = [f"{c:.9g},{r}" for c, r in zip(chances, raw[row], strict=True)]
        lines.append(f"films/{row:03d}.png,films/{row:03d}.png,test,," + ",".join(cells))
    path = tmp_path / "predictions.csv"
    path.write_text("\n".join(lines) + "\n")
    return {"path": str(path), "labels": labels, "raw": raw}


def write_labels(folder: pathlib.Path, labels: np.ndarray) -> str:
    """Without folders or suffixes; one film without a row, one row without a film, two unknown."""
    lines = ["Image Index,patient,remark,Mass,Edema"]
    for row in range(ROWS - 1):
        mass = "" if row < 2 else labels[row, 0]
        lines.append(f"{row:03d},P{row // 2},x,{mass},{labels[row, 1]}")
    path = folder / "labels.csv"
    path.write_text("\n".join([*lines, "elsewhere,P99,x,1,0"]) + "\n")
    return str(path)


def test_the_models_own_thresholds_are_judged_on_its_raw_scores(
    scored: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    path = write_labels(tmp_path, scored["labels"])
    out = f"{tmp_path}/out"
    made = external.report(scored["path"], path, FACTS, out, resamples=20)
    points = made["operating_points"]
    assert points["available"] and points["chosen_on"] == "the model's own validation"
    known = slice(2, ROWS - 1)
    truth, called = scored["labels"][known, 0] == 1, scored["raw"][known, 0] >= 0.5
    rules = points["findings"]["Mass"]["rules"]
    assert rules["youden"]["test"]["sensitivity"]["value"] == pytest.approx(called[truth].mean())
    assert rules["youden"]["test"]["specificity"]["value"] == pytest.approx(
        1 - called[~truth].mean()
    )
    assert rules["youden"]["test"]["sensitivity"]["low"] is not None
    assert rules["youden"]["threshold"] == 0.5
    assert rules["specificity_90"]["threshold"] is None
    assert points["mean"]["youden"]["validation"]["sensitivity"] is None
    # Calibrated scores are what calibration is judged on.
    mean = recalibration.apply(PLATT, scored["raw"][: ROWS - 1, 1]).mean()
    assert made["calibration"]["findings"]["Edema"]["test"]["mean_score"] == pytest.approx(mean)


def test_the_report_says_that_it_is_external_and_what_was_left_out(
    scored: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    path = write_labels(tmp_path, scored["labels"])
    made = external.report(scored["path"], path, FACTS, f"{tmp_path}/out", resamples=20)
    schema = resources.files("trainer.report") / "templates" / "report.schema.json"
    jsonschema.validate(made, json.loads(schema.read_text()))
    context = made["context"]["external_test"]
    assert context["films without labels"] == "1 (films/059.png)"
    assert context["labels without a scored film"] == "1 (elsewhere)"
    assert context["findings of the model without labels"] == "Other"
    assert context["columns of the labels that were not used"] == ["remark"]
    assert made["predictions"]["ignored_columns"] == []
    assert made["splits"]["test"]["patients"] == 30
    page = (tmp_path / "out/report/report.html").read_text()
    text = (tmp_path / "out/report/report.md").read_text()
    assert text.startswith("# AUC report: external test")
    for words in ("run abababababab, step 70", "not known to this report", "the model's own"):
        assert words in text, words
        assert words.replace("'", "&#39;") in page, words
    for words in (
        "Quote the test AUC",
        "labels of ChestX-ray14 were mined",
        "chosen on validation,",
    ):
        assert words not in text, words
    assert table.read(f"{tmp_path}/out/predictions.csv").raw is not None


def test_the_report_of_a_mean_says_so_and_claims_no_thresholds(
    scored: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    path = write_labels(tmp_path, scored["labels"])
    facts = mean.facts_of([FACTS, dataclasses.replace(FACTS, identity="cd" * 32)])
    external.report(scored["path"], path, facts, f"{tmp_path}/out", resamples=20)
    text = (tmp_path / "out/report/report.md").read_text()
    assert "the mean of 2 finished models (" in text and "step 0" not in text
    assert "Its calibration comes from the validation split" in text
    assert "it has no thresholds; nothing was chosen" in text
    assert "| thresholds | none |" in text and "The model brings no thresholds" in text


def test_a_data_entry_file_is_complete_and_brings_the_patients(
    scored: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Sex"
    rows = [
        f"{row:03d}.png,{'Mass' if mass else 'No Finding'},0,{row},50,{'MF'[row % 2]}"
        for row, (mass, *_) in enumerate(scored["labels"])
    ]
    path = tmp_path / "entry.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    labels = film_labels.read(str(path), FACTS)
    # Edema is one of the fourteen, so that it is absent; of Other the file cannot know.
    assert labels.findings == ("Mass", "Edema")
    assert (labels.values[:, 1] == 0).all()
    made = external.report(scored["path"], str(path), FACTS, f"{tmp_path}/out", resamples=20)
    rates = made["subgroups"]["thresholds"]
    assert rates["chosen_on"] == "the model's own validation"
    assert rates["values"]["Mass"] == made["confusion"]["thresholds"]["Mass"] == 0.5
    truth, called = scored["labels"][:, 0] == 1, scored["raw"][:, 0] >= 0.5
    assert made["confusion"]["counts"]["Mass"]["missed"] == (truth & ~called).sum()
    overall = made["subgroups"]["overall"]["Mass"]["tpr"]["value"]
    assert overall == pytest.approx(called[truth].mean())
    text = (tmp_path / "out/report/report.md").read_text()
    assert "The predictions hold no" not in text
    assert made["splits"]["test"]["findings"]["Edema"]["auc"]["value"] is None


def test_labels_of_other_films_are_refused(scored: dict[str, Any], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id,Mass\nother,1\n")
    with pytest.raises(DataError, match="films are called as 'films/000.png', the rows as 'other'"):
        external.report(scored["path"], str(path), FACTS, f"{tmp_path}/out")


def test_films_of_one_name_in_two_folders_are_not_confused() -> None:
    ids = np.array(["a/1.png", "b/1.png", "c/2.png"])
    assert external._joined(ids, np.array(["a/1", "2"])).tolist() == [0, -1, 1]
    assert external._joined(ids, np.array(["x/2", "y/2"])).tolist() == [-1, -1, -1]


def manifest(labels: str, writer: str = "a", **table: Any) -> Manifest:
    """A data set by the hash of its label file; `writer` sets equal ones apart."""
    split = Split(50, 20, {"Mass": 10}, {"Mass": 40}, {"Mass": 0.25}, [])
    splits = dict.fromkeys(("train", "validation", "test"), split)
    counted: tuple[Any, ...] = (splits, False, {}, {}, {"table": table}, {"labels": labels}, writer)
    return Manifest(1, ["Mass"], 40, "png", *counted)


def told_of(facts: Facts, tested: Manifest | None, path: str = "a/hospital") -> dict[str, Any]:
    ids = np.array(["x"])
    known = (ids, None, ("Mass",), np.zeros((1, 1), np.float32), (), False)
    return external.origin(facts, path, film_labels.Labels(*known, manifest=tested))


def test_manifests_say_whether_films_are_of_another_data_set(tmp_path: pathlib.Path) -> None:
    own = manifest("11")
    facts = dataclasses.replace(FACTS, manifests=(own,))
    found = told_of(facts, manifest("22"))
    assert found[ANOTHER] == "yes" and found["data sets of the model"] == [own.identity]
    assert found["statement"].startswith("External test: the films are of another data set (hospi")
    assert own.identity[:12] in found["statement"] and "nothing was chosen" in found["statement"]
    assert found[COUNTS] == dict.fromkeys(("validation", "test"), {"Mass": [10, 40]})
    # The same again, or stored at another size: not external. Other rows of one file may be.
    for tested in (own, manifest("11", "b")):
        found = told_of(facts, tested)
        assert found[ANOTHER] == "no" and found["statement"].startswith("No external test")
        assert called({"external_test": found}) == "Test of a finished model"
    assert told_of(facts, manifest("11", only_values=["B"]))[ANOTHER] == "not known"
    assert told_of(FACTS, own)[ANOTHER] == "not known" and told_of(FACTS, own)[COUNTS]["test"] == {}
    # A file of labels is known only if the model's own data were made of it.
    path = tmp_path / "labels.csv"
    path.write_text("id,Mass\nx,1\n")
    assert told_of(facts, None, str(path))[ANOTHER] == "not known"
    made = manifest(hashlib.sha256(path.read_bytes()).hexdigest())
    several = dataclasses.replace(FACTS, manifests=(own, made))
    assert told_of(several, None, str(path))[ANOTHER] == "no"
    assert told_of(several, None, str(path))[COUNTS]["test"] == {"Mass": [20, 80]}


def test_a_report_on_the_models_own_data_calls_itself_no_external_test(
    scored: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    path = write_labels(tmp_path, scored["labels"])
    own = manifest(hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest())
    facts = dataclasses.replace(FACTS, manifests=(own,))
    made = external.report(scored["path"], path, facts, f"{tmp_path}/out", resamples=20)
    assert not made["external"]["available"]
    text = (tmp_path / "out/report/report.md").read_text()
    assert text.startswith("# AUC report: test of a finished model")
    assert "No external test: the films are" in text
    assert "External test:" not in text and "test on another data set" not in text


def test_labels_of_the_test_change_nothing_that_the_model_brings(
    scored: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    found = []
    for name, labels in (("a", scored["labels"]), ("b", 1 - scored["labels"])):
        folder = tmp_path / name
        folder.mkdir()
        path = write_labels(folder, labels)
        made = external.report(scored["path"], path, FACTS, f"{folder}/out", resamples=20)
        rules = {
            finding: {rule: one["threshold"] for rule, one in entry["rules"].items()}
            for finding, entry in made["operating_points"]["findings"].items()
        }
        scores = table.read(f"{folder}/out/predictions.csv").scores
        found.append((rules, made["context"]["external_test"]["calibration"], scores))
    (first, second) = found
    assert first[:2] == second[:2] and first[0]["Mass"]["youden"] == 0.5
    np.testing.assert_array_equal(first[2], second[2])
