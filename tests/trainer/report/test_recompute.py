# SPDX-License-Identifier: MIT
"""The programs beside a report recompute it, and see every figure that is not what they find."""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from trainer.predictions.table import Predictions, write
from trainer.report import recompute
from trainer.report.inputs import Inputs
from trainer.report.report import from_files

ROOT = pathlib.Path(__file__).parents[3]
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def programs() -> dict[str, str]:
    """What runs each of the programs that can run here; says which cannot."""
    found = {"verify.py": sys.executable}
    r = shutil.which("Rscript")
    if r and not subprocess.run([r, "-e", "library(pROC)"], capture_output=True).returncode:
        found["verify.R"] = r
    return found


@pytest.fixture(params=recompute.PROGRAMS)
def run(request: pytest.FixtureRequest, programs: dict[str, str]) -> Callable[..., Done]:
    """Runs one of the programs in the folder of a report; skips where R has no pROC."""
    name = request.param
    if name not in programs:
        pytest.skip("no Rscript with the package pROC (Debian: r-cran-proc)")

    def run(folder: pathlib.Path, *given: object) -> Done:
        # As an outsider does: without this checkout.
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        command = [programs[name], name, *map(str, given)]
        return subprocess.run(
            command, cwd=folder / "report", env=kept, capture_output=True, text=True
        )

    return run


def report(folder: pathlib.Path, *rows: Predictions) -> list[str]:
    """Makes a report of predictions, of several the mean; returns their paths."""
    paths = [f"{folder}/predictions{at or ''}.csv" for at in range(len(rows))]
    for path, each in zip(paths, rows, strict=True):
        write(path, each)
    from_files(Inputs(",".join(paths)), output=str(folder), context={}, resamples=5)
    return paths


@pytest.fixture(scope="module")
def rows(make: Callable[..., Predictions]) -> Predictions:
    """Edema has unknown labels, Hernia on test no positive, and Mass is worse than chance.

    Every other image names its patient without zeros in front.
    """
    rows = make()
    scores, patients = rows.scores.copy(), rows.patients.copy()
    scores[:, 0] = 1 - scores[:, 0]
    patients[::2] = [name.lstrip("0") or "0" for name in patients[::2]]
    return dataclasses.replace(rows, scores=scores, patients=patients)


