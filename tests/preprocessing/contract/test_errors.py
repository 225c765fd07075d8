# SPDX-License-Identifier: MIT
"""Job managers act on the exit codes, so the numbers may not change."""

import pytest

from preprocessing.contract import errors
from preprocessing.contract.pictures.image import ImageError


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 64),
        (errors.DataError, 65),
        (errors.ServiceError, 69),
        (errors.ResourceError, 74),
        (errors.OutOfMemoryError, 74),
        (errors.UnavailableError, 74),
        (errors.StoppedError, 75),
        (errors.ConfigError, 78),
    ],
)
def test_each_error_carries_its_sysexits_number(kind: type[errors.JobError], code: int) -> None:
    assert issubclass(kind, errors.JobError)
    assert kind("text").exit_code == code


def test_a_bad_image_is_a_data_error() -> None:
    assert ImageError("damaged", "text").exit_code == errors.DataError.exit_code
