# SPDX-License-Identifier: MIT
"""Tests of the trainer's entry point: what it imports, its exit codes, its one sentence."""

import importlib.metadata
import json
import pathlib
import shutil
import signal
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from preprocessing.contract.errors import DataError
from trainer import modes, pending, task

pytestmark = pytest.mark.usefixtures("small_backbone")

WITHOUT_TENSORFLOW = """
import sys
from preprocessing.contract.errors import DataError
from trainer import modes, task
code = task.main(sys.argv)
heavy = {"tensorflow", "keras", "apache_beam"} & set(sys.modules)
print("imported", sorted(heavy))
sys.exit(code)
"""


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command line that must fail; returns its one sentence."""

    def run(argv: list[str], code: int) -> str:
        assert task.main(argv) == code
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("cxr14-train: ")
        return lines[0]

    return run


@pytest.fixture
def arguments(data_set: Any, tmp_path: pathlib.Path, command_line: Any) -> Callable[..., list[str]]:
    """Returns a command line for a new folder; keywords are settings with "__" for the dot."""

    def make(data: str = data_set.folder, output: str = f"{tmp_path}/out", **more: Any) -> Any:
        return command_line(data, output, **more)

    return make


def snapshot(folder: str) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in pathlib.Path(folder).rglob("*")
        if path.is_file()
    }


def test_help_answers_without_importing_tensorflow(fresh_python: Any) -> None:
    done = fresh_python("-c", WITHOUT_TENSORFLOW, "--help")
    assert done.returncode == 0, done.stderr
    assert "cxr14-train: train, evaluate, report and export" in done.stdout
    assert "learning_rate" in done.stdout
    assert "imported []" in done.stdout
    assert done.stderr == ""


def test_numpy_is_imported_after_its_threads_are_limited(fresh_python: Any) -> None:
    started = "import os, sys; from trainer import task; print('numpy' in sys.modules)"
    done = fresh_python("-c", f"{started}; task.main(sys.argv); print(dict(os.environ))", "--help")
    assert done.stdout.startswith("False") and "'OPENBLAS_NUM_THREADS': '1'" in done.stdout


def test_no_import_of_the_entry_point_brings_tensorflow(fresh_python: Any) -> None:
    done = fresh_python("-X", "importtime", "-m", "trainer.task", "--help")
    assert done.returncode == 0
    imported = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines()]
    assert "trainer.flags" in imported
    assert not [name for name in imported if name.split(".")[0] in ("tensorflow", "keras")]


@pytest.mark.slow
def test_a_second_run_of_every_stage_does_nothing(finished_run: Any, fresh_python: Any) -> None:
    before = snapshot(finished_run.output)
    done = fresh_python("-c", WITHOUT_TENSORFLOW, *finished_run.argv[1:])
    assert done.returncode == 0, done.stderr
    assert "imported []" in done.stdout
    assert "training is complete: 7 steps" in done.stdout
    assert "predictions are complete" in done.stdout
    assert f"SavedModel: {finished_run.output}/saved_model" in done.stdout
    assert snapshot(finished_run.output) == before


@pytest.mark.slow
def test_the_output_folder_has_the_agreed_layout(finished_run: Any) -> None:
    found = {path.name for path in pathlib.Path(finished_run.output).iterdir()}
    assert found >= {
        "checkpoints",
        "tensorboard",
        "predictions",
        "report",
        "saved_model",
        "config.yaml",
    }
    notes = {"training.json", "manifest.sha256", "starts.json", "ledger", "progress.json"}
    assert notes <= found
    assert sorted(found - notes) == sorted(
        ["checkpoints", "tensorboard", "predictions", "report", "saved_model", "config.yaml"]
    )


@pytest.mark.slow
def test_changed_settings_are_refused_and_free_ones_are_not(
    finished_run: Any, refused: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(finished_run.output)
    sentence = refused([*finished_run.argv, "--config.model.dropout=0.5"], 78)
    assert "or train in a new --output" in sentence
    assert "another model.dropout (0.3, now 0.5)" in sentence
    assert task.main([*finished_run.argv, "--config.train.steps_per_call=1"]) == 0
    assert "training is complete" in capsys.readouterr().out
    assert snapshot(finished_run.output) == before


@pytest.mark.slow
def test_lost_predictions_are_made_again(
    finished_run: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the best checkpoint alone: the newest are gone too."""
    output = tmp_path / "copy"
    shutil.copytree(finished_run.output, output)
    path = output / "predictions" / "predictions.csv"
    expected = path.read_bytes()
    path.unlink()
    for file in (output / "checkpoints").glob("ckpt-*"):
        file.unlink()
    argv = [part.replace(finished_run.output, str(output)) for part in finished_run.argv]
    assert task.main([*argv, "--mode=evaluate"]) == 0
    assert path.read_bytes() == expected


