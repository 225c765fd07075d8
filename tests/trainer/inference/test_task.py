# SPDX-License-Identifier: MIT
"""From files to a predictions file by the command line: the scores are those of the evaluation."""

import json
import pathlib
import shutil
import zipfile
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from trainer.inference import task
from trainer.predictions import table


def _predict(*arguments: object) -> int:
    return task.main(["cxr14-predict", *map(str, arguments)])


@pytest.fixture(scope="module")
def films(data_set: Any, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """All films of the data set, some in a zip, one of them twice, and what is not a film."""
    folder = tmp_path_factory.mktemp("films")
    shutil.copytree(data_set.raw, folder, dirs_exist_ok=True)
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for path in sorted(folder.glob("0000004*.png")):
            archive.write(path, f"more/{path.name}")
            path.unlink()
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "labels.csv").write_text("path\n")
    return folder


def test_scores_are_those_of_the_evaluation(
    finished_run: Any, films: pathlib.Path, tmp_path: pathlib.Path, capsys: Any
) -> None:
    output = tmp_path / "made.csv"
    command = (f"--model={finished_run.output}", films, films / "00000000_000.png")
    assert _predict(*command, f"--output={output}", "--batch_size=7") == 0
    made = pd.read_csv(output).set_index("id")
    evaluated = table.read(f"{finished_run.output}/predictions/predictions.csv")
    assert len(made) == 49 and made.index.is_unique
    for at, name in enumerate(evaluated.findings):
        raw = made.loc[evaluated.ids, f"raw:{name}"]
        np.testing.assert_allclose(raw, evaluated.scores[:, at], atol=1e-5)
    listed = (tmp_path / "made.unusable.csv").read_text().splitlines()
    assert listed[0] == "id,path,reason,text" and listed[1].startswith("broken.png,")
    assert "cut_short" in listed[1] and len(listed) == 2
    said = capsys.readouterr().out
    assert "49 films scored" in said and "1 films cannot be used (1 cut_short)" in said
    assert "1 films were given more than once" in said and "1 files in folders" in said
    assert "not a medical device" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("made.csv", "made.run.json", "made.unusable.csv"),
    ]
    # A run that is over is over, and is not replaced by another one.
    before = output.stat().st_mtime_ns
    assert _predict(*command, f"--output={output}") == 0
    assert "is complete" in capsys.readouterr().out
    assert _predict(*command, f"--output={output}", "--split=train") == 64
    assert output.stat().st_mtime_ns == before
    assert _predict(*command, f"--output={output}", "--split=train", "--overwrite") == 0
    assert set(pd.read_csv(output).split) == {"train"}


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_formats_hold_the_same(
    ending: str, finished_run: Any, films: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    command = (f"--model={finished_run.output}/saved_model", f"{films}/0000000*.png")
    assert _predict(*command, f"--output={tmp_path}/a.csv") == 0
    assert _predict(*command, f"--output={tmp_path}/b.{ending}") == 0
    made = pd.read_csv(tmp_path / "a.csv")
    other = tmp_path / f"b.{ending}"
    if ending == "parquet":
        again = pd.read_parquet(other)
    else:
        again = pd.DataFrame(map(json.loads, other.read_text().splitlines()))
    assert list(again.columns) == list(made.columns) and len(made) == 10
    for name in made.filter(regex="^(score|raw|flag):").columns:
        np.testing.assert_array_equal(again[name].astype(np.float32), made[name].astype(np.float32))


def test_a_few_films_are_shown(finished_run: Any, films: pathlib.Path, capsys: Any) -> None:
    assert _predict(f"--model={finished_run.output}", films / "00000000_000.png") == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("Finding", "Prevalence", "Mass", "Nodule", "Edema"))
    assert "not a medical device" in said
    assert _predict(f"--model={finished_run.output}", films) == 64


def test_no_usable_film_is_an_error_that_names_the_list(
    finished_run: Any, tmp_path: pathlib.Path, capsys: Any
) -> None:
    assert cv2.imwrite(str(tmp_path / "empty.png"), np.zeros((40, 40), np.uint8))
    output = tmp_path / "made.csv"
    assert _predict(f"--model={finished_run.output}", tmp_path, f"--output={output}") == 65
    assert "made.unusable.csv says why" in capsys.readouterr().err
    assert "empty.png" in (tmp_path / "made.unusable.csv").read_text() and not output.exists()


def test_heat_maps_of_findings_and_the_mean_of_models(
    finished_run: Any, films: pathlib.Path, tmp_path: pathlib.Path, capsys: Any
) -> None:
    shutil.copytree(f"{finished_run.output}/saved_model", tmp_path / "copy")
    models = f"--mean_of={finished_run.output},{tmp_path}/copy"
    film, maps = films / "00000000_000.png", tmp_path / "maps"
    asked = (film, f"--output={tmp_path}/mean.csv", f"--heatmaps={maps}")
    assert _predict(models, *asked) == 65
    assert "are the same model" in capsys.readouterr().err
    with (tmp_path / "copy/assets.extra/thresholds.json").open("a") as of_another_export:
        of_another_export.write("\n")
    assert _predict(models, *asked) == 64
    assert "--heatmap_findings" in capsys.readouterr().err
    assert _predict(models, *asked, "--heatmap_findings=Mass,Edema") == 0
    assert sorted(path.name for path in maps.iterdir()) == [
        *("00000000_000.png.Edema.png", "00000000_000.png.Mass.png"),
    ]
    assert _predict(f"--model={finished_run.output}", film, f"--output={tmp_path}/one.csv") == 0
    alone, both = (
        json.loads((tmp_path / f"{name}.run.json").read_text())["model"] for name in ("one", "mean")
    )
    first, second = both["mean_of"]
    assert first == {name: alone[name] for name in ("run", "step", "content", "views")}
    assert second["run"] == alone["run"] and second["content"] != alone["content"]
    one, mean = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("one", "mean"))
    assert not list(mean.filter(like="flag:")) and list(one.filter(like="flag:"))
    for name in one.filter(regex="^(score|raw):").columns:
        np.testing.assert_allclose(mean[name], one[name], rtol=1e-6)
