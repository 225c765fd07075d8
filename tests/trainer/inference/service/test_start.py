# SPDX-License-Identifier: MIT
"""The service listens where it is told to, says who can reach it, and ends when it is asked to."""

import pytest

from preprocessing.contract.errors import ConfigError, DataError, JobError, UsageError
from trainer.inference.service import start


def failing() -> None:
    raise DataError("there is no export there")


@pytest.mark.parametrize(
    ("environ", "host", "port", "kind"),
    [
        ({}, "127.0.0.1", 0, DataError),
        ({}, "192.0.2.1", 0, UsageError),
        ({}, "no host", 0, UsageError),
        ({}, "127.0.0.1", 70_000, UsageError),
        ({"AIP_HTTP_PORT": "http"}, "127.0.0.1", 0, UsageError),
        ({"AIP_HEALTH_ROUTE": "health"}, "127.0.0.1", 0, ConfigError),
    ],
)
def test_what_cannot_work_ends_in_a_sentence(
    environ: dict[str, str], host: str, port: int, kind: type[JobError]
) -> None:
    with pytest.raises(kind) as caught:
        start.serve(failing, host=host, port=port, environ=environ)
    assert "\n" not in str(caught.value)
