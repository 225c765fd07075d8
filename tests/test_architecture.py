# SPDX-License-Identifier: MIT
"""The rules of the design, read from the syntax tree of every file."""

import ast
import dataclasses
import functools
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("preprocessing", "trainer")
MAX_FILE_LINES, MAX_FUNCTION_LINES = 260, 45
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
HEAVY = ("tensorflow", "keras")

# Rule 2: what a laptop runs without TensorFlow.
LIGHT = (
    "trainer.config",
    "trainer.recipe",
    "trainer.flags",
    "trainer.runfolder",
    "trainer.predictions",
    "trainer.evaluation",
    "trainer.report",
    "trainer.launch",
    "trainer.serving.facts",
    "trainer.inference.films",
    "trainer.inference.flags",
    "trainer.inference.given",
    "trainer.inference.on_film",
    "trainer.inference.pacs",
)

# Modules whose behaviour another file tests, each with that file
# in the folder of the tests of its job.
TESTED_ELSEWHERE = {
    # The parts of one picture are tested by what is seen on it.
    **{
        f"preprocessing.phantom.{part}": "phantom/test_render.py"
        for part in ("anatomy", "body", "drawing", "findings", "lesion")
    },
    "preprocessing.phantom.labels": "phantom/test_files.py",
    "preprocessing.phantom.notes": "phantom/test_files.py",
    # Only ever reached through the module whose tests are named.
    "preprocessing.contract.files.google_errors": "contract/files/test_google_storage.py",
    "preprocessing.contract.files.google_login": "contract/files/test_google_storage.py",
    "preprocessing.staging.staging": "staging/test_unpacking.py",
    "preprocessing.contract.lock.heart": "contract/lock/test_bucket.py",
    "preprocessing.commands": "test_task.py",
    "trainer.modes": "test_task.py",
    "preprocessing.sources.row": "shards/test_shards.py",
    "trainer.recipe": "test_config.py",
    "trainer.report.sections.comparison_words": "report/sections/test_comparison.py",
    "trainer.report.series": "experiments/test_series.py",
    "trainer.run": "test_stages.py",
    "trainer.checkpoints.progress": "checkpoints/test_checkpoints.py",
    **{
        f"trainer.launch.description.{part}": "launch/description/test_job_file.py"
        for part in (
            *("arguments", "job", "kubernetes", "patterns", "preprocess", "serve", "tuning"),
            *("estimate", "vertex"),
        )
    },
    **{
        f"trainer.launch.description.{part}_checks": "launch/description/test_checks.py"
        for part in ("kubernetes", "preprocess", "vertex")
    },
    "trainer.launch.commands": "launch/test_task.py",
    "trainer.launch.platform": "launch/test_task.py",
    "trainer.launch.verbs": "launch/test_task.py",
    "trainer.launch.kubernetes.service": "launch/test_task.py",
    "trainer.inference.pacs.capture": "inference/pacs/test_results.py",
    "trainer.inference.pacs.report": "inference/pacs/test_results.py",
    "trainer.predictions.formats": "predictions/test_table.py",
    "preprocessing.contract.pseudonyms": "test_index.py",
    **{
        f"trainer.inference.{part}": "inference/test_task.py"
        for part in ("extras", "prediction", "shown")
    },
    "trainer.serving.names": "serving/test_signatures.py",
    "trainer.inference.service.connections": "inference/service/test_start.py",
    "trainer.inference.service.settings": "inference/service/test_guard.py",
    "trainer.inference.service.shown": "inference/service/test_app.py",
    "trainer.serving.familiarity_fit": "serving/test_familiarity.py",
    "trainer.serving.served": "serving/test_signatures.py",
}


@dataclasses.dataclass(frozen=True)
class Import:
    """One import of a module, and whether it runs when its importer is imported."""

    target: str
    at_import: bool
    line: int


@dataclasses.dataclass(frozen=True)
class Source:
    """One Python file."""

    module: str
    path: pathlib.Path
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @functools.cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports(self.tree.body, self, at_import=True))

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))


