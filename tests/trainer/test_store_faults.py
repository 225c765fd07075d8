# SPDX-License-Identifier: MIT
"""Runs whose store or disk fails: code and sentence of the whole command, and what was noted."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.files import buckets, patience
from trainer import task

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("small_backbone"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
    ),
]

# As much of a file as a disk takes, by a limit of the process.
LIMITED = """
import resource, sys
from tests.cluster import small_backbone
from trainer import task
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
with small_backbone.used():
    sys.exit(task.main(sys.argv))
"""


@pytest.fixture
def refused(
    data_set: Any,
    command_line: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str]]:
    """Trains into a folder, which must fail; returns code and sentence."""
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(patience, "SECONDS", 0.3)
    buckets.of.cache_clear()

    def run(output: str) -> tuple[int, str]:
        code = task.main([*command_line(data_set.folder, output), "--mode=train"])
        return code, capsys.readouterr().err.strip().splitlines()[-1]

    return run


def test_a_missing_role_is_found_before_the_first_step(
    on_gcs: Any, bucket: str, refused: Callable[..., tuple[int, str]]
) -> None:
    on_gcs.spoil(f"^DELETE .*{bucket[5:]}", "status", argument=403, times=1000)
    code, sentence = refused(f"{bucket}/run")
    assert (code, "needs storage.objects.delete" in sentence) == (64, True)
    assert not [name for name in on_gcs.names(f"{bucket}/run") if "ckpt-" in name]


def test_a_store_that_cannot_even_note_the_start_counts_as_a_restart(
    on_gcs: Any, bucket: str, refused: Callable[..., tuple[int, str]]
) -> None:
    on_gcs.spoil(f"POST .*{bucket[5:]}", "status", argument=503, times=1000)
    code, sentence = refused(f"{bucket}/run")
    assert (code, "in spite of several tries" in sentence) == (74, True)


def test_once_the_start_is_noted_a_restart_is_free(
    on_gcs: Any, bucket: str, refused: Callable[..., tuple[int, str]]
) -> None:
    on_gcs.spoil("POST .*ckpt-", "status", argument=429, times=1000)
    code, sentence = refused(f"{bucket}/run")
    assert (code, "ckpt-" in sentence and "HTTP 429" in sentence) == (75, True)
    assert json.loads(on_gcs.read(f"{bucket}/run/starts.json")) == {"steps": [], "starts": 1}


def test_a_disk_that_is_full_counts_as_a_restart(
    data_set: Any, tmp_path: pathlib.Path, command_line: Any, fresh_python: Any
) -> None:
    # A checkpoint with both moments of Adam takes more than the disk does.
    argv = command_line(data_set.folder, f"{tmp_path}/run", model__hidden_units=10_000)
    done = fresh_python("-c", LIMITED, *argv[1:], "--mode=train")
    sentence = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 74, done.stderr
    assert "/run/checkpoints/ckpt-" in sentence
    assert "cannot be written (File too large): make room there" in sentence
    assert "Traceback" not in done.stderr
