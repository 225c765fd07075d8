# SPDX-License-Identifier: MIT
"""Every mistake of a user ends in one sentence on standard error and its exit code."""

import dataclasses
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

from preprocessing import commands, task
from preprocessing.contract import manifest
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.invocation.flags import Inputs
from preprocessing.contract.process import log


def _fails(capsys: pytest.CaptureFixture[str], argv: list[str]) -> tuple[int, str]:
    """Runs a command line that fails; returns its code and its only sentence."""
    code = task.main(argv)
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("cxr14-preprocess: ")
    return code, line


def test_a_run_exits_0_and_sums_up_what_it_wrote(tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert task.main(tree.argv("--source=nih")) == 0
    printed = capsys.readouterr().out
    assert "40 records of 32 x 32 pixels" in printed
    assert "images_missing: 0" in printed
    assert "the split is not ChestX-ray14's official one" in printed
    assert manifest.read(str(tree.output)).counters["records_written"] == 40
    assert task.main(tree.argv()) == 0
    assert capsys.readouterr().out == f"{tree.output} is complete already\n"


def test_settings_come_from_a_file_and_the_command_line(tree) -> None:
    config = tree.folder / "config.yaml"
    config.write_text("stored_size: 64\nmax_rejected_fraction: 0.25\n")
    assert task.main(tree.argv(f"--config={config}")) == 0
    parameters = manifest.read(str(tree.output)).parameters
    assert (parameters["stored_size"], parameters["max_rejected_fraction"]) == (32, 0.25)


def test_the_source_may_be_named_by_the_command_run(tree) -> None:
    program, *flags = tree.argv()
    assert task.main([program, "run", *flags]) == 0


def test_everything_is_written_before_a_defect_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def fail(argv: list[str]) -> int:
        raise ValueError("a fault")

    monkeypatch.setattr(commands, "do", fail)
    monkeypatch.setattr(log, "end", lambda: ended.append("all"))
    with pytest.raises(ValueError, match="a fault"):
        task.main(["cxr14-preprocess"])
    assert ended == ["all"]


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_the_flags_and_every_setting(
    capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert task.main(["cxr14-preprocess", flag]) == 0
    printed = capsys.readouterr().out
    for text in ("--train_val_list", "--allow_missing", "phantom", *vars(Config())):
        assert text in printed


@pytest.mark.slow
def test_help_answers_as_a_command_without_beam(pytestconfig: pytest.Config) -> None:
    code = (
        "import sys; from preprocessing.task import main; code = main(['x', '--help']); "
        "sys.exit(code or 'apache_beam' in sys.modules or 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=pytestconfig.rootpath, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_python_that_drops_the_texts_beam_needs_is_refused(pytestconfig: pytest.Config) -> None:
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "preprocessing.task", "verify", "x"],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 64
    (line,) = done.stderr.splitlines()
    assert line.startswith("cxr14-preprocess: PYTHONOPTIMIZE=2 ")
    assert line.endswith("unset it, or set it to 1")


PATHS = [field.name for field in dataclasses.fields(Inputs) if field.type in (str, "str")]
COMMANDS = {
    **{f"--{name}": [f"--{name}=PATH"] for name in PATHS if name != "source"},
    "--config": ["--config=PATH"],
    "--temp_location": ["--temp_location=PATH"],
    "verify": ["verify", "PATH"],
    "describe": ["describe", "PATH"],
    "describe --output": ["describe", "/data", "--output=PATH"],
    "phantom": ["phantom", "--images=1", "--output=PATH"],
}


@pytest.mark.parametrize("path", ["gs:/b/x", "gs:///x", "file:///x", "/x ", "~nobody-here/x"])
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_path_that_cannot_be_meant_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], path: str
) -> None:
    if arguments[0].startswith("--"):
        needed = [f"--{name}=/x" for name in ("images", "labels", "output")]
        arguments = [a for a in needed if not arguments[0].startswith(a[:-2])] + arguments
    code, line = _fails(capsys, ["x", *(argument.replace("PATH", path) for argument in arguments)])
    assert code == 64 and f"={path!r}" in line.replace(f"={path}", f"={path!r}")