def _imports(body: list[ast.stmt], source: Source, *, at_import: bool) -> Iterator[Import]:
    """Yields all imports but those for type checkers alone."""
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, source, at_import=at_import)
            continue
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, at_import, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = _absolute(node, source)
            named = [f"{start}.{alias.name}" for alias in node.names]
            # `from package import module` means the module; the package is only on the way.
            targets = named if all(name in SOURCES for name in named) else [start, *named]
            yield from (Import(target, at_import, node.lineno) for target in targets)
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            blocks = getattr(node, field, [])
            yield from _imports(blocks, source, at_import=at_import and not inside)


def _absolute(node: ast.ImportFrom, source: Source) -> str:
    if not node.level:
        return node.module or ""
    parts = source.module.split(".")
    here = parts if source.path.name == "__init__.py" else parts[:-1]
    start = here[: len(here) - node.level + 1]
    return ".".join([*start, *([node.module] if node.module else [])])


def _read(folder: str) -> list[Source]:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Source(module, path, path.read_text(encoding="utf-8")))
    return found


SOURCES = {source.module: source for package in PACKAGES for source in _read(package)}


def _known(target: str) -> str | None:
    """Returns the module of this project that an import names, None for anybody else's."""
    return target if target in SOURCES else None


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts) + 1)]


@functools.cache
def _reached(module: str) -> frozenset[str]:
    """Returns every target that importing a module imports, through this project's modules."""
    seen: set[str] = set()
    waiting = _with_parents(module)
    while waiting:
        source = SOURCES.get(waiting.pop())
        for found in source.imports if source else ():
            if found.at_import and found.target not in seen:
                seen.add(found.target)
                waiting += [m for m in _with_parents(found.target) if m in SOURCES]
    return frozenset(seen)


def _offending_imports(allowed: Callable[[Source, str], bool]) -> list[str]:
    return [
        f"{source}:{found.line} imports {found.target}"
        for source in SOURCES.values()
        for found in source.imports
        if not allowed(source, found.target)
    ]


def test_the_walk_sees_the_tree() -> None:
    """A rule over an empty list would hold for ever."""
    assert {
        "preprocessing.contract.schema",
        "trainer.config",
        "trainer.recipe",
        "trainer.launch.description.job",
    } <= set(SOURCES)
    schema = SOURCES["preprocessing.contract.schema"]
    assert Import("tensorflow", False, schema.imports[-1].line) in schema.imports
    assert "tensorflow" in _reached("preprocessing.contract.pictures.image_graph")


def test_preprocessing_imports_nothing_of_the_trainer() -> None:
    assert not _offending_imports(
        lambda source, target: (
            not (_is_in(source.module, "preprocessing") and _is_in(target, "trainer"))
        )
    )


def test_the_trainer_imports_of_preprocessing_only_the_contract() -> None:
    def allowed(source: Source, target: str) -> bool:
        if not _is_in(source.module, "trainer") or not _is_in(target, "preprocessing"):
            return True
        return target == "preprocessing" or _is_in(target, "preprocessing.contract")

    bare = [  # `import preprocessing` or `from preprocessing import x` with another x
        f"{source}:{node.lineno}"
        for source in SOURCES.values()
        if _is_in(source.module, "trainer")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import) and any(a.name == "preprocessing" for a in node.names)
    ]
    assert not _offending_imports(allowed) + bare


def test_the_contract_knows_neither_beam_nor_the_job_around_it() -> None:
    def allowed(source: Source, target: str) -> bool:
        if not _is_in(source.module, "preprocessing.contract"):
            return True
        own = target == "preprocessing" or _is_in(target, "preprocessing.contract")
        return not _is_in(target, "apache_beam") and (own or not _is_in(target, "preprocessing"))

    assert not _offending_imports(allowed)


