# SPDX-License-Identifier: MIT
"""A series trains its runs one after another and reports on all of them together."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer import task
from trainer.checkpoints import bundle
from trainer.experiments import series
from trainer.predictions import table
from trainer.runfolder import notes

ROOT = pathlib.Path(__file__).parents[3]
# Stands for the trainer: notes its flags, trains by another program if it is told one, and brings
# the run, or all that comes after the training, that was made for its folder.
_STAND_IN = """
import json, os, shutil, subprocess, sys, time
flags = dict(one.lstrip("-").partition("=")[::2] for one in sys.argv[1:])
name = os.path.basename(flags["output"])
with open(os.path.join(sys.path[0], "calls.jsonl"), "a") as file:
    file.write(json.dumps(flags | {"model_dir": os.environ.get("AIP_MODEL_DIR")}) + "\\n")
action = os.environ.get("STAND_IN_" + name.replace("-", "_"), "copy")
if action in ("wait", "wait deaf"):
    import signal
    if action == "wait":
        signal.signal(signal.SIGTERM, lambda *_: os._exit(75))
    print("waiting", flush=True)
    time.sleep(60)
if action.isdigit():
    sys.exit(int(action))
if action.endswith(".py"):
    subprocess.run([sys.executable, action, *sys.argv[1:], "--mode=train"], check=True)
shutil.copytree(os.path.join(sys.path[0], name), flags["output"], dirs_exist_ok=True)
"""


@pytest.fixture
def stand_in(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The file of the calls that the stand-in got."""
    (tmp_path / "stand_in.py").write_text(_STAND_IN)
    monkeypatch.setattr(series, "PROGRAM", (sys.executable, str(tmp_path / "stand_in.py")))
    return tmp_path / "calls.jsonl"


