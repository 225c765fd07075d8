# SPDX-License-Identifier: MIT
"""Names a file that should hold a Google login where Google's library fails in another way."""

import contextlib
import os
from collections.abc import Iterator

from google.auth import exceptions

from preprocessing.contract.files import faults


@contextlib.contextmanager
def named() -> Iterator[None]:
    """Names the file where the default login is looked for in a block.

    Raises:
        DefaultCredentialsError: a file cannot be read, or holds no login.
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
            f"{where} does not hold a usable login: {faults.line(error)}"
        ) from error