def test_the_laptop_side_reaches_no_tensorflow() -> None:
    light = [module for module in SOURCES if any(_is_in(module, package) for package in LIGHT)]
    assert len(light) > len(LIGHT)
    offenders = {
        module: sorted(target for target in _reached(module) if target.split(".")[0] in HEAVY)
        for module in light
    }
    assert not {module: targets for module, targets in offenders.items() if targets}


def test_importing_the_laptop_side_loads_no_tensorflow() -> None:
    """The same in a real process, which also sees what other packages import."""
    modules = [
        "trainer.config",
        "trainer.recipe",
        "trainer.flags",
        "trainer.report.report",
        "trainer.launch.commands",
    ]
    code = (
        f"import sys, {', '.join(modules)}; "
        f"sys.exit(' '.join(name for name in {HEAVY} if name in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_imports_a_task() -> None:
    assert not _offending_imports(
        lambda _, target: not (_known(target) and target.split(".")[-1] == "task")
    )


def test_nothing_is_imported_by_string() -> None:
    # importlib.resources and importlib.metadata read files; everything else of importlib imports.
    reads = {"importlib", "importlib.resources", "importlib.metadata"}
    assert not _offending_imports(
        lambda _, target: target in reads or target.split(".")[0] not in ("importlib", "runpy")
    )
    calls = [
        f"{source}:{node.lineno} {ast.unparse(node)}"
        for source in SOURCES.values()
        for node in ast.walk(source.tree)
        if (isinstance(node, ast.Name) and node.id in ("__import__", "exec", "eval"))
        or (isinstance(node, ast.Attribute) and node.attr == "import_module")
        or (isinstance(node, ast.Import) and any(a.name == "importlib" for a in node.names))
    ]
    assert not calls


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [m for m in SOURCES if set(m.split(".")) & VAGUE_NAMES]


def test_there_is_no_import_circle() -> None:
    """Imports inside functions count: a circle hidden there is still a circle."""
    graph = {
        module: sorted({found.target for found in source.imports if found.target in SOURCES})
        for module, source in SOURCES.items()
    }
    state: dict[str, int] = {}
    circles: list[str] = []

    def visit(module: str, trail: list[str]) -> None:
        state[module] = 1
        for target in graph[module]:
            if state.get(target) == 1:
                circles.append(" -> ".join([*trail[trail.index(target) :], target]))
            elif target not in state:
                visit(target, [*trail, target])
        state[module] = 2

    for module in graph:
        if module not in state:
            visit(module, [module])
    assert not circles


def test_every_file_begins_with_its_licence_and_says_what_it_is_for() -> None:
    sources = [s for folder in (*PACKAGES, "tests", "benchmarks") for s in _read(folder)]
    assert not [
        str(source)
        for source in sources
        if not source.text.startswith("# SPDX-License-Identifier: MIT\n")
        or not ast.get_docstring(source.tree)
    ]


def test_files_are_short() -> None:
    lengths = {str(s): len(s.text.splitlines()) for s in SOURCES.values()}
    assert not {name: count for name, count in lengths.items() if count > MAX_FILE_LINES}


def test_functions_are_short() -> None:
    assert not {
        f"{source}:{node.name}": length
        for source in SOURCES.values()
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    }


def _mirror(source: Source) -> pathlib.Path:
    path = source.path.relative_to(ROOT)
    return ROOT / "tests" / path.parent / f"test_{path.name}"


def test_every_module_has_its_tests_in_the_mirrored_place() -> None:
    assert not [
        f"{source} needs {_mirror(source).relative_to(ROOT)}"
        for source in SOURCES.values()
        if source.path.name != "__init__.py"
        and source.module not in TESTED_ELSEWHERE
        and not _mirror(source).exists()
    ]


def test_a_module_tested_elsewhere_exists_and_has_no_tests_of_its_own() -> None:
    assert set(TESTED_ELSEWHERE) <= set(SOURCES)
    for module, path in TESTED_ELSEWHERE.items():
        assert (ROOT / "tests" / module.split(".")[0] / path).is_file(), module
    assert not [module for module in TESTED_ELSEWHERE if _mirror(SOURCES[module]).exists()]
