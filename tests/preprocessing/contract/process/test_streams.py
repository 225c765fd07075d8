# SPDX-License-Identifier: MIT
"""A program outlives the reader of its output, and says so where output is lost."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[4]
COMMANDS = ["trainer.task", "preprocessing.task", "trainer.launch.task"]
PROGRAM = """
import os, sys
from preprocessing.contract.process import streams
streams.settle()
for number in range(20000):
    print("line", number)
    print("line", number, file=sys.stderr)
sys.stdout.flush()
with open(sys.argv[1], "w") as file:
    file.write("to the end")
"""


def start(*arguments: str, **given: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, **given)  # type: ignore[call-overload]


def pipe_without_reader() -> int:
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.mark.parametrize("module", COMMANDS)
def test_help_into_a_closed_pipe_is_no_error(module: str) -> None:
    write = pipe_without_reader()
    with start("-m", module, "--help", stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        assert process.communicate()[1] == b""
    assert process.returncode == 0


@pytest.mark.parametrize("module", COMMANDS)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_help_onto_a_full_disk_is_one_sentence(module: str) -> None:
    with open("/dev/full", "wb") as full:
        process = start("-m", module, "--help", stdout=full, stderr=subprocess.PIPE)
        errors = process.communicate()[1].decode()
    assert process.returncode == 74
    assert "output cannot be written: No space left" in errors and errors.count("\n") == 1


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_program_goes_on_when_nobody_reads(tmp_path: pathlib.Path, unbuffered: str) -> None:
    write = pipe_without_reader()
    environ = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = tmp_path / "done"
    process = start("-c", PROGRAM, str(done), stdout=write, stderr=write, env=environ)
    os.close(write)
    assert process.wait() == 0
    assert done.read_text() == "to the end"


def test_all_lines_arrive_where_somebody_reads(tmp_path: pathlib.Path) -> None:
    process = start(
        "-c", PROGRAM, str(tmp_path / "a"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wanted = "".join(f"line {number}\n" for number in range(20000)).encode()
    assert process.communicate() == (wanted, wanted)


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1 2"])
def test_a_closed_stream_is_not_mistaken_for_a_file(tmp_path: pathlib.Path, closed: str) -> None:
    program = f"""
import os, sys
from preprocessing.contract.process import streams
streams.settle()
with open({str(tmp_path / "file")!r}, "w") as file:
    print("printed", flush=True)
    print("printed", file=sys.stderr)
    os.write(1, b"printed"), os.write(2, b"printed")
    file.write("written")
"""
    shell = "exec " + " ".join(f"{number}>&-" for number in closed.split())
    command = ["sh", "-c", f'{shell}; exec "$0" "$@"', sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_text() == "written"


def test_a_name_that_is_no_text_is_printed_all_the_same() -> None:
    code = "from preprocessing.contract.process import streams; streams.settle()"
    program = f"{code}; print('caf\\udce9.png')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"caf\\udce9.png\n")
