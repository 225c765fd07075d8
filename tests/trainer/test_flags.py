# SPDX-License-Identifier: MIT
"""Tests of the trainer's command line: defaults, file, overrides, refusals."""

import pathlib

import pytest

from preprocessing.contract.errors import ConfigError, JobError, UsageError
from preprocessing.contract.settings import declaration
from trainer import flags
from trainer.config import Config

BASE = ["cxr14-train", "--data=/data", "--output=/run"]


def test_the_default_is_every_stage_with_default_settings() -> None:
    parsed = flags.parse(BASE, {})
    assert (parsed.mode, parsed.data, parsed.output) == ("all", "/data", "/run")
    assert parsed.config == type(parsed.config)()
    assert parsed.help == ""


def test_overrides_beat_the_file_wherever_they_stand(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("seed: 3\noptimizer: {learning_rate: 1e-3}\ntrain: {epochs: 7}\n")
    argv = [*BASE, "--config.train.epochs=2", f"--config={path}", "--config.data.flip=false"]
    config = flags.parse(argv, {}).config
    assert (config.seed, config.train.epochs, config.data.flip) == (3, 2, False)
    assert config.optimizer.learning_rate == 0.001


def test_settings_of_one_command_line_do_not_leak_into_the_next() -> None:
    flags.parse([*BASE, "--config.train.epochs=2"], {})
    assert flags.parse(BASE, {}).config.train.epochs == 10


def test_vertex_ai_names_the_output_folder_by_its_environment() -> None:
    environ = {"AIP_MODEL_DIR": "gs://bucket/runs/7/model/"}
    assert flags.parse(["cxr14-train", "--data=/data"], environ).output == "gs://bucket/runs/7"
    assert flags.parse(BASE, environ).output == "/run"


def test_help_needs_no_other_flag_and_lists_flags_and_settings() -> None:
    for flag in ("--help", "-h"):
        text = flags.parse(["cxr14-train", flag], {}).help
        for word in ("--mode", "--data", "--output", "--predictions", "--config", "learning_rate"):
            assert word in text
        assert declaration.described(Config()) in text


@pytest.mark.parametrize(
    ("argv", "error", "words"),
    [
        (["--output=/run"], UsageError, "--data is missing"),
        (["--data=/data"], UsageError, "--output is missing"),
        (["--data=/d", "--output=/o", "--predictions=p.csv"], UsageError, "--mode=report"),
        (["--data=/d", "--output=/d/"], UsageError, "--output=/d/ is the data set's folder"),
        (["--data=gs://b/d", "--output=gs://b/d/runs/1"], UsageError, "or inside it"),
        (["--data=/d", "--output=/o", "--mode=fit"], UsageError, "fit"),
        (["--data=/d", "--output=/o", "--epochs=3"], UsageError, "epochs"),
        (["--data=/d", "--output=/o", "surplus"], UsageError, "'surplus'"),
        (["--data=/d", "--output=/o", "--config.train.epoch=3"], ConfigError, "epochs"),
        (["--data=/d", "--output=/o", "--config.training.epochs=3"], ConfigError, "train"),
        (["--data=/d", "--output=/o", "--config.train.epochs=many"], ConfigError, "epochs"),
        (["--data=/d", "--output=/o", "--config.train.epochs=0"], ConfigError, "train.epochs is 0"),
        (["--data=/d", "--output=/o", "--config=/absent.yaml"], ConfigError, "/absent.yaml"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(
    argv: list[str], error: type[JobError], words: str
) -> None:
    with pytest.raises(error) as caught:
        flags.parse(["cxr14-train", *argv], {})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_in_the_file_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("train: {epoch: 7}\n")
    with pytest.raises(ConfigError, match="epoch"):
        flags.parse([*BASE, f"--config={path}"], {})


def test_a_report_needs_no_data() -> None:
    argv = ["cxr14-train", "--mode=report", "--predictions=p.csv", "--output=/run"]
    parsed = flags.parse(argv, {})
    assert (parsed.mode, parsed.predictions, parsed.data) == ("report", "p.csv", "")


def test_several_models_are_compared_each_by_a_flag_of_its_own(tmp_path: pathlib.Path) -> None:
    argv = ["cxr14-train", "--mode=report", "--output=/run", "--compare=a.csv"]
    parsed = flags.parse([*argv, "--compare=b.csv,c.csv", "--compare="], {})
    assert parsed.compare == ("a.csv", "b.csv,c.csv")
    assert flags.parse(argv[:3], {}).compare == ()
    for again in ("a.csv", "./a.csv", f"{tmp_path}/../{tmp_path.name}/a.csv"):
        given = [f"--compare={tmp_path}/a.csv", f"--compare={again}"]
        with pytest.raises(UsageError, match="is given twice: give each model once"):
            flags.parse([*argv, *given], {})
    with pytest.raises(UsageError, match="--compare=c.csv,b.csv is given twice"):
        flags.parse([*argv, "--compare=c.csv,b.csv", "--compare=b.csv,c.csv"], {})


def test_a_margin_is_asked_of_another_model() -> None:
    margin, report = "--margin=0.01", ["cxr14-train", "--mode=report", "--output=/run"]
    assert flags.parse([*report, margin, "--compare=a.csv"], {}).asked.margin == 0.01
    compare = ["cxr14-train", "--mode=compare", "--runs=/a,/b", margin]
    assert flags.parse(compare, {}).asked.margin == 0.01
    for argv in (report, BASE):
        with pytest.raises(UsageError, match="--margin=0.01 goes with --compare=FILE"):
            flags.parse([*argv, margin], {})


def test_a_split_is_scored_alone_by_evaluate_only() -> None:
    assert flags.parse([*BASE, "--mode=evaluate", "--split=train"], {}).split == "train"
    with pytest.raises(UsageError, match="--split goes with --mode=evaluate, not --mode=train"):
        flags.parse([*BASE, "--mode=train", "--split=train"], {})
    with pytest.raises(UsageError, match="split"):
        flags.parse([*BASE, "--mode=evaluate", "--split=tests"], {})


SLIPS = ["gs:/bucket/x", "s3:/bucket/x", "gs:///x", "file:///x", "/x ", "~nobody-here/x", "$X/y"]
# Settings of text that are neither a path nor one of a few words.
NEITHER = {"runtime.tpu", "model.weights_sha256", "train.profile_steps"}


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.parametrize("name", [*flags.PATH_FLAGS, *flags.PATH_SETTINGS, "config"])
def test_a_path_that_cannot_be_meant_is_refused(name: str, slip: str) -> None:
    setting = "config." if name in flags.PATH_SETTINGS else ""
    others = [f"--{flag}=/x" for flag in ("data", "output") if flag != name]
    argv = ["cxr14-train", "--mode=report", *others, f"--{setting}{name}={slip}"]
    with pytest.raises(UsageError, match=f"{name}="):
        flags.parse(argv, {})


def test_a_path_from_a_file_or_vertex_ai_is_checked_too(tmp_path: pathlib.Path) -> None:
    (tmp_path / "run.yaml").write_text("model: {weights: 'gs:/bucket/w.h5'}\n")
    with pytest.raises(UsageError, match="model.weights=gs:/bucket"):
        flags.parse([*BASE, f"--config={tmp_path / 'run.yaml'}"], {})
    with pytest.raises(UsageError, match="--output=gs:/bucket"):
        flags.parse(["cxr14-train", "--data=/d"], {"AIP_MODEL_DIR": "gs:/bucket/model/"})


def test_the_home_folder_is_expanded_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    settings = [f"--config.{name}=~/x" for name in flags.PATH_SETTINGS]
    given = [f"--{name}=~/x" for name in flags.PATH_FLAGS]
    parsed = flags.parse(["cxr14-train", "--mode=report", *given, *settings], {})
    paths = {name: getattr(parsed, name) for name in flags.PATH_FLAGS}
    assert paths.pop("compare") == ("/home/me/x",)
    assert set(paths.values()) == {"/home/me/x"}
    assert (parsed.config.data.cache, parsed.config.model.weights) == ("/home/me/x",) * 2


@pytest.mark.parametrize("name", flags.SEVERAL)
def test_each_of_several_paths_is_checked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    setting = f"--{'config.' if '.' in name else ''}{name}="
    argv = ["cxr14-train", "--mode=report", "--output=/x"]
    parsed = flags.parse([*argv, f"{setting}~/a.csv,gs://b/c.csv,~/d.csv"], {})
    found = parsed.config.train.teacher if "." in name else getattr(parsed, name)
    paths = "/home/me/a.csv,gs://b/c.csv,/home/me/d.csv"
    assert found == ((paths,) if name == "compare" else paths)
    for slip in ("a.csv,gs:/b/c.csv", "a.csv, b.csv", "a.csv,", "a.csv,a.csv"):
        with pytest.raises(UsageError, match=f"{name}="):
            flags.parse([*argv, f"{setting}{slip}"], {})


def test_every_setting_that_is_a_path_is_known() -> None:
    texts = {
        name
        for name, declared, value in declaration.walk(Config())
        if isinstance(value, str) and not declared.choices
    }
    assert texts - NEITHER == set(flags.PATH_SETTINGS)
    assert flags.PATH_SETTINGS["model.weights"] == ("imagenet", "none")


def test_a_second_file_does_not_drop_the_first(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_text("train: {epochs: 7}\n")
    (tmp_path / "b.yaml").write_text("optimizer: {learning_rate: 1e-4}\n")
    files = [f"--config={tmp_path}/{name}.yaml" for name in "ab"]
    config = flags.parse([*BASE, *files], {}).config
    assert (config.train.epochs, config.optimizer.learning_rate) == (7, 1e-4)


def test_a_second_value_is_refused() -> None:
    with pytest.raises(UsageError, match="--data is given as /data and as /other: give it once"):
        flags.parse([*BASE, "--data=/other"], {})


def test_a_preset_makes_the_same_run_as_its_file() -> None:
    path = pathlib.Path(__file__).parents[2] / "configs" / "training" / "nih_gpu1.yaml"
    one, other = (
        flags.parse([*BASE, f"--config={given}"], {}) for given in ("preset:nih_gpu1", path)
    )
    assert one == other and one.config.runtime.accelerator == "gpu"


def test_verifying_an_export_needs_no_data() -> None:
    parsed = flags.parse(["cxr14-train", "--mode=verify_export", "--output=/copied"], {})
    assert (parsed.mode, parsed.data) == ("verify_export", "")
    with pytest.raises(UsageError, match="--output is missing"):
        flags.parse(["cxr14-train", "--mode=verify_export"], {})


def test_a_dry_run_needs_neither_data_nor_output() -> None:
    parsed = flags.parse(["cxr14-train", "--mode=dry_run", "--device_memory_gb=24"], {})
    assert (parsed.data, parsed.output, parsed.device_memory_gb) == ("", "", 24.0)
    with pytest.raises(UsageError, match="--device_memory_gb goes with --mode=dry_run"):
        flags.parse([*BASE, "--device_memory_gb=24"], {})
    with pytest.raises(UsageError, match="device_memory_gb"):
        flags.parse(["cxr14-train", "--mode=dry_run", "--device_memory_gb=-1"], {})
