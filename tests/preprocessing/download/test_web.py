# SPDX-License-Identifier: MIT
"""Sizes and bytes by HTTP, and what servers answer instead."""

import dataclasses
from typing import Any

import pytest

from preprocessing.contract.errors import DataError, UsageError
from preprocessing.download import web


@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_file_is_read_from_any_place_on(site: Any, data: bytes, has_ranges: bool) -> None:
    site.has_ranges = has_ranges
    file = site.file("a.tar.gz", data)
    assert web.size(file) == len(data)
    for start in (0, 1, 1_500_000, len(data) - 1, len(data)):
        assert b"".join(web.read(file, start)) == data[start:]
    site.tells_size = False
    assert web.size(file) == 0
    assert b"".join(web.read(file, 7)) == data[7:]


def test_bytes_are_taken_as_they_are_where_a_server_calls_the_packing_an_encoding(
    site: Any, data: bytes
) -> None:
    site.encoding = "gzip"
    assert b"".join(web.read(site.file("a.tar.gz", data), 0)) == data


def test_what_may_pass_is_told_from_what_does_not(site: Any, data: bytes) -> None:
    file = site.file("a.tar.gz", data)
    for status in (408, 429, 500, 503):
        site.faults["a.tar.gz"] = [status]
        with pytest.raises(web.BrokenError, match=f"HTTP {status}"):
            list(web.read(file, 0))
    site.faults["a.tar.gz"] = [("cut", 1000)]
    with pytest.raises(web.BrokenError, match="could not be read to its end"):
        list(web.read(file, 0))
    for status in (401, 403, 404):
        site.faults["a.tar.gz"] = [status]
        with pytest.raises(UsageError, match=f"HTTP {status}: a.tar.gz is not there"):
            list(web.read(file, 0))
    site.kind = "text/html; charset=utf-8"
    with pytest.raises(DataError, match="a web page instead of a.tar.gz"):
        web.size(file)


def test_another_size_is_another_file(site: Any, data: bytes) -> None:
    with pytest.raises(DataError, match="has 3000000 bytes, and a.tar should have 17"):
        web.size(site.file("a.tar", data, size=17))


def test_no_message_holds_what_may_be_secret(site: Any, data: bytes) -> None:
    file = site.file("a.tar", data)
    secret = dataclasses.replace(file, address=f"{site.url}/none?token=secret")
    with pytest.raises(UsageError) as refused:
        web.size(secret)
    site.server.server_close()
    site.server.shutdown()
    nobody = dataclasses.replace(file, address="http://user:secret@127.0.0.1:9/a?token=secret")
    with pytest.raises(web.BrokenError, match="ConnectionRefusedError") as broken:
        web.size(nobody)
    assert "secret" not in f"{refused.value}{broken.value}"
