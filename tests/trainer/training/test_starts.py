# SPDX-License-Identifier: MIT
"""Tests of the count of fruitless starts: it ends a loop, and progress begins it again."""

import pathlib

import pytest

from preprocessing.contract.errors import ConfigError, StoppedError, UnavailableError, UsageError
from trainer import task
from trainer.training import starts


def test_starts_without_progress_are_counted_and_end(tmp_path: pathlib.Path) -> None:
    output = str(tmp_path)
    assert [starts.count(output, steps=[40], most=3) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(ConfigError, match="3 starts in a row from step 40 .* look at what ended"):
        starts.count(output, steps=[40], most=3)
    assert starts.count(output, steps=[40], most=3) == 1


def test_progress_begins_the_count_anew(tmp_path: pathlib.Path) -> None:
    output = str(tmp_path)
    there = ([], [], [10], [10], [20, 10])
    assert [starts.count(output, steps=steps, most=2) for steps in there] == [
        1,
        2,
        1,
        2,
        1,
    ]


def test_without_a_limit_it_never_ends(tmp_path: pathlib.Path) -> None:
    assert [starts.count(str(tmp_path), steps=[], most=0) for _ in range(30)][-1] == 30


def test_progress_before_a_damaged_checkpoint_counts(tmp_path: pathlib.Path) -> None:
    output = str(tmp_path)
    kept = ([40], [40, 30], [40, 30])
    assert [starts.count(output, steps=steps, most=2) for steps in kept] == [1, 1, 2]


def test_what_passes_is_free_once_the_start_is_noted() -> None:
    with pytest.raises(StoppedError, match="again"), starts.noted():
        raise UnavailableError("run the same command again")
    with pytest.raises(UsageError), starts.noted():
        raise UsageError("no")


@pytest.mark.parametrize("data", [b"{", b"[]", b"null", b"\xff", b'{"steps": [5], "starts": "x"}'])
def test_a_note_that_cannot_be_read_counts_as_none(tmp_path: pathlib.Path, data: bytes) -> None:
    (tmp_path / starts.NOTE).write_bytes(data)
    assert starts.count(str(tmp_path), steps=[5], most=1) == 1


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"CXR14_RESTARTS": "3"},
        {"CXR14_RESTARTS": "106", "CXR14_MOST_RESTARTS": "106"},
        {"CXR14_RESTARTS": "", "CXR14_MOST_RESTARTS": "106"},
    ],
)
def test_a_job_goes_on_up_to_its_bound(environ: dict[str, str]) -> None:
    starts.check_platform(environ)


def test_a_job_beyond_its_bound_is_ended_for_good() -> None:
    with pytest.raises(ConfigError, match="restarted 107 times, and at most 106 are allowed"):
        starts.check_platform({"CXR14_RESTARTS": "107", "CXR14_MOST_RESTARTS": "106"})


def test_it_ends_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("CXR14_RESTARTS", "9")
    monkeypatch.setenv("CXR14_MOST_RESTARTS", "8")
    assert task.main(["cxr14-train", "--data=/nowhere", f"--output={tmp_path}/out"]) == 78
    assert "restarted 9 times" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
