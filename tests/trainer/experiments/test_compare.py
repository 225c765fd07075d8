# SPDX-License-Identifier: MIT
"""`--mode=compare` prints what runs differ by, and writes it on request."""

import csv
import dataclasses
import json
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer import flags, task
from trainer.config import Config
from trainer.experiments import compare, finished, spread
from trainer.runfolder import notes

FAST = "--config.evaluation.bootstrap_resamples=30"


def test_runs_are_compared_by_one_command_without_data(
    run: Callable[..., str], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [run("base-0", 0.5), run("base-1", 0.5, seed=1)]
    paths += [run(f"focal-{seed}", 1.5, seed=seed, loss__name="focal") for seed in (0, 1)]
    given = ["--mode=compare", f"--runs={','.join(paths)}", f"--output={tmp_path}/out", FAST]
    assert task.main(["cxr14-train", *given]) == 0
    shown = capsys.readouterr().out
    runs, groups, settings, read = shown.split("\n\n")
    assert [line.split()[0] for line in runs.splitlines()[2:]] == [
        *("base-0", "base-1", "focal-0", "focal-1")
    ]
    assert "Mass +0." in runs.splitlines()[-1] and "\nfocal-0 and 1 more  0." in groups
    assert settings.splitlines()[1:] == [
        "  base-0, base-1: loss.name=bce; seed=0, 1",
        "  focal-0, focal-1: loss.name=focal; seed=0, 1",
    ]
    assert "240 test images" in read and "30 resamples of patients" in read
    assert "luck of the seed," not in read and "an ensemble" not in read
    assert "The mean leaves out Hernia, without" in read
    found = json.loads((tmp_path / "out/comparison.json").read_text())
    with (tmp_path / "out/comparison.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == (4 + 2) * 4
    line = next(each for each in lines if (each["run"], each["finding"]) == ("focal-1", "mean"))
    value = found["runs"][3]["mean"]["difference"]["value"]
    assert float(line["difference.value"]) == value
    group = next(
        each for each in lines if (each["run"], each["finding"]) == ("base-0 base-1", "Mass")
    )
    assert group["difference.value"] == ""
    assert float(group["spread.sd"]) == found["groups"][0]["spread"]["findings"]["Mass"]["sd"]


def shown(paths: list[str], **replaced: Any) -> str:
    runs = [
        dataclasses.replace(each, predictions=dataclasses.replace(each.predictions, **replaced))
        for each in finished.read(paths)
    ]
    return compare.text(spread.compare(runs, resamples=60, seed=0))


def test_a_margin_is_answered_for_each_run(
    run: Callable[..., str], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [run("a", 1.5), run("b", 1.6, seed=0), run("c", 0.2, seed=1, loss__name="focal")]
    given = ["--mode=compare", f"--runs={','.join(paths)}", f"--output={tmp_path}/out", FAST]
    assert task.main(["cxr14-train", *given, "--margin=0.1"]) == 0
    shown = capsys.readouterr().out
    assert "\nb is no worse by the margin of 0.1 that was given beforehand (p " in shown
    assert "\nc is worse by more than the margin of 0.1 that was given beforehand (95%" in shown
    found = json.loads((tmp_path / "out/comparison.json").read_text())
    assert found["margin"] == 0.1 and "within" not in found["runs"][0]["mean"]
    assert [each["mean"]["within"]["no_worse"]["shown"] for each in found["runs"][1:]] == [
        *(True, False)
    ]
    assert task.main(["cxr14-train", *given]) == 0
    assert "by the margin" not in capsys.readouterr().out
    assert '"margin"' not in (tmp_path / "out/comparison.json").read_text()


def test_settings_are_listed_below_a_table_that_fits_a_terminal(run: Callable[..., str]) -> None:
    more = {"train__epochs": 7, "optimizer__learning_rate": 0.01, "model__dropout": 0.5}
    paths = [run("nih/a/seed-0"), run("nih/b/seed-0", 2.0, loss__name="focal")]
    paths.append(run("nih/a-long-name-of-a-recipe/seed-0", 2.0, 3, **more))
    findings = ("Pleural_Thickening", "Consolidation", "Hernia")
    table, settings, _ = shown(paths, findings=findings).split("\n\n")
    assert max(map(len, table.splitlines())) <= 120
    # Folders that all have in common say nothing.
    assert [line.split()[0] for line in table.splitlines()[2:]] == [
        *("a/seed-0", "b/seed-0", "a-long-name-of-a-recipe/seed-0")
    ]
    _, first, second, third = settings.splitlines()
    assert first.startswith("  a/seed-0: loss.name=bce; model.dropout=")
    assert second == "  b/seed-0: loss.name=focal; seed=0"
    assert "loss.name" not in third and third.endswith("train.epochs=7; seed=3")


def test_resamples_that_are_left_out_are_counted(run: Callable[..., str]) -> None:
    paths = [run("a"), run("b", seed=1)]
    labels = finished.read(paths)[0].predictions.labels * 0
    # Of the patients that are tested: Mass of the first two, Edema of the first and the third.
    for finding, image in ((0, 240), (0, 243), (1, 240), (1, 246)):
        labels[image, finding] = 1
    labels = np.nan_to_num(labels)
    said = shown(paths, labels=labels)
    found = re.search(r"(\d+) are left for the mean, (\d+) for Edema; .* need 30\.", said)
    # The first is drawn by 3 of 4 resamples, the third by 63 of 100.
    assert found and found[1] == found[2] and 48 <= int(found[1]) < 60
    labels[240, 1] = 0
    said = shown(paths, labels=labels)
    assert "0 are left for the mean, 0 for Edema; " in said and "  not defined  " in said


def test_what_may_be_the_luck_of_the_seed_is_warned_of(run: Callable[..., str]) -> None:
    alike = [run("a-0"), run("a-1", seed=1), run("a-2", seed=2)]
    other = [run(f"b-{seed}", seed=seed, loss__name="focal") for seed in (0, 1)]
    warned = [
        "may be the luck of the seed, which p does not cover" in shown(paths)
        for paths in (alike, [*alike[:2], *other], [*alike, *other], [alike[0], other[0]])
    ]
    assert warned == [False, False, True, True]


def test_the_folder_of_a_series_is_said_to_be_an_ensemble(run: Callable[..., str]) -> None:
    series, file = run("series"), f"/{notes.PREDICTIONS}"
    context = {"series": {"by": "seed", "runs": {"seed-0": 0.7, "seed-1": 0.8}}}
    notes.write_note(series, notes.REPORT, {"context": context})
    for name in (notes.TRAINING, notes.CONFIG, notes.PREDICTIONS_NOTE):
        pathlib.Path(series, name).unlink()
    said = "{} has scores averaged over 2 runs: an ensemble, not the mean of the runs' AUCs"
    assert said.format("series") in shown([run("a"), series])
    assert said.format("predictions.csv") in shown([run("a"), series + file])
    notes.write_note(series, notes.REPORT, {"context": {"series": {"by": "seed", "runs": 3}}})
    assert "ensemble" not in shown([run("a"), series])


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["--mode=compare"], 64, "name two or more"),
        (["--mode=compare", "--runs=/a"], 64, "name two or more"),
        (["--mode=all", "--data=/d", "--output=/o", "--runs=/a,/b"], 64, "go together"),
        (["--mode=compare", "--runs=/a,/a/"], 64, "--runs names /a twice"),
        (["--mode=compare", "--runs=/a,/b/../a"], 64, "--runs names /b/../a twice"),
        (["--mode=compare", "--runs=/a,"], 64, "a comma with no path beside it"),
        (["--mode=compare", "--runs=/a,/b", "--data=/d"], 64, "which reads no data set"),
        (["--mode=compare", "--runs=gs:/a,/b"], 64, "with two slashes"),
        (["--mode=compare", "--runs=/nowhere/a,/nowhere/b"], 65, "/nowhere/a holds no run"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    argv: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert task.main(["cxr14-train", *argv]) == code
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_a_comparison_needs_no_tensorflow(run: Callable[..., str]) -> None:
    code = (
        "import sys; from trainer import task; "
        "assert task.main(['cxr14-train', *sys.argv[1:]]) == 0; "
        "sys.exit('tensorflow' in sys.modules)"
    )
    given = ["--mode=compare", f"--runs={run('a')},{run('b', seed=1)}", FAST]
    assert subprocess.run([sys.executable, "-c", code, *given], check=False).returncode == 0


def test_the_runs_of_a_comparison_are_shown_in_the_help() -> None:
    text = flags.parse(["cxr14-train", "--help"], {}).help
    assert "--runs" in text and "config.evaluation.bootstrap_resamples resamples" in text
    assert f"patients, {Config().evaluation.bootstrap_resamples:,} unless set" in text
