# SPDX-License-Identifier: MIT
"""Every line of a job has one form, goes to the stream of its level, and names its worker."""

import ast
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import types
from collections.abc import Iterator

import pytest
from absl import logging

from preprocessing.contract.errors import ConfigError, StoppedError
from preprocessing.contract.process import log

ROOT = pathlib.Path(__file__).parents[4]
PACKAGES = [ROOT / "preprocessing", ROOT / "trainer"]
JSON = ["program", "--log_format=json"]
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    log.configure([])


class OurModule:
    """Logs as a module of the packages does: the place of the call is what counts."""

    def __init__(self) -> None:
        path = ROOT / "trainer" / "training" / "loop.py"
        code = "def speak(level, text, **given): logging.log(level, text, **given)"
        space = {"logging": logging}
        exec(compile(code, str(path), "exec"), space)
        self.speak = space["speak"]


speak = OurModule().speak


def test_information_goes_to_one_stream_and_what_is_wrong_to_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    speak(logging.INFO, "an epoch is over: 50 %")
    speak(logging.WARNING, "a bucket is slow")
    speak(logging.ERROR, "a file is lost")
    said = capsys.readouterr()
    assert re.fullmatch(f"{TIME} INFO an epoch is over: 50 %\n", said.out)
    warned, failed = said.err.splitlines()
    assert re.fullmatch(f"{TIME} WARNING a bucket is slow", warned)
    assert re.fullmatch(f"{TIME} ERROR a file is lost", failed)


