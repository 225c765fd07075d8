# SPDX-License-Identifier: MIT
"""Tests of where a run's TensorBoard log lies."""

import pytest

from trainer.monitoring.log_folder import folder_of


@pytest.mark.parametrize(
    ("output", "variable", "expected"),
    [
        ("/runs/a", None, "/runs/a/tensorboard"),
        ("gs://bucket/run/", None, "gs://bucket/run/tensorboard"),
        ("gs://bucket/run", "", "gs://bucket/run/tensorboard"),
        ("gs://bucket/run", "gs://bucket/job/logs/", "gs://bucket/job/logs"),
        ("gs://bucket/run", "gs://bucket/job/logs", "gs://bucket/job/logs"),
    ],
)
def test_vertex_ai_says_where_if_it_shows_the_log(
    output: str, variable: str | None, expected: str
) -> None:
    environ = {} if variable is None else {"AIP_TENSORBOARD_LOG_DIR": variable}
    assert folder_of(output, environ) == expected
