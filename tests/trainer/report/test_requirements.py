# SPDX-License-Identifier: MIT
"""A report that falls short of what is required ends a command with a code of its own."""

import pathlib
from typing import Any

import pytest

from preprocessing.contract.errors import JobError, RequirementError, UsageError
from trainer import flags, task
from trainer.experiments import results
from trainer.report import requirements
from trainer.report.requirements import parse

REPORT: dict[str, Any] = {
    "findings": ["Mass", "Pleural_Thickening"],
    "splits": {
        "test": {
            "n": 7,
            "mean_auc": {"value": 0.8049, "low": 0.7999999999, "high": None},
            "findings": {
                "Mass": {"auc": {"value": 0.9, "low": 0.85}},
                "Pleural_Thickening": {"auc": {"value": 0.75, "low": 0.7}},
            },
            "undefined_findings": [],
        }
    },
    "split_identity": {"comparable": True, "official": None, "certainty": "proven"},
    "subgroups": {"available": False, "reason": "no metadata were given"},
    "context": {"training": {"v1.5": {"steps": 7}}},
}
MEAN = "splits.test.mean_auc"


def missed(*texts: str) -> str:
    """Returns the sentence on what falls short; empty where nothing does."""
    try:
        requirements.check(REPORT, [parse(text) for text in texts])
    except RequirementError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("met", "not_met"),
    [
        (f"{MEAN}.value>=0.8049", f"{MEAN}.value>=0.805"),
        (f"{MEAN}.value > 0.8", f"{MEAN}.value>0.8049"),
        (f"{MEAN}.value<=0.8049", f"{MEAN}.value<=0.8"),
        (f"{MEAN}.value<0.805", f"{MEAN}.value<8.049e-1"),
        ("splits.test.n==7", "splits.test.n == 7.5"),
        (f"{MEAN}.value in 0.8049..1", f"{MEAN}.value in -1 .. 0.8"),
        (f"{MEAN}>=0.8", f"{MEAN}>=0.9"),
        ("split_identity.comparable==true", "split_identity.comparable==false"),
        ("split_identity.certainty=='proven'", "split_identity.certainty==probable"),
        ("splits.test.findings.*.auc.low>=0.7", "splits.*.findings.*.auc.low>=0.75"),
        ("splits.test.findings.Pleural Thickening.auc<0.8", "splits.test.findings.mass.auc<0.8"),
        ("findings.1==Pleural_Thickening", "findings.0==Pleural_Thickening"),
        ('context.training."v1.5".steps==7', 'context.training."v1.5".steps<7'),
    ],
)
def test_each_way_to_compare(met: str, not_met: str) -> None:
    assert missed(met) == ""
    assert not_met in missed(not_met)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{MEAN}.high<=0.9", "splits.test.mean_auc.high is not defined (null)"),
        ("split_identity.official==true", "split_identity.official is not defined (null)"),
        ("splits.test.undefined_findings.*==Mass", "splits.test.undefined_findings holds nothing"),
        ("splits.validation.n>=1", "splits holds no validation"),
        ("splits.test.findings.Mas.auc>=0.5", "splits.test.findings holds no Mas (but Mass)"),
        ("subgroups.divisions.*.reference==M", "subgroups is not there (no metadata were given)"),
        ("context.training>=1", "context.training is not one figure"),
        ("split_identity.certainty>=1", "split_identity.certainty is proven"),
        ("split_identity.comparable==1", "split_identity.comparable is true"),
        # No rounding hides on which side it is.
        (f"{MEAN}.low>=0.80", "splits.test.mean_auc.low is 0.7999999999"),
    ],
)
def test_what_cannot_be_compared_falls_short_by_name(text: str, why: str) -> None:
    assert missed(text).endswith(f"falls short of 1 of 1 requirements: {text}, but {why}")


def test_figures_and_texts_are_met_together(capsys: pytest.CaptureFixture[str]) -> None:
    report = {"context": {"a": "7", "b": 7}}
    requirements.check(report, [parse("context.*==7")])
    assert capsys.readouterr().out == "met: context.*==7 (2 figures, 7)\n"


