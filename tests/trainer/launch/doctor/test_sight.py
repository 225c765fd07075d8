# SPDX-License-Identifier: MIT
"""Bad data and settings are wrong; what cannot be seen from here is unknown."""

import pytest

from preprocessing.contract.errors import (
    ConfigError,
    DataError,
    JobError,
    UnavailableError,
    UsageError,
)
from trainer.launch.doctor import sight
from trainer.launch.platform import Finding


@pytest.mark.parametrize(
    ("error", "ok"),
    [
        (DataError("x"), False),
        (ConfigError("x"), False),
        (UsageError("x"), None),
        (UnavailableError("x"), None),
        (PermissionError(13, "no", "/x"), None),
    ],
)
def test_an_error_is_what_it_means_for_the_job(error: Exception, ok: bool | None) -> None:
    def look() -> Finding:
        raise error

    found = sight.guarded("thing", look, "do this")
    assert found.ok is ok and found.fix == ("do this" if ok is False else sight.LOGIN)
    assert isinstance(error, JobError) is (found.said == "x")
