# SPDX-License-Identifier: MIT
"""Lock files for one purpose hold what it needs and leave out what is large."""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]
LOCKS = ROOT / "configs" / "requirements"


def pins(name: str) -> dict[str, set[str]]:
    """Returns the distributions of a lock file -> their versions, each with its marker."""
    found: dict[str, set[str]] = {}
    for line in (LOCKS / f"{name}.txt").read_text().splitlines():
        if pin := re.match(r"([a-z0-9-]+)==(.*?)\s*\\?$", line):
            found.setdefault(pin[1], set()).add(pin[2])
    assert found
    return found


def test_where_there_is_a_tensorflow_without_cuda_it_is_the_only_one() -> None:
    [without], [full] = pins("default")["tensorflow-cpu"], pins("default")["tensorflow"]
    [with_cuda] = pins("gpu")["tensorflow"]
    version, _, marker = without.partition(" ; ")
    assert marker == "platform_machine == 'x86_64' and sys_platform == 'linux'"
    assert full == f"{version} ; platform_machine != 'x86_64' or sys_platform != 'linux'"
    assert with_cuda == version


def test_tensorflow_for_tpus_can_be_imported_beside_its_library() -> None:
    [pin] = pins("tpu")["libtpu"]
    release = tuple(map(int, pin.partition(" ;")[0].split(".")))
    assert (0, 0, 14) <= release <= (0, 0, 39)  # 0.0.52 lacks functions that it calls


@pytest.mark.parametrize("lock", ["launch", "preprocess"])
def test_part_of_the_packages_comes_in_the_versions_that_are_tested(lock: str) -> None:
    tested = pins("dev")
    untested = {
        name: versions - {version.partition(" ;")[0] for version in tested.get(name, ())}
        for name, pinned in pins(lock).items()
        if (versions := {version.partition(" ;")[0] for version in pinned})
    }
    # The environment of the tests gets these from elsewhere, or from nowhere.
    assert {name for name, left in untested.items() if left} <= {"pip"}
    assert not {"tensorflow", "tensorflow-cpu", "keras"} & set(pins(lock))


def test_the_launcher_brings_nothing_large() -> None:
    assert not {"apache-beam", "numpy", "pandas", "pyarrow", "grpcio"} & set(pins("launch"))


def linked(lock: str, folder: pathlib.Path) -> None:
    """Lays a folder out as an installation of a lock file, of what the tests have installed."""
    for name in pins(lock):
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another Python
        for file in files:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                link = folder / file
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(file.locate())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess]:
    """Runs a module with the packages of the launcher's lock and no others."""
    folder = tmp_path_factory.mktemp("launch")
    linked("launch", folder)
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}

    def python(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-S", "-m", *command],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    return python


@pytest.mark.parametrize("platform", ["vertex", "kubernetes"])
def test_the_launcher_runs_from_its_lock_alone(run, platform: str) -> None:
    job = f"--job=preset:{platform}_gpu1"
    done = run("trainer.launch.task", platform, job, "--dry_run")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)


@pytest.mark.parametrize(
    ("lock", "command"),
    [
        ("default", ["trainer.task", "--data=data", "--output=run"]),
        ("preprocess", ["preprocessing.task", "phantom", "--images=1", "--output=phantom"]),
    ],
)
def test_the_other_programs_name_their_locks(run, lock: str, command: list[str]) -> None:
    done = run(*command)
    assert done.returncode == 64, done.stderr
    [line] = done.stderr.splitlines()
    assert f"configs/requirements/{lock}.txt" in line
    assert (LOCKS / f"{lock}.txt").exists()
