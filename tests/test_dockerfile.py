# SPDX-License-Identifier: MIT
"""The Dockerfile is clean by hadolint and holds to what the job manifests rely on."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FLAVORS = ("default", "gpu", "tpu", "tensorflow-io", "preprocess", "serve")
TRAINERS = FLAVORS[:-2]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, arguments), continuation lines joined, comments dropped."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", text)
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def arguments_of(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


def last_of(name: str, flavor: str) -> str:
    """Returns the arguments of an instruction that count in the image of a flavour."""
    stages, last = {}, []
    for instruction, arguments in instructions():
        if instruction == "FROM":
            base, _, stage = arguments.partition(" AS ")
            last = list(stages.get(base.replace("${FLAVOR}", flavor), [("FROM", base)]))
            stages[stage] = last
        else:
            last.append((instruction, arguments))
    assert last[0] == ("FROM", "${BASE}"), f"no stage is made for {flavor}"
    return [arguments for instruction, arguments in last if instruction == name][-1]


def hadolint(path: pathlib.Path) -> subprocess.CompletedProcess[str]:
    program = pathlib.Path(sysconfig.get_path("scripts")) / "hadolint"
    return subprocess.run(
        [str(program), "--no-color", "--failure-threshold=style", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_hadolint_finds_nothing() -> None:
    done = hadolint(ROOT / "Dockerfile")
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_would_find_something(tmp_path: pathlib.Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp\nENTRYPOINT cxr14-train\n")
    done = hadolint(bad)
    assert done.returncode == 1 and "DL3006" in done.stdout and "DL3025" in done.stdout


@pytest.mark.parametrize("flavor", TRAINERS)
def test_process_one_is_the_trainer_and_gets_sigterm(flavor: str) -> None:
    assert json.loads(last_of("ENTRYPOINT", flavor)) == ["cxr14-train"]
    assert "cxr14-train=trainer." in re.sub(r"\s", "", (ROOT / "setup.py").read_text())
    assert arguments_of("STOPSIGNAL") == ["SIGTERM"]
    assert arguments_of("HEALTHCHECK") == []  # a batch job serves nobody


def test_serving_answers_all_who_reach_the_container() -> None:
    program, *flags = json.loads(last_of("ENTRYPOINT", "serve"))
    assert program == "cxr14-predict" and "--serve" in flags and "--host=0.0.0.0" in flags
    assert f"--port={last_of('EXPOSE', 'serve')}" in flags
    lock = (ROOT / "configs/requirements/serve.txt").read_text()
    assert not re.search("^apache-beam==", lock, re.MULTILINE)


@pytest.mark.parametrize("flavor", [*TRAINERS, "serve"])
def test_it_runs_as_a_numbered_user_that_is_not_root(flavor: str) -> None:
    assert last_of("USER", flavor) == "10001:10001"


def test_preprocessing_is_a_container_of_beams() -> None:
    assert json.loads(last_of("ENTRYPOINT", "preprocess")) == ["/opt/apache/beam/boot"]
    assert last_of("COPY", "preprocess").startswith("--from=beam /opt/apache/beam ")
    # Otherwise its start program leaves the environment in which all packages are.
    assert last_of("ENV", "preprocess") == "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1"
    # Dataflow's own folders, which the start program fills, belong to root.
    assert last_of("USER", "preprocess") == "0:0"


def test_beams_start_program_is_of_the_version_that_is_installed() -> None:
    [base], [sdk] = (
        [line for line in arguments_of("ARG") if line.startswith(name)] for name in ("BASE", "BEAM")
    )
    python = re.search(r"python:(3\.\d+)", base)[1]
    lock = (ROOT / "configs/requirements/preprocess.txt").read_text()
    beam = re.search(r"^apache-beam==(\S+)", lock, re.MULTILINE)[1]
    assert sdk.endswith(f"/beam_python{python}_sdk:{beam}")
    # It asks pip whether Beam is installed.
    assert re.search("^pip==", lock, re.MULTILINE)


def test_dependencies_are_installed_by_hash_and_nothing_else_is_fetched() -> None:
    installs = [line for line in arguments_of("RUN") if " install " in line]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0] and "--requirement requirements.txt" in installs[0]
    assert all("--no-deps" in install for install in installs)
    assert "--no-build-isolation" in installs[1]
    assert not [line for line in arguments_of("RUN") if re.search(r"curl|wget|apt-get|http", line)]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_each_flavor_has_a_lock_file_with_hashes(flavor: str) -> None:
    [copied] = [line.split()[0] for line in arguments_of("COPY") if "${FLAVOR}" in line]
    lock = (ROOT / copied.replace("${FLAVOR}", flavor)).read_text()
    pinned = re.findall(r"^[A-Za-z0-9][^\s=]*==\S+", lock, re.MULTILINE)
    assert pinned and lock.count("--hash=sha256:") >= len(pinned)
    assert re.search(r"^setuptools==", lock, re.MULTILINE), "setuptools builds the package itself"


def test_what_is_copied_exists_and_passes_dockerignore() -> None:
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    sources = [
        source.replace("${FLAVOR}", "default")
        for line in arguments_of("COPY")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    ]
    assert "setup.py" in sources and "trainer" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        places = (source, *map(str, pathlib.PurePath(source).parents))
        passes = any(f"!{place}" in allowed for place in places)
        assert passes, f".dockerignore keeps {source} out of the build"


def test_no_scratch_space_is_needed_outside_tmp() -> None:
    environment = last_of("ENV", "default")
    assert "HOME=/tmp" in environment.split()
    assert "PYTHONDONTWRITEBYTECODE=1" in environment.split()


def test_tensorflow_is_told_where_the_driver_of_tpus_is() -> None:
    """Its wheel looks nowhere else, and the package libtpu has it in this place."""
    found = dict(part.split("=", 1) for part in last_of("ENV", "tpu").split())
    assert found["NEXT_PLUGGABLE_DEVICE_USE_C_API"] == "true"
    [python] = re.findall(
        r"^python:(\d+\.\d+)-",
        dict(argument.split("=", 1) for argument in arguments_of("ARG") if "=" in argument)["BASE"],
    )
    folder = f"/opt/venv/lib/python{python}/site-packages"
    assert found["TF_PLUGGABLE_DEVICE_LIBRARY_PATH"] == f"{folder}/libtpu/libtpu.so"
    lock = (ROOT / "configs/requirements/tpu.txt").read_text()
    assert re.search("^libtpu==", lock, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["lib64", "lib"])
def test_tensorflow_finds_a_driver_where_googles_nodes_mount_it(
    tmp_path: pathlib.Path, folder: str
) -> None:
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("there is no C compiler for the stub of a driver")
    environment = last_of("ENV", "gpu")
    [value] = re.findall(r"(?<!\S)LD_LIBRARY_PATH=(\S+)", environment)
    assert value.split(":") == ["/usr/local/nvidia/lib64", "/usr/local/nvidia/lib"]
    (tmp_path / folder).mkdir()
    library = tmp_path / folder / "libcuda.so.1"
    command = [
        compiler,
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(ROOT / "tests/image/libcuda.c"),
    ]
    subprocess.run(command, check=True)
    path = value.replace("/usr/local/nvidia", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", "import tensorflow as tf; tf.config.list_physical_devices('GPU')"],
        env={**os.environ, "LD_LIBRARY_PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the driver is loaded" in done.stdout
