# SPDX-License-Identifier: MIT
"""ImageNet's weights from a server that is ill, refuses, or cannot be found."""

import pathlib
import urllib.request
from collections.abc import Callable
from typing import Any

import keras
import pytest

from preprocessing.contract.errors import ConfigError, UnavailableError, UsageError
from preprocessing.contract.files import patience
from trainer.network import download

URL = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/x.h5"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(patience, "SECONDS", 1.0)
    # Python keeps the proxies of the first request that a process makes.
    monkeypatch.setattr(urllib.request, "_opener", None)


@pytest.fixture
def fetch(tmp_path: pathlib.Path) -> Callable[[str], Any]:
    """Fetches a file as Keras fetches its weights."""
    return lambda url: download.insist(
        lambda: keras.utils.get_file("x.h5", url, cache_dir=str(tmp_path))
    )


@pytest.mark.parametrize("status", [503, 429])
def test_a_server_that_is_ill_is_asked_again(
    on_gcs: Any, fetch: Callable[[str], Any], status: int
) -> None:
    """The stand-in of the server has no such file and asks for a login, which is a refusal."""
    on_gcs.spoil("GET .*keras-applications", "status", argument=status, times=2)
    with pytest.raises(ConfigError, match=r"could not be downloaded .*401.*model\.weights=none"):
        fetch(URL)
    assert [asked["status"] for asked in on_gcs.requests()] == [status, status, 401]
    on_gcs.spoil("GET .*keras-applications", "status", argument=status, times=1000)
    with pytest.raises(UnavailableError, match=r"could not be downloaded .*run the same command"):
        fetch(URL)


def test_a_server_that_cannot_be_found_is_no_mistake(
    fetch: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UnavailableError, match=r"weights\.invalid.*for 1 s: run the same command"):
        fetch("https://weights.invalid/x.h5")


def test_a_disk_that_is_full_is_told_as_such() -> None:
    def fetch() -> None:
        raise PermissionError(13, "Permission denied", "/root/.keras")

    with pytest.raises(UsageError, match=r"/root/\.keras cannot be used"):
        download.insist(fetch)
