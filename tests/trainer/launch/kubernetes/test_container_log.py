# SPDX-License-Identifier: MIT
"""A container's log is read on where a stream broke, without a line lost or read twice."""

from typing import Any

import pytest

from preprocessing.contract.errors import ServiceError
from trainer.launch.kubernetes import container_log
from trainer.launch.kubernetes.container_log import ContainerLog
from trainer.launch.kubernetes.namespace import Namespace
from trainer.launch.kubernetes.service import Api, Refusal


@pytest.fixture
def log(kubernetes_api: Any) -> ContainerLog:
    kubernetes_api.pod("quick-run", "a")
    return ContainerLog(Namespace(Api(), "research"), "a", "[0] ", {"container": "trainer"})


def at(api: Any, *lines: str) -> None:
    """Writes lines with times of their own, as second.fraction."""
    for line in lines:
        when, _, text = line.partition(" ")
        stamp = f"2026-01-01T00:00:{when.ljust(12, '0')}Z"
        api.logs["a"].lines.append((stamp, f"{stamp} {text}\n".encode()))


def read(log: ContainerLog, *, follow: bool = False) -> list[str]:
    return [text.removeprefix("[0] ") for _, text in log.lines(follow=follow)]


def test_lines_within_one_second_are_read_once(log: ContainerLog, kubernetes_api: Any) -> None:
    at(kubernetes_api, "01.1 a", "01.2 b", "01.2 b")
    assert read(log) == ["a", "b", "b"]
    at(kubernetes_api, "01.2 b", "01.3 c", "02.0 d")
    assert read(log) == ["b", "c", "d"]
    assert read(log) == []


def test_lines_of_two_writers_that_cross_are_read_once(
    log: ContainerLog, kubernetes_api: Any
) -> None:
    at(kubernetes_api, "01.9 a", "02.1 b")
    assert read(log) == ["a", "b"]
    at(kubernetes_api, "01.95 late", "02.2 c", "05.0 d")
    assert read(log) == ["late", "c", "d"]


def test_a_stream_that_breaks_goes_on(log: ContainerLog, kubernetes_api: Any) -> None:
    at(kubernetes_api, *(f"0{number}.5 {number}" for number in range(10)))
    kubernetes_api.logs["a"].is_open = False
    kubernetes_api.logs["a"].breaks_after = [4, 7]
    found: list[str] = []
    for _ in range(2):
        with pytest.raises(ServiceError, match="did not answer"):
            for _, text in log.lines(follow=True):
                found.append(text)
    assert found == [f"[0] {number}" for number in range(7)]
    assert read(log, follow=True) == ["7", "8", "9"]


def test_a_line_of_which_half_has_come_is_read_whole_later(
    log: ContainerLog, kubernetes_api: Any
) -> None:
    lines = kubernetes_api.logs["a"].lines
    lines.append(("2026-01-01T00:00:01", b"2026-01-01T00:00:01.5Z half"))
    kubernetes_api.logs["a"].is_open = False
    assert read(log, follow=True) == []
    assert read(log) == ["half"]  # it ended so: a process was killed while it wrote


def test_what_is_no_text_is_shown_all_the_same(log: ContainerLog, kubernetes_api: Any) -> None:
    kubernetes_api.logs["a"].lines.append(("2026-01-01T00:00:01", b"2026-01-01T00:00:01.5Z \xff\n"))
    assert read(log) == ["\ufffd"]


def test_silence_ends_a_stream(
    log: ContainerLog, kubernetes_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_log, "SILENCE_S", 0.2)
    at(kubernetes_api, "01.1 a")
    found: list[str] = []
    with pytest.raises(ServiceError, match="did not answer"):
        for _, text in log.lines(follow=True):
            found.append(text)
    assert found == ["[0] a"]


def test_a_pod_that_is_gone_is_refused(log: ContainerLog, kubernetes_api: Any) -> None:
    del kubernetes_api.logs["a"]
    with pytest.raises(Refusal) as refused:
        read(log)
    assert refused.value.status == 404
