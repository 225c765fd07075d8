# SPDX-License-Identifier: MIT
"""Starts the Chromium of this machine for tests that look at pages."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@contextlib.contextmanager
def opened() -> Iterator[Any]:
    """Yields a browser without a window, which can reach this machine only; skips without one.

    While it is open, `asyncio.run` fails in the same thread.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no Playwright: install the extra dev"
    )
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: install Chromium (looked for {', '.join(BROWSERS)})")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        with contextlib.closing(chromium):
            yield chromium
