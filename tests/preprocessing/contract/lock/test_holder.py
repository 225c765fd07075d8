# SPDX-License-Identifier: MIT
"""A holder says which process it is, and whether it lives as far as that can be known."""

import dataclasses
import os
import subprocess
import sys

import pytest

from preprocessing.contract.lock.holder import Holder


def test_this_process_lives_and_survives_a_file() -> None:
    me = Holder.of_this_process()
    assert me.pid == os.getpid()
    assert me.lives() is True
    assert Holder.from_json(me.to_json()) == me


def test_two_jobs_of_one_process_differ() -> None:
    assert Holder.of_this_process().nonce != Holder.of_this_process().nonce


def test_of_another_machine_nothing_is_known() -> None:
    me = Holder.of_this_process()
    assert dataclasses.replace(me, machine="elsewhere").lives() is None
    assert dataclasses.replace(me, machine="").lives() is None


def test_a_process_that_ended_is_dead_even_before_its_parent_has_asked() -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from preprocessing.contract.lock.holder import Holder;"
            "sys.stdout.buffer.write(Holder.of_this_process().to_json())",
        ],
        stdout=subprocess.PIPE,
    )
    holder = Holder.from_json(child.stdout.read())
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert holder.pid == child.pid
    assert holder.lives() is False  # a zombie
    child.communicate()
    assert holder.lives() is False


def test_another_process_of_the_same_number_is_not_the_holder() -> None:
    me = Holder.of_this_process()
    assert dataclasses.replace(me, birth="1").lives() is False


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"null", b'{"host": "a"}', b"\xff"])
def test_what_is_no_holder_reads_as_none(data: bytes) -> None:
    assert Holder.from_json(data) is None