@pytest.fixture(scope="module")
def whole(rows: Predictions, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("whole")
    report(folder, rows)
    return folder


@pytest.fixture
def copy(whole: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A report that a test may change."""
    return pathlib.Path(shutil.copytree(whole, tmp_path / "copy"))


def largest(done: Done) -> float:
    """Returns the difference that a program ends with."""
    return float(done.stdout.split()[-1])


def spoil(path: pathlib.Path, old: str, new: str) -> None:
    """Replaces the first match of a pattern in a file."""
    changed, count = re.subn(old, new, path.read_text(), count=1)
    assert count == 1
    path.write_text(changed)


def test_both_find_what_the_report_says(
    run: Callable[..., Done], whole: pathlib.Path, rows: Predictions
) -> None:
    done = run(whole)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "" and largest(done) < 1e-12
    for words in ("Mass", "Hernia", "mean", "validation", "test"):
        assert words in done.stdout
    test = rows.select("test")
    area = roc_auc_score(test.labels[:, 0], test.scores[:, 0])
    assert area < 0.5 and done.stdout.count(f"{area:.12f}") == 2


def test_both_see_a_figure_that_was_changed(run: Callable[..., Done], copy: pathlib.Path) -> None:
    cut = r"\g<1>"
    spoil(copy / "report/aucs.csv", r"(test,Edema,\d+,\d+,\d+,0\.\d{6})\d\d", cut)
    pattern = r'("Edema": \{\s+"auc": \{\s+"value": 0\.\d{6})\d\d'
    spoil(copy / "report/report.json", pattern, cut)
    done = run(copy)
    assert done.returncode == 1 and "auc" in done.stdout, done.stdout + done.stderr
    assert 1e-9 < largest(done) < 1e-5


def test_both_see_a_label_that_was_flipped(run: Callable[..., Done], copy: pathlib.Path) -> None:
    spoil(copy / "predictions.csv", r"(\n[^,]+,[^,]+,[^,]+,)1,", r"\g<1>0,")
    done = run(copy)
    assert done.returncode == 1 and "positives" in done.stdout


def test_a_file_that_lacks_what_is_needed_is_named_in_a_sentence(
    run: Callable[..., Done], copy: pathlib.Path
) -> None:
    text = (copy / "predictions.csv").read_text()
    path = copy / "other.CSV"
    path.write_text(text.replace("score:Mass", "Mass", 1))
    done = run(copy, path)
    (said,) = done.stderr.splitlines()
    assert done.returncode == 1 and f"{path} is not what a report is made of" in said
    assert said.startswith(("verify.py: ", "verify.R: ")) and "score:Mass" in said
    path.write_text(text)
    assert run(copy, path).returncode == 0


def test_what_is_no_report_and_a_report_of_the_other_program_are_named(
    run: Callable[..., Done], copy: pathlib.Path
) -> None:
    done = run(copy, "report.json", "../predictions.csv")
    if done.returncode:
        assert done.stderr.startswith("verify.R: report.json: R compares with the aucs.csv beside")
        assert run(copy, "aucs.csv", "../predictions.csv").returncode == 0
    for name in ("report.json", "aucs.csv"):
        (copy / "report" / name).write_text("{")
    done = run(copy)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and line.startswith(("verify.py: ", "verify.R: "))
    assert "is not the report.json of a report" in line or "is not the aucs.csv of a report" in line


def test_python_without_the_packages_says_what_to_install(copy: pathlib.Path) -> None:
    command = [sys.executable, "-I", "-S", "verify.py"]
    done = subprocess.run(command, cwd=copy / "report", capture_output=True, text=True)
    assert done.returncode == 1 and "pip install scikit-learn pandas" in done.stderr
    assert "Traceback" not in done.stderr


def test_both_take_the_mean_of_several_files_in_any_order(
    run: Callable[..., Done], tmp_path: pathlib.Path, rows: Predictions
) -> None:
    turned = {each.name: getattr(rows, each.name)[::-1] for each in dataclasses.fields(rows)[:5]}
    scores = np.random.default_rng(5).random(rows.scores.shape)
    paths = report(tmp_path, rows, dataclasses.replace(rows, **turned | {"scores": scores}))
    assert run(tmp_path, *paths).returncode == 0
    done = run(tmp_path, paths[0])
    assert done.returncode == 1 and largest(done) > 1e-4


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_what_is_no_csv_is_read_or_said_how_to_convert(
    run: Callable[..., Done],
    programs: dict[str, str],
    copy: pathlib.Path,
    rows: Predictions,
    form: str,
) -> None:
    path, table = str(copy / f"predictions.{form}"), copy / "copy.csv"
    write(path, rows)
    done = run(copy, path, f"--csv={table}")
    if done.returncode:
        assert "verify.py --csv=FILE.csv" in done.stderr
        command = [programs["verify.py"], "verify.py", path, f"--csv={table}"]
        subprocess.run(command, cwd=copy / "report", check=True, capture_output=True)
    assert run(copy, table).returncode == 0
    done = run(copy, "nowhere.csv")
    assert done.returncode == 1 and done.stderr.startswith("verify."), done.stderr
    assert "there is no nowhere.csv" in done.stderr


def test_both_recompute_real_predictions(run: Callable[..., Done], tmp_path: pathlib.Path) -> None:
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
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert largest(done) < 1e-12 and "0.689053142712" in done.stdout


def test_the_page_says_how_to_run_them_on_what_was_given() -> None:
    def said(*names: str) -> list[str]:
        each = [{"file": name} for name in names]
        _, lines = recompute.parts(
            {"predictions": each[0] | ({"mean_of": each} if each[1:] else {})}
        )
        return [line.partition(" (")[0] for line in lines.lines]

    assert said("a.csv") == ["python3 verify.py a.csv", "Rscript verify.R a.csv"]
    assert said("a b.csv", "c.csv")[1] == "Rscript verify.R 'a b.csv' c.csv"
    assert said("a.npz") == [
        "python3 verify.py a.npz --csv=scored.csv",
        "Rscript verify.R scored.csv",
    ]


def test_the_report_shows_it(whole: pathlib.Path) -> None:
    for name in ("report.md", "report.html"):
        assert "python3 verify.py predictions.csv" in (whole / "report" / name).read_text()