def test_an_object_says_what_a_log_service_looks_for(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(JSON, worker=0, workers=2)
    log.at_step(7)
    before = datetime.datetime.now(datetime.timezone.utc)
    speak(logging.WARNING, 'two\nlines, "quoted", \udce9')
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    said = datetime.datetime.fromisoformat(found.pop("time").replace("Z", "+00:00"))
    assert abs((said - before).total_seconds()) < 60
    assert found == {
        "severity": "WARNING",
        "message": 'two\nlines, "quoted", \udce9',
        "logger": "trainer.training.loop",
        "worker": "0/2",
        "step": 7,
    }
    log.at_step(None)
    speak(logging.INFO, "done")
    assert "step" not in json.loads(capsys.readouterr().out)


def test_only_the_chief_gives_information(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure([], worker=1, workers=2)
    speak(logging.INFO, "an epoch is over")
    log.show("a table")
    speak(logging.INFO, "all are here", extra=log.EVERYONE)
    speak(logging.WARNING, "a disk is slow")
    said = capsys.readouterr()
    assert re.fullmatch(f"{TIME} INFO worker 1/2: all are here\n", said.out)
    assert re.fullmatch(f"{TIME} WARNING worker 1/2: a disk is slow\n", said.err)


def test_a_result_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure([], worker=0, workers=2)
    log.show("| finding | AUC |\n| Mass | 0.8 |")
    assert capsys.readouterr().out == "| finding | AUC |\n| Mass | 0.8 |\n"
    log.configure(JSON)
    log.show("| finding |\n| Mass |")
    found = json.loads(capsys.readouterr().out)
    assert (found["severity"], found["message"]) == ("INFO", "| finding |\n| Mass |")
    assert "worker" not in found


@pytest.mark.parametrize(
    ("error", "severity"),
    [(ConfigError("no\n file"), "ERROR"), (StoppedError("no file"), "WARNING")],
)
def test_an_error_of_the_user_is_one_sentence(
    capsys: pytest.CaptureFixture[str], error: ConfigError, severity: str
) -> None:
    log.say("cxr14-train", str(error), error.exit_code)
    assert capsys.readouterr().err == "cxr14-train: no file\n"
    log.configure(JSON)
    log.say("cxr14-train", str(error), error.exit_code)
    found = json.loads(capsys.readouterr().err)
    assert found["exit_code"] == error.exit_code and found["severity"] == severity
    assert found["message"] == "cxr14-train: no file"


def test_a_sentence_keeps_the_white_space_of_the_paths_in_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.say("x", "'/tmp/a  b\u00a0c\t.csv' is\r\n  cut\u2028off\n\nhere\n")
    assert capsys.readouterr().err == "x: '/tmp/a  b\u00a0c\t.csv' is cut off here\n"


@pytest.mark.parametrize("inside", [{}, {"tqdm": object}])
def test_a_line_is_written_while_another_thread_imports_the_bars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, inside: dict[str, object]
) -> None:
    half = types.ModuleType("tqdm")
    vars(half).update(inside)
    monkeypatch.setitem(sys.modules, "tqdm", half)
    log.say("cxr14-train", "stopped")
    assert capsys.readouterr().err == "cxr14-train: stopped\n"


def test_what_libraries_tell_by_the_same_logger_is_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.info("reading a file")  # from here, which is in neither package
    logging.warning("a file is old")
    said = capsys.readouterr()
    assert said.out == "" and said.err.endswith(" WARNING a file is old\n")


@pytest.mark.parametrize(
    ("argv", "form"),
    [
        ([], "text"),
        (["--log_format=json"], "json"),
        (["-log_format", "json"], "json"),
        (["--log_format=json", "--log_format", "text"], "text"),
        (["--log_format=xml"], "text"),
        (["--log_format"], "text"),
        (["--", "--log_format=json"], "text"),
        (["log_format=json"], "text"),
    ],
)
def test_the_form_is_known_before_the_command_line_is_parsed(argv: list[str], form: str) -> None:
    assert log._form(argv) == form


PROGRAM = """
import os, subprocess, sys, threading, warnings
from preprocessing.contract.process import log
log.begin(sys.argv)
log.configure(sys.argv, worker=0, workers=2)
from absl import logging
print("printed")
print("printed", file=sys.stderr)
os.write(2, b"2026-11-29 19:15:04.318294: W tensorflow/core/a.cc:1] from C++\\n")
os.write(2, b"I0000 00:00:1795966263.234 6826 port.cc:153] a note\\n")
os.write(2, b"terminate called\\nWARNING: all messages\\n")
subprocess.run(["sh", "-c", "echo a child"])
warnings.warn("a feature is old")
logging.warning("of a library")
def fails(): raise RuntimeError("a fault in a thread")
thread = threading.Thread(target=fails)
thread.start(); thread.join()
if "dies" in sys.argv: os.abort()
raise ValueError("a fault")
"""


@pytest.mark.parametrize("dies", [False, True])
def test_every_line_of_a_process_is_one_object(dies: bool) -> None:
    command = [sys.executable, "-c", PROGRAM, "--log_format=json", *["dies"] * dies]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == (-6 if dies else 1), done.stderr
    out = [json.loads(line) for line in done.stdout.splitlines()]
    err = [json.loads(line) for line in done.stderr.splitlines()]
    assert all(one["worker"] == "0/2" for one in [*out, *err])
    assert {(one["severity"], one["message"]) for one in out} == {
        ("INFO", "printed"),
        ("INFO", "a child"),
    }
    said = {one["message"]: one["severity"] for one in err}
    assert said.pop("printed") == "ERROR" and said.pop("terminate called") == "ERROR"
    assert said.pop("WARNING: all messages") == "WARNING"
    assert said.pop("of a library") == "WARNING"
    assert said.pop("I0000 00:00:1795966263.234 6826 port.cc:153] a note") == "INFO"
    (native,) = (text for text in said if text.endswith("from C++"))
    assert said.pop(native) == "WARNING"
    (old,) = (text for text in said if "a feature is old" in text)
    assert "UserWarning" in old and said.pop(old) == "WARNING"
    faults = [text for text in said if "Traceback" in text]
    assert all(said.pop(text) == "CRITICAL" for text in faults) and not said
    assert sorted(text.splitlines()[-1] for text in faults) == [
        "RuntimeError: a fault in a thread",
        *([] if dies else ["ValueError: a fault"]),
    ]


@pytest.mark.parametrize(
    ("module", "flags"),
    [
        ("trainer.task", ["--mode=train"]),
        ("trainer.task", ["--config.train.epoks=2"]),
        ("trainer.task", ["--wrong=1"]),
        ("preprocessing.task", ["phantom"]),
        ("preprocessing.task", ["verify"]),
    ],
)
def test_the_form_may_be_in_a_file_of_flags(
    tmp_path: pathlib.Path, module: str, flags: list[str]
) -> None:
    (tmp_path / "flags").write_text("--log_format=json\n")
    first = 1 if module == "preprocessing.task" else 0
    given = [*flags[:first], f"--flagfile={tmp_path / 'flags'}", *flags[first:]]
    command = [sys.executable, "-m", module, *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads(done.stderr)
    assert found["exit_code"] == done.returncode in (64, 78)


WRITER = """
import sys
from preprocessing.contract.process import log
log.begin(sys.argv)
log.configure(sys.argv, worker=int(sys.argv[1]), workers=9)
from absl import logging
for at in range(300):
    logging.warning("%s", f"line {at} " + "x" * 500)
"""


@pytest.mark.parametrize("form", log.FORMS)
def test_processes_that_share_a_log_do_not_mix_their_lines(
    tmp_path: pathlib.Path, form: str
) -> None:
    path = tmp_path / "log.txt"
    with path.open("ab") as file:
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(at), f"--log_format={form}"],
                cwd=ROOT,
                stderr=file,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
            for at in range(3)
        ]
        assert [writer.wait() for writer in writers] == [0, 0, 0]
    lines = path.read_text().splitlines()
    whole = rf"(\{{.*\"worker\": \"\d/9\".*\}}|{TIME} WARNING worker \d/9: line \d+ x{{500}})"
    assert len(lines) == 900 and all(re.fullmatch(whole, line) for line in lines)


def test_nobody_prints_past_the_log() -> None:
    found = []
    for path in (path for package in PACKAGES for path in package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
                found.append(path.relative_to(ROOT).as_posix())
    # The launcher's standard output is the job that it would send, or what it found.
    printing = ("commands", "platform", "task", "verbs")
    assert set(found) == {f"trainer/launch/{name}.py" for name in printing}
