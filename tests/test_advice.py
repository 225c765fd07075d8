# SPDX-License-Identifier: MIT
"""Holds every advice that names a setting to what the next start accepts.

A run keeps most of its settings from its first checkpoint on. A message that advises to change one
of these has to say where that is possible, or can only come before the first checkpoint.
"""

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

from preprocessing.contract.settings import settings
from trainer import limits
from trainer.config import Config
from trainer.runfolder import identity

ROOT = pathlib.Path(__file__).parents[1]
KEPT = settings.flat(Config()).keys() - identity.FREE - {"seed"}
WHERE = "in a new --output"

# Texts about a setting that a run keeps: file, how the text begins, and why it need not say where.
BEFORE_THE_FIRST_CHECKPOINT = {
    ("trainer/limits.py", "{name} {size} does not divide over"): "`where` says it; test_limits.py",
    ("trainer/limits.py", "augmentation."): "no run was ever begun with such settings",
    ("trainer/course.py", "data.global_batch_size {global_batch} is larger"): (
        "no step was ever taken with such a batch on these data"
    ),
    ("trainer/foresight.py", "optimizer."): "states what a setting does, and advises nothing",
    ("trainer/foresight.py", "data.image_size="): "states what a setting does, and advises nothing",
    ("trainer/foresight.py", "train."): "states what a setting does, and advises nothing",
    ("trainer/training/shortage.py", "lower data.image_size"): "said before any step was done",
    (
        "trainer/training/shortage.py",
        "raise train.accumulation_steps",
    ): "said before any step was done",
    ("trainer/data/teacher.py", "files of train.teacher"): "names what workers compare",
    ("trainer/data/teacher.py", "train.teacher"): "read by the start that finds no checkpoint",
    ("trainer/flags.py", "Score this split alone"): "says what a file is for",
    ("trainer/network/scorer.py", "evaluation.views="): "states what a setting does",
    ("trainer/network/batch_norm.py", "model.batch_norm=frozen keeps"): (
        "read by the start that finds no checkpoint"
    ),
    ("trainer/checkpoints/earlier.py", "model.weights {path} does not fit this network"): (
        "read by the start that finds no checkpoint"
    ),
    ("trainer/checkpoints/earlier.py", "model.weights {path} was trained with"): "likewise",
    ("trainer/network/weights.py", "model.weights {config.weights}: {what} needs"): "likewise",
}


def texts(path: pathlib.Path) -> Iterator[str]:
    """Yields all texts of a program but docstrings and bare names, placeholders in braces."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield _rendered(node)
        elif isinstance(node, ast.Constant) and " " in str(node.value) and id(node) not in inside:
            yield str(node.value)


def _rendered(node: ast.JoinedStr) -> str:
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif isinstance(part, ast.FormattedValue):
            shown = ast.unparse(part.value)
            mark = "!r" if part.conversion == ord("r") else ""
            parts.append(limits.ELSEWHERE if shown == "limits.ELSEWHERE" else f"{{{shown}{mark}}}")
    return "".join(parts)


def kept_settings(text: str) -> set[str]:
    """Returns the settings that a text names and a run keeps."""
    found = {name for name in KEPT if re.search(rf"\b{re.escape(name)}\b", text)}
    # A placeholder that stands for a setting's name.
    return found | ({"{name}"} if text.startswith("{name} ") and ": use " in text else set())


def is_excused(path: str, text: str) -> bool:
    """Tells whether a text is listed above."""
    return any(path == file and text.startswith(start)
               for file, start in BEFORE_THE_FIRST_CHECKPOINT)  # fmt: skip


SOURCES = sorted((ROOT / "trainer").rglob("*.py"))
ALL = [(str(path.relative_to(ROOT)), text) for path in SOURCES for text in texts(path)]
ADVICE = [(path, text) for path, text in ALL if kept_settings(text)]


def test_the_scan_finds_what_it_is_for() -> None:
    told = " ".join(text for _, text in ADVICE)
    for name in ("optimizer.learning_rate", "train.accumulation_steps", "data.global_batch_size"):
        assert name in told
    assert not {start for _, start in BEFORE_THE_FIRST_CHECKPOINT if not any(
        text.startswith(start) for _, text in ADVICE
    )}  # fmt: skip


@pytest.mark.parametrize(("path", "text"), ADVICE)
def test_an_advice_on_a_setting_that_a_run_keeps_says_where_to_change_it(
    path: str, text: str
) -> None:
    assert WHERE in text or is_excused(path, text), f"{path}: {text}"


def test_no_message_advises_to_choose_another_folder_in_other_words() -> None:
    """One wording, so that this test and a reader know it again."""
    assert not [(path, text) for path, text in ALL if "another --output" in text]


# To delete a file or folder, or something that is called damaged.
DELETE = re.compile(
    r"\b(?:delete|remove) (?:that|the|this) (?:file|folder|checkpoint)"
    r"|\b(?:damaged|whole|corrupt|cannot be read|no longer|lost)\b.*\b(?:delete|remove)\b"
)
# Where that is right, since the reason is known.
DELETES = {
    "preprocessing/staging/pieces.py": "a file shorter than its note says",
    "preprocessing/verify/shard_reading.py": "a checksum that failed",
}


def test_no_message_advises_to_delete_what_could_not_be_read() -> None:
    both = [*SOURCES, *sorted((ROOT / "preprocessing").rglob("*.py"))]
    found = {
        (str(path.relative_to(ROOT)), text)
        for path in both
        for text in texts(path)
        if DELETE.search(text)
    }
    assert {path for path, _ in found} >= DELETES.keys()
    assert not {(path, text) for path, text in found if path not in DELETES}


def test_the_page_on_training_says_where_kept_settings_are_changed() -> None:
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    rule = "in a new `--output`"
    assert rule in text
    table = text[text.index("| if | then |") :].partition("\n\n")[0]
    before = text[: text.index("| if | then |")].rstrip().rpartition("\n\n")[2]
    for row in table.splitlines():
        if kept_settings(row):
            assert rule in before or rule in row, row
