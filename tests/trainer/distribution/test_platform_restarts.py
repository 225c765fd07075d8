# SPDX-License-Identifier: MIT
"""A job that a platform restarts for ever ends; others never notice."""

import pathlib

import pytest

from preprocessing.contract.errors import ConfigError
from trainer import task
from trainer.distribution import platform_restarts


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
    platform_restarts.check(environ)


def test_a_job_beyond_its_bound_is_ended_for_good() -> None:
    with pytest.raises(ConfigError, match="restarted 107 times, and at most 106 are allowed"):
        platform_restarts.check({"CXR14_RESTARTS": "107", "CXR14_MOST_RESTARTS": "106"})


def test_it_ends_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("CXR14_RESTARTS", "9")
    monkeypatch.setenv("CXR14_MOST_RESTARTS", "8")
    assert task.main(["cxr14-train", "--data=/nowhere", f"--output={tmp_path}/out"]) == 78
    assert "restarted 9 times" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