def calls(file: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize(("given", "code"), [("--help", 0), ("--mode=none", 64)])
def test_a_run_is_of_this_program_whatever_the_current_folder_holds(
    given: str, code: int, tmp_path: pathlib.Path
) -> None:
    for name in ("trainer", "preprocessing", "absl"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit(3)\n")
        (tmp_path / name / "task.py").touch()
    done = subprocess.run([*series.PROGRAM, given], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    said = done.stdout or done.stderr
    assert said.startswith("cxr14-train: ") and "none" in said


def test_one_report_covers_all_seeds(
    run: Callable[..., str],
    data_set: Any,
    stand_in: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for seed in (4, 5, 6):
        run(f"seed-{seed}", seed=seed)
    monkeypatch.setenv("AIP_MODEL_DIR", f"{tmp_path}/elsewhere/model")
    given = ["cxr14-train", f"--data={data_set.folder}", "--output", f"{tmp_path}/out", "--seeds=3"]
    given += ["--config.seed=4", "--config.train.epochs=2"]
    given += ["--config.evaluation.bootstrap_resamples=20"]
    assert task.main(given) == 0
    # 1. Each run got the command with its own seed and folder, and not the platform's folder.
    assert [(each["output"], each["config.seed"]) for each in calls(stand_in)] == [
        (f"{tmp_path}/out/seed-{seed}", f"{seed}") for seed in (4, 5, 6)
    ]
    assert {each["config.train.epochs"] for each in calls(stand_in)} == {"2"}
    assert all("seeds" not in each and not each["model_dir"] for each in calls(stand_in))
    # 2. The predictions are the means.
    parts = [table.read(f"{tmp_path}/seed-{seed}/{notes.PREDICTIONS}") for seed in (4, 5, 6)]
    made = table.read(f"{tmp_path}/out/{notes.PREDICTIONS}")
    wanted = np.mean([part.scores for part in parts], axis=0, dtype=np.float64)
    np.testing.assert_allclose(made.scores, wanted, rtol=1e-12)
    assert made.ids.tolist() == parts[0].ids.tolist()
    # 3. The report is on them and shows the runs alone.
    report = json.loads((tmp_path / "out/report/report.json").read_text())
    facts = report["context"]["series"]
    assert list(facts["runs"]) == ["seed-4", "seed-5", "seed-6"]
    assert facts["mean"]["mean"] == pytest.approx(np.mean(list(facts["runs"].values())))
    assert report["splits"]["test"]["mean_auc"]["value"] > facts["mean"]["high"]
    page = (tmp_path / "out/report/report.md").read_text()
    assert "the mean of 3 networks that differ only in the seed" in page
    assert (tmp_path / "out/comparison.json").exists()
    # 4. The same command does it again, and its report is the same.
    before = (tmp_path / "out/report/report.json").stat().st_mtime_ns
    assert task.main(given) == 0
    assert (tmp_path / "out/report/report.json").stat().st_mtime_ns == before
    # 5. What is required is required of that report, and not of each run.
    assert task.main([*given, "--require=splits.test.n<1"]) == 3
    assert all("require" not in each for each in calls(stand_in))


def test_one_report_covers_all_folds(
    run: Callable[..., str], data_set: Any, stand_in: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    made = [table.read(f"{run(f'whole-{fold}', seed=fold)}/{notes.PREDICTIONS}") for fold in (0, 1)]
    for fold, whole in enumerate(made):
        # Each leaves out every other patient of what is not tested.
        own = np.array([int(patient) % 2 == fold for patient in whole.patients.tolist()])
        rows = own | (whole.splits == "test")
        columns = ("ids", "patients", "splits", "labels", "scores")
        part = dataclasses.replace(whole, **{name: getattr(whole, name)[rows] for name in columns})
        path = run(f"fold-{fold}")
        table.write(f"{path}/{notes.PREDICTIONS}", part)
        notes.write_note(path, notes.PREDICTIONS_NOTE, {"step": 5})
    given = ["cxr14-train", f"--data={data_set.folder}", f"--output={tmp_path}/out", "--folds=2"]
    assert task.main([*given, "--config.evaluation.bootstrap_resamples=20"]) == 0
    assert [(each["data"], each["fold"]) for each in calls(stand_in)] == [
        (f"{tmp_path}/out/folds", f"{fold}") for fold in (0, 1)
    ]
    together = table.read(f"{tmp_path}/out/{notes.PREDICTIONS}")
    left, tested = together.select("validation"), together.select("test")
    assert sorted(left.ids.tolist()) == sorted(made[0].select("validation").ids.tolist())
    for patient, image, scores in zip(left.patients, left.ids, left.scores, strict=True):
        whole = made[int(patient) % 2]
        assert scores.tolist() == whole.scores[whole.ids == image][0].tolist()
    mean = np.mean([whole.select("test").scores for whole in made], axis=0, dtype=np.float64)
    np.testing.assert_allclose(tested.scores, mean, rtol=1e-12)
    page = (tmp_path / "out/report/report.md").read_text()
    assert "those of the network that did not train on the patient" in page


def test_a_run_that_fails_ends_the_series_with_its_code(
    data_set: Any,
    stand_in: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STAND_IN_seed_0", "65")
    given = ["cxr14-train", f"--data={data_set.folder}", f"--output={tmp_path}/out", "--seeds=2"]
    assert task.main(given) == 65
    assert "seed-0 ended with exit code 65, for the reason above" in capsys.readouterr().err
    assert len(calls(stand_in)) == 1


def test_a_run_and_kinds_of_series_do_not_replace_each_others_reports(
    run: Callable[..., str],
    data_set: Any,
    stand_in: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours, theirs = run("run"), run("series")
    pathlib.Path(theirs, notes.TRAINING).unlink()
    notes.write_note(theirs, notes.REPORT, {"context": {"series": {"by": "seed"}}})
    for output, more, holds in (
        (ours, ["--seeds=2"], "a run"),
        (theirs, ["--folds=2"], "a series by seed"),
        (theirs, [], "a series by seed"),
    ):
        given = ["cxr14-train", f"--data={data_set.folder}", f"--output={output}", *more]
        assert task.main(given) == 64
        assert f"holds {holds}, whose predictions and report" in capsys.readouterr().err
    assert not stand_in.exists()
    series.check_folder(ours, "")
    series.check_folder(theirs, "seed")


@pytest.mark.parametrize(
    ("how", "action"),
    [(signal.SIGTERM, "wait"), (signal.SIGINT, "wait"), (signal.SIGTERM, "wait deaf")],
)
def test_a_stop_reaches_the_run_and_ends_the_series(
    how: signal.Signals,
    action: str,
    data_set: Any,
    stand_in: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    code = (
        "import sys; from trainer import task; from trainer.experiments import series; "
        f"series.PROGRAM = (sys.executable, {str(tmp_path / 'stand_in.py')!r}); task.console()"
    )
    given = [f"--data={data_set.folder}", f"--output={tmp_path}/out", "--seeds=2"]
    environ = {**os.environ, "STAND_IN_seed_0": action, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code, *given], env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        guard = threading.Timer(60, process.kill)
        guard.start()
        assert process.stdout
        assert any("waiting" in line for line in process.stdout)
        process.send_signal(how)
        assert process.wait() == 75
        guard.cancel()
    assert len(calls(stand_in)) == 1


@pytest.mark.slow
def test_a_run_of_a_series_is_the_run_that_its_own_command_makes(
    run: Callable[..., str],
    finished_run: Any,
    data_set: Any,
    stand_in: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    command_line: Callable[..., list[str]],
) -> None:
    """One is trained; what comes after, and the other run, are brought."""
    for seed in (0, 1):
        run(f"seed-{seed}", seed=seed)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("STAND_IN_seed_0", str(ROOT / "tests/cluster/small_backbone.py"))
    assert task.main([*command_line(data_set.folder, f"{tmp_path}/out"), "--seeds=2"]) == 0
    alone, made = (
        bundle.read(bundle.newest_first(f"{output}/checkpoints")[0])
        for output in (finished_run.output, f"{tmp_path}/out/seed-0")
    )
    assert alone.keys() == made.keys()
    assert [name for name in alone if not np.array_equal(alone[name], made[name])] == []