@pytest.mark.slow
def test_the_report_states_the_settings_of_the_run_not_of_the_command(
    finished_run: Any, tmp_path: pathlib.Path, data_set: Any
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(finished_run.output, output)
    before = json.loads((output / "report/report.json").read_text())
    argv = ["cxr14-train", "--mode=report", f"--output={output}", f"--data={data_set.folder}"]
    assert task.main([*argv, "--config.evaluation.bootstrap_resamples=20"]) == 0
    after = json.loads((output / "report/report.json").read_text())
    assert after == before
    assert after["context"]["config"] == yaml.safe_load((output / "config.yaml").read_text())


def test_a_report_needs_a_predictions_file_only(tmp_path: pathlib.Path, fresh_python: Any) -> None:
    rows = ["id,patient,split,label:Mass,score:Mass"]
    rows += [f"{at}.png,p{at // 2},test,{at % 2},{0.01 * at + 0.3 * (at % 2)}" for at in range(40)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(rows) + "\n")
    output = tmp_path / "out"
    done = fresh_python(
        "-c",
        WITHOUT_TENSORFLOW,
        "--mode=report",
        f"--predictions={path}",
        f"--output={output}",
        "--config.evaluation.bootstrap_resamples=20",
    )
    assert done.returncode == 0, done.stderr
    assert "imported []" in done.stdout
    report = json.loads((output / "report" / "report.json").read_text())
    assert report["splits"]["test"]["findings"]["Mass"]["n"] == 40
    assert sorted(path.name for path in output.iterdir()) == ["report"]


def test_a_missing_manifest_is_exit_65(
    refused: Callable[..., str], arguments: Any, tmp_path: pathlib.Path
) -> None:
    sentence = refused(arguments(data=f"{tmp_path}/nothing"), 65)
    assert f"{tmp_path}/nothing holds no manifest.json" in sentence
    assert not (tmp_path / "out").exists()


def test_another_schema_version_is_exit_65(
    refused: Callable[..., str], arguments: Any, data_set: Any, tmp_path: pathlib.Path
) -> None:
    values = json.loads((pathlib.Path(data_set.folder) / "manifest.json").read_text())
    values["schema_version"] = 2
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifest.json").write_text(json.dumps(values))
    sentence = refused(arguments(data=f"{tmp_path}/data"), 65)
    assert "has schema version 2, this program reads 1" in sentence


def test_a_truncated_shard_is_exit_65(
    refused: Callable[..., str], arguments: Any, data_set: Any, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data_set.folder, folder)
    shard = folder / "test-00000-of-00002.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-7])
    sentence = refused(arguments(data=str(folder)), 65)
    assert f"shard {shard} has" in sentence


def test_an_unknown_setting_is_exit_78(refused: Callable[..., str], arguments: Any) -> None:
    sentence = refused([*arguments(), "--config.data.batch_size=3"], 78)
    assert "did you mean global_batch_size?" in sentence


def test_an_unknown_flag_is_exit_64(refused: Callable[..., str], arguments: Any) -> None:
    assert "Unknown command line flag 'epochs'" in refused([*arguments(), "--epochs=3"], 64)


@pytest.mark.skipif(
    any(found.metadata["Name"] == "tensorflow-io" for found in importlib.metadata.distributions()),
    reason="tensorflow-io is installed: s3:// is a path like any other here",
)
def test_a_path_on_s3_is_exit_64_in_the_default_environment(
    refused: Callable[..., str], arguments: Any, data_set: Any
) -> None:
    for argv in (
        arguments(data="s3://bucket/data"),
        arguments(output="s3://bucket/run"),
    ):
        sentence = refused(argv, 64)
        assert "s3:// paths need the tensorflow-io environment" in sentence


def test_a_gpu_that_is_not_there_is_exit_78(refused: Callable[..., str], arguments: Any) -> None:
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    sentence = refused(arguments(runtime__accelerator="gpu"), 78)
    assert "TensorFlow sees none" in sentence


@pytest.mark.distributed
@pytest.mark.slow
def test_a_batch_that_does_not_divide_over_the_replicas_is_exit_78(
    fresh_python: Any, arguments: Any
) -> None:
    """In a process of its own: TensorFlow's devices are set once."""
    argv = arguments(runtime__logical_cpus=3, data__global_batch_size=10)
    done = fresh_python("-m", "trainer.task", *argv[1:])
    assert done.returncode == 78, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        "cxr14-train: data.global_batch_size 10 does not divide over 3 replicas: use 9 or 12, in a "
        "new --output if the run has a checkpoint, or other devices"
    )
    assert "Traceback" not in done.stderr


