# SPDX-License-Identifier: MIT
"""What passes is tried again until the patience ends, and nothing else is."""

import time

import pytest

from preprocessing.contract.files import patience


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(patience, "SECONDS", 0.3)


def test_it_is_tried_until_it_works() -> None:
    errors = [OSError(), OSError(), OSError()]

    def work() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert patience.insist(work, lambda error: isinstance(error, OSError)) == "done"


def test_what_does_not_pass_is_not_tried_again() -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        raise ValueError

    with pytest.raises(ValueError):
        patience.insist(work, lambda error: isinstance(error, OSError))
    assert len(tries) == 1


def test_the_last_error_ends_it() -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        raise OSError(len(tries), "")

    began = time.monotonic()
    with pytest.raises(OSError) as caught:
        patience.insist(work, lambda error: True)
    assert caught.value.errno == len(tries) > 3
    assert time.monotonic() - began < 5
