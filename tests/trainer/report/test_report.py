# SPDX-License-Identifier: MIT
"""The report holds the right numbers, says what it does not know, and is made once."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from preprocessing.contract.errors import DataError, UsageError
from trainer.predictions.table import Predictions, fingerprint, write
from trainer.report import report as reporting
from trainer.report.inputs import Inputs
from trainer.report.report import build, from_files, plain, table
from trainer.report.source import Source

Make = Callable[..., Predictions]
FINDINGS = ("Mass", "Edema", "Hernia")
FILES = ["aucs.csv", "report.html", "report.json", "report.md", "verify.R", "verify.py"]


def test_report_file_holds_the_names_others_rely_on(
    make: Make, predictions_file: str, tmp_path: Path
) -> None:
    from_files(Inputs(predictions_file), output=str(tmp_path), context={}, resamples=50)
    report = json.loads((tmp_path / "report/report.json").read_text())
    assert report["schema_version"] == 2 and report["findings"] == list(FINDINGS)
    for split in ("validation", "test"):
        entry, rows = report["splits"][split], make().select(split)
        assert {"value", "low", "high"} <= set(entry["mean_auc"])
        assert list(entry["findings"]) == list(FINDINGS)
        for column, finding in enumerate(entry["findings"].values()):
            assert {"value", "low", "high"} <= set(finding["auc"])
            assert finding["n"] == (~np.isnan(rows.labels[:, column])).sum()
            assert finding["positives"] == np.nansum(rows.labels[:, column])
    assert report["predictions"]["sha256"] == fingerprint(predictions_file)
    assert report["predictions"]["rows"] == 480
    assert report["predictions"]["file"] == "predictions.csv"


def test_the_markdown_shows_every_figure_that_lies_beside_it(
    predictions_file: str, tmp_path: Path
) -> None:
    from_files(Inputs(predictions_file), output=str(tmp_path), context={}, resamples=20)
    shown = re.findall(r"!\[[^]]+]\(([^)]+)\)", (tmp_path / "report/report.md").read_text())
    plots = (tmp_path / "report/plots").glob("*.svg")
    assert sorted(shown) == sorted(f"plots/{path.name}" for path in plots) != []


def test_csv_repeats_the_json(predictions_file: str, tmp_path: Path) -> None:
    report = from_files(Inputs(predictions_file), output=str(tmp_path), context={}, resamples=20)
    with open(tmp_path / "report/aucs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["finding"] for row in rows] == [*FINDINGS, "mean"] * 2
    for row in rows:
        split = report["splits"][row["split"]]
        area = split["findings"].get(row["finding"], {"auc": split["mean_auc"]})["auc"]
        assert row["auc"] == ("" if area["value"] is None else str(area["value"]))


def test_a_report_is_made_once_for_the_same_request(
    make: Make, predictions_file: str, tmp_path: Path
) -> None:
    def run(resamples: int = 5, seed: int = 0, context: dict[str, object] | None = None) -> bool:
        marker = tmp_path / "report/report.md"
        if marker.exists():
            marker.write_text("kept")
        from_files(
            Inputs(predictions_file),
            output=str(tmp_path),
            context=context or {},
            resamples=resamples,
            seed=seed,
        )
        return marker.read_text() != "kept"

    assert run()
    assert not run()
    assert run(resamples=6) and not run(resamples=6)
    assert run(resamples=6, seed=1)
    assert run(resamples=6, seed=1, context={"training": {"steps": np.int64(7)}})
    assert not run(resamples=6, seed=1, context={"training": {"steps": 7}})
    write(predictions_file, make(rows=120))
    assert run(resamples=6, seed=1, context={"training": {"steps": 7}})
    for name in FILES[:-1]:
        (tmp_path / "report" / name).unlink()
        assert run(resamples=6, seed=1, context={"training": {"steps": 7}}) or name == "report.md"
        there = [path.name for path in (tmp_path / "report").iterdir() if path.is_file()]
        assert sorted(there) == FILES
    (tmp_path / "report/report.json").write_text("{")
    assert run(resamples=6, seed=1, context={"training": {"steps": 7}})


def test_json_is_written_last(
    predictions_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_files(Inputs(predictions_file), output=str(tmp_path), context={}, resamples=2)

    written = []

    def watch(name: str) -> None:
        genuine = getattr(reporting.storage, name)

        def watched(path: str, content: object, **more: bool) -> None:
            written.append((Path(path).name, (tmp_path / "report/report.json").exists()))
            genuine(path, content, **more)

        monkeypatch.setattr(reporting.storage, name, watched)

    watch("write_text")
    watch("write_bytes")
    from_files(Inputs(predictions_file), output=str(tmp_path), context={}, resamples=3)
    assert written[-1][0] == "report.json" and not any(complete for _, complete in written)


def test_the_same_input_gives_the_same_files(predictions_file: str, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        from_files(
            Inputs(predictions_file),
            output=f"{tmp_path}/{folder}",
            context={"training": {"steps": 3}},
            resamples=9,
        )
    for name in FILES:
        one, two = (tmp_path / folder / "report" / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_terminal_table_ends_with_the_mean(make: Make) -> None:
    report = build(Source(make(), 20, 0, {}))
    lines = table(report).splitlines()
    assert lines[0].split("  ")[0] == "Finding" and "Test AUC [95% interval]" in lines[0]
    mass, mean = report["splits"]["test"]["findings"]["Mass"], report["splits"]["test"]["mean_auc"]
    assert lines[2].startswith("Mass") and f"{mass['positives']}" in lines[2].split()
    assert lines[2].endswith(f"[{mass['auc']['low']:.3f}, {mass['auc']['high']:.3f}]")
    assert lines[4].startswith("Hernia *") and lines[4].endswith("not defined")
    assert lines[-2].startswith("Mean") and f"{mean['value']:.3f} [{mean['low']:.3f}" in lines[-2]
    assert len({len(line) for line in (lines[2], lines[-2])}) == 1
    assert lines[-1] == "* under 100 patients"


@pytest.mark.parametrize("split", ["validation", "train"])
def test_table_without_a_test_split_shows_the_split_that_there_is(make: Make, split: str) -> None:
    report = build(Source(make((split,)), 5, 0, {}))
    lines = table(report).splitlines()
    assert lines[0].endswith(f"{split.capitalize()} AUC [95% interval]")
    assert lines[0].count("AUC") == 1
    assert f"{report['splits'][split]['mean_auc']['value']:.3f}" in lines[-2]


def test_no_resamples_are_a_usage_error(predictions_file: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bootstrap_resamples is 0"):
        from_files(
            Inputs(predictions_file),
            output=str(tmp_path),
            context={},
            resamples=0,
        )


def test_missing_predictions_are_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such predictions file"):
        from_files(Inputs(f"{tmp_path}/none.csv"), output=str(tmp_path), context={})


def test_context_becomes_plain_json() -> None:
    context = {"a": np.float32(0.5), "b": np.arange(2), "c": float("inf"), "d": {1: Path("x")}}
    assert plain(context) == {"a": 0.5, "b": [0, 1], "c": None, "d": {"1": "x"}}
    assert plain({"e": {"z", "a"}, "f": True}) == {"e": ["a", "z"], "f": True}


def test_report_imports_no_tensorflow() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import trainer.report.report"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "jinja2" in imported and not imported & {"tensorflow", "keras", "apache_beam"}
