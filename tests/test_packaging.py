# SPDX-License-Identifier: MIT
"""What is installed has all that the checkout has: the files of configs/ travel with the code."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*") if path.is_file())
SHIPPED = [str(path.relative_to(ROOT)) for path in CONFIGS if path.suffix in (".yaml", ".yml")]
PROGRAMS = {"training": "trainer.task", "preprocessing": "preprocessing.task"}


def run(*command: str, **more: str | pathlib.Path) -> str:
    cwd = more.pop("cwd")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**environment, **{key: str(value) for key, value in more.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Built from a copy: setuptools writes beside the sources."""
    made = tmp_path_factory.mktemp("sdist")
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, made)
    for name in ("configs", "preprocessing", "trainer"):
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, made / name, ignore=unwanted)
    run("setup.py", "-q", "sdist", cwd=made)
    [archive] = (made / "dist").iterdir()
    return archive


@pytest.fixture(scope="module")
def installed(sdist: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The wheel of the sdist, unpacked where no checkout is near."""
    made = tmp_path_factory.mktemp("installed")
    quiet = ("-m", "pip", "--disable-pip-version-check", "-q")
    run(*quiet, "wheel", "--no-deps", "--no-build-isolation", str(sdist), cwd=made)
    [wheel] = made.glob("*.whl")
    run(*quiet, "install", "--no-deps", "--target=site", str(wheel), cwd=made)
    return made / "site"


def test_the_sdist_holds_all_of_configs(sdist: pathlib.Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if "/" in name}
    assert SHIPPED and {str(path.relative_to(ROOT)) for path in CONFIGS} <= names


def test_the_wheel_holds_its_yaml_files_and_every_template(installed: pathlib.Path) -> None:
    here = installed / "preprocessing"
    found = [path for path in (here / "configs").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(here)) for path in found) == SHIPPED
    for package in ("preprocessing", "trainer"):
        kept = {path.relative_to(ROOT) for path in (ROOT / package).rglob("*") if path.is_file()}
        assert not [
            path
            for path in kept
            if "__pycache__" not in path.parts and not (installed / path).exists()
        ]


@pytest.mark.parametrize("folder", PROGRAMS)
def test_presets_are_found_without_a_checkout(
    installed: pathlib.Path, tmp_path: pathlib.Path, folder: str
) -> None:
    listed = run("-m", PROGRAMS[folder], "--list_presets", cwd=tmp_path, PYTHONPATH=installed)
    assert str(installed / "preprocessing" / "configs" / folder) in listed
    for path in (ROOT / "configs" / folder).glob("*.yaml"):
        assert path.stem in listed and path.read_text().splitlines()[0].strip("# ") in listed
    text = run(
        "-m", PROGRAMS[folder], "--config=preset:demo", "--help", cwd=tmp_path, PYTHONPATH=installed
    )
    assert "preset:NAME" in text
