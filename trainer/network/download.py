# SPDX-License-Identifier: MIT
"""Fetches ImageNet's weights by Keras; waits for faults that pass, and reports others at once."""

import http.client
import urllib.error
from collections.abc import Callable, Iterator
from typing import TypeVar

import keras
from absl import logging

from preprocessing.contract.errors import ConfigError, UnavailableError
from preprocessing.contract.files import faults, patience
from preprocessing.contract.process import log

_T = TypeVar("_T")
_OTHERWISE = "give their file in model.weights, or set model.weights=none to train from scratch"


def insist(fetch: Callable[[], _T]) -> _T:
    """Does what downloads the weights, again while its errors are such as pass.

    Raises:
        ConfigError: the server refuses.
        UnavailableError: no name service, no network, or a failing server, for a minute.
        JobError: the disk that keeps the file is full or read-only.
    """
    try:
        logging.info("fetching ImageNet's weights, unless they are on this machine already")
        if not log.for_people():  # Keras would draw a bar of its own
            keras.config.disable_interactive_logging()
        return patience.insist(fetch, _passes)
    except Exception as error:
        if explained := faults.explain(error):
            raise explained from error
        said = f"the ImageNet weights could not be downloaded ({faults.line(error)})"
        if _passes(error):
            raise UnavailableError(
                f"{said} for {patience.SECONDS:.0f} s: run the same command again, or where there "
                f"is no way to the internet {_OTHERWISE}"
            ) from error
        raise ConfigError(f"{said}: {_OTHERWISE}") from error


def _passes(error: BaseException) -> bool:
    """Looks behind Keras's own exception, which keeps only the text of what it met."""
    for met in _chain(error):
        if isinstance(met, urllib.error.HTTPError):
            return met.code in (408, 425, 429) or met.code >= 500
        # A certificate or a proxy that refuses is a URLError as well; to try again does no harm.
        if isinstance(met, (urllib.error.URLError, http.client.HTTPException, ConnectionError)):
            return True
        if isinstance(met, TimeoutError):
            return True
    return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
