# SPDX-License-Identifier: MIT
"""The section on radiologists' labels: which images, which findings, what pages say."""

import dataclasses
import json
import pathlib
import re
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import radiologists
from trainer.report.source import Source

FINDINGS = (
    "Pneumothorax",
    "Nodule",
    "Mass",
    "Consolidation",
    "Infiltration",
    "Pneumonia",
    "Edema",
    "Atelectasis",
)


def predictions() -> Predictions:
    generator = np.random.default_rng(8)
    labels = (generator.random((300, 8)) < 0.25).astype(np.float32)
    noise = generator.normal(size=labels.shape) + 1.5 * labels
    return Predictions(
        ids=np.array([f"{row // 3:08d}_{row % 3:03d}.png" for row in range(300)]),
        patients=np.array([f"{row // 3}" for row in range(300)]),
        splits=np.where(np.arange(300) < 90, "validation", "test"),
        labels=labels,
        scores=1 / (1 + np.exp(-noise)),
        findings=FINDINGS,
    )


@pytest.fixture
def file(tmp_path: pathlib.Path) -> str:
    """Radiologists who agree with the mined labels but where the row number is 0 modulo 10."""
    rows = predictions()
    lines = ["Image Index,Finding Labels,Patient ID,Pneumothorax,Airspace opacity,Nodule or mass"]
    for at in range(0, 300, 2):
        row = rows.labels[at]
        seen = np.array([row[0], row[3:].any(), row[1:3].any()]) > 0
        words = ["YES" if value ^ (at % 10 == 0) else "NO" for value in seen]
        lines.append(f"{rows.ids[at]},No Finding,{at // 3},{','.join(words)}")
    path = tmp_path / "google.csv"
    path.write_text("\n".join(lines))
    return str(path)


def built(rows: Predictions, path: str) -> dict[str, Any]:
    return radiologists.build(Source(predictions=rows, resamples=100, radiologists=path))


@pytest.fixture
def section(file: str) -> dict[str, Any]:
    return built(predictions(), file)


def rendered(section: dict[str, Any]) -> str:
    return parts.html("radiologists", "Radiologists' labels", radiologists.parts(section, {}))


def markdown(section: dict[str, Any]) -> str:
    return parts.markdown("Radiologists' labels", radiologists.parts(section, {}))


def test_section_is_strict_json(section: dict[str, Any]) -> None:
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert section["available"] is True


def test_only_images_of_the_split_count(section: dict[str, Any]) -> None:
    assert (section["split"], section["images"], section["in_file"]) == ("test", 105, 150)
    assert "The other 45 images of the file are not in this split" in section["notes"][0]
    for entry in section["references"]:
        assert entry["images"] == 105
        assert sum(entry["agreement"][key] for key in radiologists.CELLS) == 105
        disagree = [entry["agreement"][key] for key in ("only_mined", "only_radiologists")]
        assert sum(disagree) == 21


def test_shares_of_mined_labels_are_those_of_the_sample_and_of_the_split(
    section: dict[str, Any],
) -> None:
    mass = predictions().labels[90:, 1:3].any(axis=1)
    common = section["references"][1]["common"]
    assert common["here"]["value"] == pytest.approx(mass[::2].mean())
    assert common["split"]["value"] == pytest.approx(mass.mean())
    gap = common["difference"]
    assert gap["value"] == pytest.approx(mass[::2].mean() - mass.mean())
    assert gap["low"] < gap["value"] < gap["high"]
    shares = f"{mass[::2].mean():.1%} against {mass.mean():.1%}"
    assert f"Nodule or mass {shares}" in " ".join(section["notes"])


def test_labels_with_errors_give_the_lower_area(section: dict[str, Any]) -> None:
    for entry in section["references"]:
        assert entry["auc_radiologists"]["value"] < entry["auc_mined"]["value"]
        assert entry["difference"]["high"] < 0


