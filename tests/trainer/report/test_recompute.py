# SPDX-License-Identifier: MIT
"""The programs beside a report recompute it, and see every figure that is not what they find."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from trainer.predictions.table import Predictions, write
from trainer.report import recompute
from trainer.report.inputs import Inputs
from trainer.report.report import from_files

ROOT = pathlib.Path(__file__).parents[3]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=recompute.PROGRAMS)
def run(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Run:
    """Runs one of the programs in the folder of the report; skips where R has no pROC."""
    name = request.param
    program = [sys.executable]
    if name == "verify.R":
        program = [shutil.which("Rscript") or "none"]
        probe = [*program, "-e", "library(pROC)"]
        if program == ["none"] or subprocess.run(probe, capture_output=True).returncode:
            pytest.skip("no Rscript with the package pROC (Debian: r-cran-proc)")

    def run(*given: str) -> subprocess.CompletedProcess[str]:
        # As an outsider does: without this checkout.
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        command, folder = [*program, name, *given], tmp_path / "report"
        return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True)

    return run


def report(folder: pathlib.Path, *rows: Predictions, form: str = "csv") -> list[str]:
    """Makes a report of predictions, of several the mean; returns their paths."""
    names = [f"predictions{at or ''}.{form}" for at in range(len(rows))]
    paths = [str(folder / name) for name in names]
    for path, each in zip(paths, rows, strict=True):
        write(path, each)
    from_files(Inputs(",".join(paths)), output=str(folder), context={}, resamples=5)
    return paths


def largest(done: subprocess.CompletedProcess[str]) -> float:
    """Returns the difference that a program ends with."""
    return float(done.stdout.split()[-1])


def spoil(path: pathlib.Path, old: str, new: str) -> None:
    """Replaces the first match of a pattern in a file."""
    changed, count = re.subn(old, new, path.read_text(), count=1)
    assert count == 1
    path.write_text(changed)


def test_both_find_what_the_report_says(
    run: Run, make: Callable[..., Predictions], tmp_path: pathlib.Path
) -> None:
    # Edema has unknown labels, Hernia on test no positive, and Mass is now worse than chance.
    rows = make()
    scores, patients = rows.scores.copy(), rows.patients.copy()
    scores[:, 0] = 1 - scores[:, 0]
    patients[::2] = [name.lstrip("0") or "0" for name in patients[::2]]
    report(tmp_path, dataclasses.replace(rows, scores=scores, patients=patients))
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "" and largest(done) < 1e-12
    for words in ("Mass", "Hernia", "mean", "validation", "test"):
        assert words in done.stdout
    assert json.loads((tmp_path / "report/report.json").read_text())["splits"]["test"]["findings"][
        "Mass"
    ]["auc"]["value"] < 0.5  # fmt: skip


def test_both_see_a_figure_that_was_changed_and_a_label_that_was_flipped(
    run: Run, make: Callable[..., Predictions], tmp_path: pathlib.Path
) -> None:
    [path] = report(tmp_path, make())
    csv, data = tmp_path / "report/aucs.csv", tmp_path / "report/report.json"
    kept = csv.read_text(), data.read_text()
    spoil(csv, r"(test,Edema,\d+,\d+,\d+,0\.\d{6})\d", r"\g<1>x")
    spoil(csv, "x", "1" if "x1" not in csv.read_text() else "2")
    spoil(data, r'("Edema": \{\s+"auc": \{\s+"value": 0\.\d{6})\d', r"\g<1>0")
    done = run()
    assert done.returncode == 1 and "auc" in done.stdout, done.stdout + done.stderr
    assert 1e-9 < largest(done) < 1e-5
    csv.write_text(kept[0])
    data.write_text(kept[1])
    assert run().returncode == 0
    # The first row with a known label of Mass.
    spoil(pathlib.Path(path), r"(\n[^,]+,[^,]+,[^,]+,)1,", r"\g<1>0,")
    done = run()
    assert done.returncode == 1 and "positives" in done.stdout


def test_both_take_the_mean_of_several_files_in_any_order(
    run: Run, make: Callable[..., Predictions], tmp_path: pathlib.Path
) -> None:
    rows = make()
    turned = {each.name: getattr(rows, each.name)[::-1] for each in dataclasses.fields(rows)[:5]}
    other = dataclasses.replace(rows, **turned)
    other = dataclasses.replace(other, scores=other.scores**3)
    paths = report(tmp_path, rows, other)
    assert run(*paths).returncode == 0
    done = run(paths[0])
    assert done.returncode == 1 and largest(done) > 1e-4


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_what_is_no_csv_is_read_or_said_how_to_convert(
    run: Run, make: Callable[..., Predictions], tmp_path: pathlib.Path, form: str
) -> None:
    [path] = report(tmp_path, make(), form=form)
    done = run(path, f"--csv={tmp_path}/copy.csv")
    if done.returncode:
        assert "verify.py --csv=FILE.csv" in done.stderr
        convert = [sys.executable, "verify.py", path, f"--csv={tmp_path}/copy.csv"]
        subprocess.run(convert, cwd=tmp_path / "report", check=True, capture_output=True)
    assert run(f"{tmp_path}/copy.csv").returncode == 0
    done = run("nowhere.csv")
    assert done.returncode == 1 and done.stderr.startswith("verify."), done.stderr
    assert "there is no nowhere.csv" in done.stderr


def test_both_recompute_real_predictions(run: Run, tmp_path: pathlib.Path) -> None:
    shared = pathlib.Path(os.environ.get("CXR14_SHARED", ROOT.parent / "shared"))
    file = shared / "data" / "predictions" / "resnet50_seed0.npz"
    if not file.is_file():
        pytest.skip("no predictions of real models: name their parent folder in CXR14_SHARED")
    with np.load(file) as stored:
        scores = 1 / (1 + np.exp(-stored["test_logits"].astype(np.float64)))
        labels, patients = stored["test_labels"].astype(np.float32), stored["test_patient"]
    about = np.arange(len(labels)).astype(str), patients.astype(str), np.full(len(labels), "test")
    names = tuple(f"Finding {number}" for number in range(14))
    report(tmp_path, Predictions(*about, labels, scores, names))
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert largest(done) < 1e-12 and "0.689053142712" in done.stdout


def test_the_page_says_how_to_run_them(
    make: Callable[..., Predictions], tmp_path: pathlib.Path
) -> None:
    report(tmp_path, make(), make())
    page = (tmp_path / "report/report.md").read_text()
    assert "python3 verify.py predictions.csv predictions1.csv (scikit-learn and pandas)" in page
    assert "Rscript verify.R predictions.csv predictions1.csv (R with its package pROC)" in page
    report(tmp_path, make(), form="npz")
    page = (tmp_path / "report/report.html").read_text()
    assert "python3 verify.py predictions.npz --csv=scored.csv (scikit-learn and pandas)" in page
    assert "Rscript verify.R scored.csv (R with its package pROC)" in page
