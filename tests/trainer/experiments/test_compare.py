# SPDX-License-Identifier: MIT
"""`--mode=compare` prints what runs differ by, and writes it on request."""

import csv
import json
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

from trainer import flags, task

FAST = "--config.evaluation.bootstrap_resamples=30"


def test_runs_are_compared_by_one_command_without_data(
    run: Callable[..., str], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [run("base-0", 0.5), run("base-1", 0.5, seed=1)]
    paths += [run(f"focal-{seed}", 1.5, seed=seed, loss__name="focal") for seed in (0, 1)]
    given = ["--mode=compare", f"--runs={','.join(paths)}", f"--output={tmp_path}/out", FAST]
    assert task.main(["cxr14-train", *given]) == 0
    shown = capsys.readouterr().out
    runs, groups, read = shown.split("\n\n")
    assert [line.split()[0] for line in runs.splitlines()[2:]] == [
        *("base-0", "base-1", "focal-0", "focal-1")
    ]
    assert "loss.name=focal, seed=1" in runs and "Mass +0." in runs.splitlines()[-1]
    assert "base-0 and 1 more   loss.name=bce" in groups
    assert "240 test images" in read and "30 resamples of patients" in read
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
    assert "--runs" in flags.parse(["cxr14-train", "--help"], {}).help