def test_evaluation_before_training_is_exit_78(refused: Callable[..., str], arguments: Any) -> None:
    assert "holds no best checkpoint" in refused([*arguments(), "--mode=evaluate"], 78)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("train", r"ckpt-7 is of a run with another model.hidden_units (8, now 16)"),
        ("evaluate", "ckpt-7 is of another model"),
    ],
)
def test_a_checkpoint_of_another_run_is_exit_78(
    refused: Callable[..., str],
    arguments: Any,
    finished_run: Any,
    tmp_path: pathlib.Path,
    mode: str,
    problem: str,
) -> None:
    shutil.copytree(f"{finished_run.output}/checkpoints", tmp_path / "out" / "checkpoints")
    sentence = refused([*arguments(model__hidden_units=16), f"--mode={mode}"], 78)
    assert problem in sentence
    assert "in a new --output" in sentence


def test_the_entry_point_leaves_signals_as_they_were(finished_run: Any) -> None:
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


class Held:
    """What a stage holds, and what letting go of it would wait for."""

    def __init__(self, events: list[str]) -> None:
        self._events = events

    def __del__(self) -> None:
        self._events.append("let go")


@pytest.mark.parametrize("fails", [True, False])
def test_a_process_may_end_before_anything_is_let_go_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fails: bool
) -> None:
    events: list[str] = []

    def run(parsed: object, stops: object, finish: Callable[[int], None]) -> None:
        held = Held(events)
        if fails:
            raise DataError(f"held by the traceback: {held is not None}")
        finish(0)

    monkeypatch.setattr(modes, "run", run)
    code = 65 if fails else 0
    argv = ["cxr14-train", "--mode=report", "--output=nowhere"]
    assert task.main(argv, finish=lambda code: events.append(f"exit {code}")) == code
    assert events == [f"exit {code}", "let go"]
    assert ("held by" in capsys.readouterr().err) == fails


@pytest.mark.slow
def test_a_process_waits_for_the_others_and_then_ends_at_once(
    finished_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    monkeypatch.setattr(pending.PendingStages, "end", lambda stages: events.append("wait"))
    ended = task.main(finished_run.argv, finish=lambda code: events.append(f"exit {code}"))
    assert ended == 0
    assert events == ["wait", "exit 0"]


def test_a_fault_of_the_program_is_exit_1_with_its_traceback_and_no_litter(
    fresh_python: Any, tmp_path: pathlib.Path
) -> None:
    program = """
import os
from trainer import modes, task
def broken(*arguments):
    print("folders", len(os.listdir(os.environ["TMPDIR"])))
    raise RuntimeError("a fault")
modes.run = broken
task.console()
"""
    arguments = ("--mode=report", "--output=nowhere")
    done = fresh_python("-c", program, *arguments, environ={"TMPDIR": str(tmp_path)})
    assert done.returncode == 1
    assert "RuntimeError: a fault" in done.stderr
    assert "folders 1" in done.stdout
    assert not list(tmp_path.iterdir())
