# SPDX-License-Identifier: MIT
"""Says which lock file to install where a package is missing, as in a launcher's environment."""

import contextlib
from collections.abc import Iterator

from preprocessing.contract.errors import UsageError

_OURS = ("preprocessing", "trainer")


@contextlib.contextmanager
def explained(lock: str) -> Iterator[None]:
    """Turns the absence of a package that others make into one sentence.

    Args:
        lock: name of the file below configs/requirements/ that holds all that is imported here.

    Raises:
        UsageError: in the place of ModuleNotFoundError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] in _OURS:
            raise
        raise UsageError(
            f"this environment has no package {error.name}: it was made for another command; "
            f"install configs/requirements/{lock} of the source too, or use the image"
        ) from error