def test_scores_that_go_along_with_errors_of_the_labels_are_found_out(file: str) -> None:
    rows = predictions()
    section = built(dataclasses.replace(rows, scores=np.clip(rows.labels, 0.1, 0.9)), file)
    first = section["references"][0]
    assert first["if_random"]["highest"]["value"] < first["auc_mined"]["value"] == 1
    assert first["if_random"]["expected"]["value"] is None
    highest = f"{first['if_random']['highest']['value']:.3f}"
    assert (
        f"no model could have more than {highest} against them, and this one has 1.000"
        in rendered(section)
    )


def test_the_finding_that_lacks_is_named(file: str) -> None:
    rows = predictions()
    kept = [at for at, name in enumerate(FINDINGS) if name not in ("Mass", "Edema")]
    section = built(
        dataclasses.replace(
            rows,
            labels=rows.labels[:, kept],
            scores=rows.scores[:, kept],
            findings=tuple(FINDINGS[at] for at in kept),
        ),
        file,
    )
    reasons = {entry["name"]: entry["reason"] for entry in section["references"]}
    assert reasons == {
        "Pneumothorax": None,
        "Nodule or mass": "the predictions have no score of Mass",
        "Airspace opacity": "the predictions have no score of Edema",
    }
    assert "Nodule or mass: not compared, because the predictions have" in " ".join(
        section["notes"]
    )
    assert rendered(section).count(">Pneumothorax</th>") == 2
    assert ">Nodule or mass<" not in rendered(section)
    assert "| Nodule or mass |" not in markdown(section)


def test_without_a_file_or_a_common_image_the_section_says_why(file: str) -> None:
    section = built(predictions(), "")
    assert section["available"] is False and "--radiologists" in section["reason"]
    rows = predictions()
    numbered = dataclasses.replace(rows, ids=np.arange(300).astype(str))
    section = built(numbered, file)
    assert section["reason"].startswith("None of the 150 images that radiologists labelled")


def test_an_image_of_another_patient_is_refused(file: str) -> None:
    rows = predictions()
    other = dataclasses.replace(rows, patients=np.char.add(rows.patients, "9"))
    with pytest.raises(DataError, match="in the radiologists' labels, the first of 105"):
        built(other, file)


def test_a_rule_that_joins_scores_is_said_with_what_the_other_gives(
    section: dict[str, Any],
) -> None:
    words = " ".join(section["notes"])
    opacity = section["references"][2]
    assert opacity["other_rule"]["rule"] == "maximum"
    value = f"{opacity['other_rule']['auc_radiologists']:.3f}"
    assert f"the largest score instead gives {value}" in words
    assert "Consolidation, Infiltration, Pneumonia, Edema and Atelectasis" in words
    assert section["references"][0]["other_rule"] is None


def test_the_pages_show_the_figures_of_the_section(section: dict[str, Any]) -> None:
    text, page = markdown(section), rendered(section)
    assert text.startswith("## Radiologists' labels\n")
    for entry in section["references"]:
        for area in (entry["auc_radiologists"], entry["auc_mined"], entry["agreement"]["ppv"]):
            assert f"{area['value']:.3f}" in text and f">{area['value']:.3f}<" in page
    assert page.count('<svg class="row test"') == page.count('<svg class="row mean"') == 3
    identifiers = re.findall(r' id="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) <= set(identifiers)


def test_real_labels_fall_into_the_split_of_the_official_list(nih: pathlib.Path) -> None:
    names = (nih / "test_list.txt").read_text().split()
    generator = np.random.default_rng(0)
    rows = Predictions(
        ids=np.array(names),
        patients=np.array([str(int(name[:8])) for name in names]),
        splits=np.full(len(names), "test"),
        labels=(generator.random((len(names), 8)) < 0.2).astype(np.float32),
        scores=generator.random((len(names), 8)),
        findings=FINDINGS,
    )
    section = built(rows, str(nih / "google2019_nih-chest-xray-labels.csv"))
    assert (section["images"], section["patients"], section["in_file"]) == (1962, 860, 4376)
    positives = [entry["positives_radiologists"] for entry in section["references"]]
    assert positives == [195, 295, 1135]
    # Scores dealt at random tell nothing: an AUC of 195 positives of 1,962 errs by some 0.02.
    areas = [entry["auc_radiologists"]["value"] for entry in section["references"]]
    np.testing.assert_allclose(areas, 0.5, atol=0.06)