def test_all_that_falls_short_is_named_and_what_is_met_has_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    every = "splits.test.findings.*.auc>0.9"
    said = missed(every, "splits.test.n>=7", "splits.test.findings.*.auc>0.7", f"{MEAN}.low>0.9")
    assert said == (
        f"the report is written and falls short of 2 of 4 requirements: {every}, but "
        "splits.test.findings.Mass.auc is 0.9, splits.test.findings.Pleural_Thickening.auc is 0.75"
        f"; {MEAN}.low>0.9, but {MEAN}.low is 0.7999999999"
    )
    assert capsys.readouterr().out.splitlines() == [
        "met: splits.test.n>=7 (7)",
        "met: splits.test.findings.*.auc>0.7 (2 figures, 0.75 to 0.9)",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("splits.test.meen_auc.low>=0.8", "splits.test never holds 'meen_auc', but mean_auc, "),
        ("split.test.n>=1", "report.json never holds 'split', but splits"),
        ("splits.dev.n>=1", "splits never holds 'dev', but train, validation, test"),
        ("findings.Mass==Mass", "findings never holds 'Mass', but 0"),
        ("splits.test.n.low>=1", "splits.test.n never holds 'low'"),
        ("splits.test.findings.Mass>=1", "splits.test.findings.Mass is not one figure: add a dot"),
        ("splits.test>=1", "splits.test is not one figure"),
        (f"{MEAN}.low>=high", "high cannot be compared with: give a number"),
        (f"{MEAN}.low>=nan", "nan cannot be compared with"),
        (f"{MEAN}.low in 1..0", "1 and 0 cannot be compared with"),
        (f"{MEAN}.low", "cannot be read: write a path of report.json"),
        (f"{MEAN}.low=0.8", "cannot be read"),
        (f"{MEAN}..low>=0.8", "cannot be read"),
        (f"{MEAN}.low>=", "cannot be read"),
        ("request.margin==null", "what is not defined (null) meets nothing"),
        (">=0.8", "cannot be read"),
    ],
)
def test_what_no_report_could_meet_is_refused_before_any_work(text: str, why: str) -> None:
    with pytest.raises(UsageError) as raised:
        flags.parse(["cxr14-train", "--mode=report", "--output=o", f"--require={text}"], {})
    assert str(raised.value).startswith(f"--require={text!r}")
    assert why in str(raised.value)


def test_it_goes_with_what_makes_a_report() -> None:
    for mode in ("train", "evaluate", "export"):
        given = [f"--mode={mode}", "--data=d", "--output=o", "--require=splits.test.n>=1"]
        with pytest.raises(UsageError, match="--require goes with --mode=report or all"):
            flags.parse(["cxr14-train", *given], {})


def test_a_command_ends_with_its_own_code_and_the_report_is_written(
    predictions_file: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    given = ["cxr14-train", "--mode=report", f"--predictions={predictions_file}"]
    given += [f"--output={out}", "--config.evaluation.bootstrap_resamples=5"]
    met, short = "splits.test.n==240", "splits.test.findings.*.auc.value>=0.5"
    assert task.main([*given, f"--require={met}", f"--require={short}"]) == 3
    said = capsys.readouterr()
    assert "met: splits.test.n==240 (240)" in said.out
    assert "splits.test.findings.Hernia.auc.value is not defined (null)" in said.err
    written = (out / "report/report.json").stat().st_mtime_ns
    assert task.main([*given, f"--require={short}"]) == 3
    assert task.main([*given, f"--require={met}"]) == 0
    assert (out / "report/report.json").stat().st_mtime_ns == written
    assert task.main([*given, "--require=splits.test.N>=1"]) == UsageError.exit_code


@pytest.mark.slow
def test_all_stages_are_done_before_what_falls_short_ends_the_command(
    finished_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    line = pathlib.Path(finished_run.output).parent / results.NAME
    line.unlink(missing_ok=True)
    assert task.main([*finished_run.argv, "--require=splits.test.mean_auc>1"]) == 3
    said = capsys.readouterr()
    assert said.out.index("report: ") < said.out.index("SavedModel: ") and line.exists()
    assert "1 of 1 requirements: splits.test.mean_auc>1, but splits.test.mean_auc is 0." in said.err


def test_its_code_is_nobody_elses() -> None:
    others = {each.exit_code for each in JobError.__subclasses__() if each is not RequirementError}
    assert RequirementError.exit_code not in others | {0, 1, 2}
