# SPDX-License-Identifier: MIT
"""Says of a file that is no Google login what Google's library lets through as other errors."""

import contextlib
import os
from collections.abc import Iterator

from google.auth import exceptions

from preprocessing.contract.files import faults


@contextlib.contextmanager
def named() -> Iterator[None]:
    """Names the file where the default login is looked for in a block.

    Raises:
        DefaultCredentialsError: a file cannot be read, or is no login.
    """
    try:
        yield
    except exceptions.GoogleAuthError:
        raise
    # The library takes the form of a file for granted: a list, say, has no method `get`.
    except (AttributeError, LookupError, TypeError, ValueError, OSError) as error:
        path = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
        where = path or "what `gcloud auth application-default login` has left"
        raise exceptions.DefaultCredentialsError(
            f"{where} is no login that can be used: {faults.line(error)}"
        ) from error
