# SPDX-License-Identifier: MIT
"""The specs for SkyPilot and dstack start the trainer as it wants to be started and ended.

`make external-specs` also gives them to the parsers of both, which do not resolve beside this
project: it installs each in an environment of its own, some 420 MB.
"""

import os
import pathlib
import pty
import re
import select
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from trainer import flags
from trainer.launch.description import placeholders
from trainer.launch.kubernetes.render import HOPELESS

ROOT = pathlib.Path(__file__).parents[1]
SKYPILOT = ROOT / "configs" / "skypilot" / "gpu1.yaml"
DSTACK = ROOT / "configs" / "dstack" / "gpu1.dstack.yml"
EACH = pytest.mark.parametrize("path", [SKYPILOT, DSTACK], ids=["skypilot", "dstack"])


def spec(path: pathlib.Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values


def script(path: pathlib.Path) -> str:
    values = spec(path)
    if path == SKYPILOT:
        return str(values["run"])
    [command] = values["commands"]
    return str(command)


def arguments(path: pathlib.Path) -> list[str]:
    """The trainer's arguments in a script, by the shell's own rules."""
    start = '"$IMAGE"' if path == SKYPILOT else "\ncxr14-train"
    command = script(path).partition(start)[2].partition("&")[0]
    return shlex.split(command.replace("\\\n", " "))


def test_every_spec_is_known_here() -> None:
    folders = (ROOT / "configs" / name for name in ("skypilot", "dstack"))
    assert {path for folder in folders for path in folder.iterdir()} == {SKYPILOT, DSTACK}


@EACH
def test_the_trainer_takes_the_arguments(path: pathlib.Path) -> None:
    parsed = flags.parse(["cxr14-train", *arguments(path)], environ={})
    assert parsed.mode == "all" and parsed.config.runtime.accelerator == "gpu"
    assert parsed.data.startswith("gs://BUCKET/") and parsed.output.startswith("gs://BUCKET/")
    assert placeholders.find(spec(path)) or placeholders.find(script(path))
    # The words that a person replaces are those that the comment names.
    named = set(re.findall(r"BUCKET|DIGEST|PROJECT|REGION", "".join(comments(path))))
    assert named == set(placeholders.find([*spec(path).values(), spec(path)]))


def comments(path: pathlib.Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith("#")]


@EACH
def test_keys_are_those_that_were_given_to_the_parsers(path: pathlib.Path) -> None:
    """Whoever adds one gives the file to its own parser, with `make external-specs`."""
    values = spec(path)
    if path == SKYPILOT:
        resources = values["resources"]
        assert set(values) == {"name", "resources", "envs", "secrets", "setup", "run"}
        assert set(resources) == {"accelerators", "use_spot", "disk_size", "any_of", "job_recovery"}
        assert set(resources["job_recovery"]) == {"strategy", "recover_on_exit_codes"}
        assert all(set(one) == {"infra"} for one in resources["any_of"])
        return
    started = {"type", "name", "image", "registry_auth", "env", "commands"}
    assert set(values) == started | {"resources", "spot_policy", "retry", "max_duration"}
    assert set(values["resources"]) == {"gpu", "cpu", "memory", "disk", "shm_size"}
    assert set(values["registry_auth"]) == {"username", "password"}
    assert set(values["retry"]) == {"on_events", "duration"}


def test_what_cannot_succeed_is_not_tried_again() -> None:
    recovery = spec(SKYPILOT)["resources"]["job_recovery"]
    assert recovery["recover_on_exit_codes"] == [75] and "max_restarts_on_errors" not in recovery
    [ends] = re.findall(r"^ *([0-9|]+)\)$", script(DSTACK), flags=re.MULTILINE)
    assert sorted(map(int, ends.split("|"))) == HOPELESS
    events = spec(DSTACK)["retry"]["on_events"]
    assert set(events) == {"no-capacity", "interruption", "error"}


@EACH
def test_no_key_is_in_a_spec(path: pathlib.Path) -> None:
    values = spec(path)
    if path == SKYPILOT:
        assert values["secrets"] == {"GOOGLE_KEY": None}
        assert "GOOGLE_KEY" not in values["envs"]
    else:
        assert "GOOGLE_KEY=${{ secrets.google_key }}" in values["env"]


@pytest.fixture
def on_path(tmp_path: pathlib.Path) -> Callable[[str, str], dict[str, str]]:
    """Puts a program of a name in front of all others; returns the environment that finds it."""

    def make(name: str, text: str) -> dict[str, str]:
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        path = f"{program.parent}:{os.environ['PATH']}"
        key = {"GOOGLE_KEY": "e30=", "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "k.json")}
        return {**os.environ, "PATH": path, "HOME": str(tmp_path), **key}

    return make


@pytest.mark.parametrize("code", [0, 64, 74, 75, 78])
def test_skypilot_sees_the_exit_code_of_the_container(
    on_path: Callable[..., dict[str, str]], tmp_path: pathlib.Path, code: int
) -> None:
    docker = f'[ "$1" = run ] || exit 1\nprintf "%s\\n" "$@"\nexit {code}'
    environ = {**on_path("docker", docker), "IMAGE": "r.example.com/cxr14:1"}
    done = subprocess.run(
        ["bash", "-c", script(SKYPILOT)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    given = done.stdout.splitlines()
    assert given[given.index("r.example.com/cxr14:1") + 1 :] == arguments(SKYPILOT)
    key = tmp_path / "cxr14-google.json"
    assert key.read_text() == "{}" and stat.S_IMODE(key.stat().st_mode) == 0o600


def as_dstack_runs(environ: dict[str, str], interrupt_at: str = "") -> tuple[int, str]:
    """Runs the command in an interactive shell at a terminal; returns exit code and output."""
    process, terminal = pty.fork()
    if not process:
        os.execve("/bin/sh", ["sh", "-i", "-c", script(DSTACK)], environ)
    said = ""
    try:
        while select.select([terminal], [], [], 20)[0]:
            said += os.read(terminal, 4096).decode()
            if interrupt_at and interrupt_at in said:
                os.kill(process, signal.SIGINT)  # as its runner does: the shell, not its group
                interrupt_at = ""
    except OSError:  # the end of what a terminal says
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), said


@pytest.mark.parametrize(("code", "seen"), [(0, 0), (64, 0), (65, 0), (78, 0), (74, 74), (75, 75)])
def test_dstack_tries_again_what_may_help(
    on_path: Callable[..., dict[str, str]], tmp_path: pathlib.Path, code: int, seen: int
) -> None:
    ended, said = as_dstack_runs(on_path("cxr14-train", f'printf "%s\\n" "$@"\nexit {code}'))
    assert ended == seen
    assert all(argument in said for argument in arguments(DSTACK))
    assert (f"the trainer ended with {code}" in said and "NOT done" in said) == (code != seen)
    key = tmp_path / "k.json"
    assert key.read_text() == "{}" and stat.S_IMODE(key.stat().st_mode) == 0o600


def test_dstack_lets_the_trainer_save(on_path: Callable[..., dict[str, str]]) -> None:
    saves = 'trap "echo saving; sleep 1; echo saved; exit 75" TERM\necho began\n'
    saves += "for at in $(seq 100); do sleep 0.1; done"
    begun = time.monotonic()
    ended, said = as_dstack_runs(on_path("cxr14-train", saves), interrupt_at="began")
    assert (ended, "saved" in said) == (75, True), said
    assert time.monotonic() - begun < 10  # when its runner would kill


LONG = pytest.mark.skipif(
    not os.environ.get("CXR14_LONG"),
    reason="installs SkyPilot and dstack: `make external-specs` runs it, in a minute",
)
_UV = str(pathlib.Path(sys.executable).with_name("uv"))
# On a client SkyPilot leaves unknown keys of some sections to its server, which knows all of them.
_SKY = """
import os, sys, yaml
os.environ["IS_SKYPILOT_SERVER"] = "true"
import sky
from sky.server import plugins
plugins._plugins_loaded = True
keys = [("GOOGLE_KEY", "key")]
task = sky.Task.from_yaml_config(yaml.safe_load(open(sys.argv[1])), secrets_overrides=keys)
print({resources.job_recovery["recover_on_exit_codes"][0] for resources in task.resources})
"""
_DSTACK = """
import sys, yaml
from dstack._internal.core.models.configurations import parse_apply_configuration
print(parse_apply_configuration(yaml.safe_load(open(sys.argv[1]))).retry.on_events)
"""


@pytest.fixture(scope="module")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[int, str]]:
    """Gives a spec to its own parser; returns the exit code and the last lines that it said."""
    base = tmp_path_factory.mktemp("external")
    wanted = {SKYPILOT: ("skypilot==0.14.1", _SKY), DSTACK: ("dstack==0.22.5", _DSTACK)}

    def run(path: pathlib.Path, text: str | None = None) -> tuple[int, str]:
        package, program = wanted[path]
        home = base / package.partition("=")[0]
        python = home / "bin" / "python"
        if not python.exists():
            subprocess.run([_UV, "venv", "--quiet", "--python=3.11", str(home)], check=True)
            install = [_UV, "pip", "install", "--quiet", f"--python={python}", package]
            subprocess.run(install, check=True)
        file = base / path.name
        file.write_text(path.read_text() if text is None else text)
        done = subprocess.run(
            [str(python), "-c", program, str(file)],
            env={**os.environ, "HOME": str(base)},
            cwd=base,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, f"{done.stdout}{done.stderr[-1500:]}"

    return run


@LONG
def test_their_own_parsers_take_the_specs(parse: Callable[..., tuple[int, str]]) -> None:
    assert parse(SKYPILOT) == (0, "{75}\n")
    code, said = parse(DSTACK)
    assert code == 0 and "interruption" in said


@LONG
@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        (SKYPILOT, "resources:", "resuorces:"),
        (SKYPILOT, "use_spot:", "use_sopt:"),
        (SKYPILOT, "recover_on_exit_codes:", "recover_on_exit_code:"),
        (SKYPILOT, "secrets:", "secerts:"),
        (DSTACK, "commands:", "comands:"),
        (DSTACK, "on_events:", "on_event:"),
        (DSTACK, "shm_size:", "shmsize:"),
        (DSTACK, "interruption,", "interuption,"),
    ],
)
def test_their_own_parsers_refuse_a_misspelt_key(
    parse: Callable[..., tuple[int, str]], path: pathlib.Path, right: str, wrong: str
) -> None:
    lines = path.read_text().splitlines(keepends=True)
    text = "".join(line if line.startswith("#") else line.replace(right, wrong) for line in lines)
    code, said = parse(path, text)
    assert code != 0 and wrong.strip(":,") in said, said