@pytest.mark.parametrize("command", [["describe", "/data"], ["phantom", "--images=1"], []])
def test_a_second_value_of_a_flag_is_refused(
    capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    code, line = _fails(capsys, ["x", *command, "--output=/a", "--output=/b"])
    assert (code, "given as /a and as /b" in line) == (64, True)


@pytest.mark.parametrize("name", ["images", "labels", "output"])
def test_a_flag_that_is_missing_is_named(
    tree, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    argv = [argument for argument in tree.argv() if not argument.startswith(f"--{name}=")]
    assert _fails(capsys, argv) == (
        64,
        f"cxr14-preprocess: --{name} is missing; --help shows the whole command",
    )


@pytest.mark.parametrize(
    ("without", "part"),
    [
        (("train_val_list", "test_list"), "the split is missing: give the official lists"),
        (("test_list",), "given: train_val"),
    ],
)
def test_a_split_that_is_missing_is_asked_for(
    tree, capsys: pytest.CaptureFixture[str], without: tuple[str, ...], part: str
) -> None:
    lists = tuple(f"--{name}=" for name in without)
    code, line = _fails(capsys, [text for text in tree.argv() if not text.startswith(lists)])
    assert code == 64
    assert part in line


@pytest.mark.parametrize(
    ("argument", "code", "part"),
    [
        ("--source=mimic", 64, "mimic"),
        ("--allow_mising", 64, "--allow_mising"),
        ("--allow_missing=perhaps", 64, "perhaps"),
        ("stray", 64, "stray"),
        ("--runner=NoRunner", 64, "NoRunner"),
        ("--direct_num_workers=many", 64, "many"),
        ("--config=/no/such/file.yaml", 78, "/no/such/file.yaml does not exist"),
        ("--config.storedsize=3", 78, "did you mean stored_size?"),
        ("--config.stored_size=big", 78, "big"),
        ("--config.stored_size=3", 78, "stored_size is 3: use 16 to 4096 pixels"),
        ("--config.validation_fraction=0.9", 78, "validation_fraction is 0.9"),
        ("--images=/no/such/folder", 65, "/no/such/folder holds no pictures or archives"),
        ("--labels=/no/such/file.csv", 65, "label file /no/such/file.csv does not exist"),
        ("--labels=/", 65, "label file / cannot be read"),
        ("--test_list=/no/such/file.txt", 65, "list /no/such/file.txt does not exist"),
        ("--boxes=/no/such/file.csv", 65, "/no/such/file.csv does not exist"),
        ("--labels=s3://bucket/labels.csv", 64, "s3:// paths need the tensorflow-io"),
    ],
)
def test_a_wrong_argument_has_its_code_and_one_sentence(
    tree, capsys: pytest.CaptureFixture[str], argument: str, code: int, part: str
) -> None:
    got, line = _fails(capsys, tree.argv(argument))
    assert part in line
    assert got == code
    assert not tree.output.exists()


def _lose_an_image(tree) -> str:
    tree.find(tree.names[0]).unlink()
    return f"1 of 40 images of {tree.labels} are not below"


def _strange_label(tree) -> str:
    tree.labels.write_text(tree.labels.read_text().replace("Hernia", "Fracture", 1))
    return "label 'Fracture' is not among the 14 findings"


def _no_column(tree) -> str:
    tree.labels.write_text(tree.labels.read_text().replace("Patient ID", "Person"))
    return "has no column 'Patient ID'"


def _duplicate_row(tree) -> str:
    text = tree.labels.read_text()
    tree.labels.write_text(text + text.splitlines()[-1])
    return "gives 1 names more than once"


def _in_both_lists(tree) -> str:
    with (tree.folder / "test_list.txt").open("a") as file:
        file.write(f"\n{tree.names[0]}")
    return "1 names are in two lists"


def _in_neither_list(tree) -> str:
    path = tree.folder / "test_list.txt"
    path.write_text("\n".join(path.read_text().split()[1:]))
    return "1 images of the label file are in no list"


def _empty_split(tree) -> str:
    header, *lines = tree.labels.read_text().splitlines()
    tree.labels.write_text("\n".join([header, *lines[:28]]))
    return "split test is empty"


def _empty_labels(tree) -> str:
    tree.labels.write_text("")
    return "is empty: use the complete label file"


def _twice_on_disk(tree) -> str:
    (tree.images / "again").mkdir()
    (tree.images / "again" / tree.names[0]).write_bytes(b"")
    return "lies in two places"


@pytest.mark.parametrize(
    "spoil",
    [
        _lose_an_image,
        _strange_label,
        _no_column,
        _duplicate_row,
        _in_both_lists,
        _in_neither_list,
        _empty_split,
        _empty_labels,
        _twice_on_disk,
    ],
)
def test_bad_data_exits_65_with_one_sentence_before_anything_is_written(
    tree, capsys: pytest.CaptureFixture[str], spoil: Callable[..., str]
) -> None:
    part = spoil(tree)
    code, line = _fails(capsys, tree.argv())
    assert part in line
    assert code == 65
    assert not tree.output.exists()


def test_too_many_bad_images_exit_65_and_end_with_one_sentence(
    tree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.find(tree.names[0]).write_bytes(b"text")
    assert task.main(tree.argv()) == 65
    printed = capsys.readouterr()
    (sentence,) = printed.err.splitlines()
    assert sentence.startswith("cxr14-preprocess: 1 of 40 images cannot be used")
    assert all(" INFO preprocessing: " in line for line in printed.out.splitlines())


def test_another_setting_at_a_finished_output_exits_78(
    tree, capsys: pytest.CaptureFixture[str]
) -> None:
    assert task.main(tree.argv()) == 0
    capsys.readouterr()
    code, line = _fails(capsys, tree.argv("--config.stored_size=48"))
    assert code == 78
    assert "parameters.stored_size: 32, now 48" in line


def test_the_phantom_feeds_the_job(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "phantom"
    phantom = ["cxr14-preprocess", "phantom", f"--output={made}", "--images=12", "--seed=2"]
    assert task.main(phantom) == 0
    labels = made / "Data_Entry_2017_v2020.csv"
    assert labels.is_file(), capsys.readouterr()
    argv = ["cxr14-preprocess", f"--images={made}", f"--labels={labels}"]
    lists = [f"--{name}={made / name}.txt" for name in ("train_val_list", "test_list")]
    boxes = f"--boxes={made / 'BBox_List_2017.csv'}"
    settings = ["--config.stored_size=32", "--config.validation_fraction=0.5"]
    assert task.main([*argv, *lists, boxes, f"--output={tmp_path / 'out'}", *settings]) == 0
    assert manifest.read(str(tmp_path / "out")).counters["records_written"] == 12


@pytest.mark.parametrize(
    ("argument", "part"),
    [
        ("--images=3", "3 images"),
        ("--images=0", "--images=0"),
        ("--images=many", "many"),
        ("--seed=-1", "-1"),
        ("--prevalence=odd", "realistic|raised"),
        ("--outpt=x", "outpt"),
        ("stray", "'stray' is not a flag"),
        ("--output=", "--output and --images are needed"),
    ],
)
def test_a_wrong_phantom_exits_64_with_one_sentence(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], argument: str, part: str
) -> None:
    given = {"--output": str(tmp_path / "out"), "--images": "4"}
    given.pop(argument.partition("=")[0], None)
    flags = [f"{name}={value}" for name, value in given.items()]
    code, line = _fails(capsys, ["cxr14-preprocess", "phantom", *flags, argument])
    assert part in line
    assert code == 64
    assert not (tmp_path / "out").exists()
