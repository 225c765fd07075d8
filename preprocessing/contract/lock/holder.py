# SPDX-License-Identifier: MIT
"""Says which process holds a lock, so that others can name it and find out whether it lives."""

import contextlib
import dataclasses
import datetime
import json
import os
import socket
import uuid

from preprocessing.contract.errors import UsageError
from preprocessing.contract.process.processes import birth


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        host: name of the machine, for people.
        pid: number of the process.
        started: when the job took the lock, UTC, for people.
        machine: what tells this machine, since it was last started, from every other.
        birth: what tells the process from a later one of the same number.
        nonce: what tells this job from every other.
        beats: how often the lock was renewed.
    """

    host: str
    pid: int
    started: str
    machine: str
    birth: str
    nonce: str
    beats: int = 0

    @staticmethod
    def of_this_process() -> "Holder":
        """Returns what others may know of this job."""
        now = datetime.datetime.now(datetime.timezone.utc)
        return Holder(
            host=socket.gethostname(),
            pid=os.getpid(),
            started=now.strftime("%Y-%m-%d %H:%M:%S UTC"),
            machine=_machine(),
            birth=birth(os.getpid()),
            nonce=uuid.uuid4().hex,
        )

    def to_json(self) -> bytes:
        """Returns the holder as a file."""
        return json.dumps(dataclasses.asdict(self)).encode()

    @staticmethod
    def from_json(data: bytes) -> "Holder | None":
        """Reads what `to_json` wrote; None if it is something else, or not yet whole."""
        try:
            return Holder(**json.loads(data))
        except (ValueError, TypeError):
            return None

    def lives(self) -> bool | None:
        """Tells whether the process lives; None if that cannot be known from here."""
        if not self.machine or self.machine != _machine():
            return None
        return bool(self.birth) and birth(self.pid) == self.birth

    @property
    def shares_kernel(self) -> bool:
        """Whether the process runs, or ran, on this machine since it was last started."""
        return bool(self.machine) and self.machine.split()[0] == _machine().partition(" ")[0]


def _machine() -> str:
    """Returns boot and process namespace, "" where the system does not tell them."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id") as file:
        return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    return ""


class HeldError(UsageError):
    """Another job holds the lock of an output."""


def refusal(output: str, holder: Holder | None) -> HeldError:
    """Returns what to raise when another job holds the lock of an output."""
    who = (
        f"process {holder.pid} on {holder.host}, since {holder.started}"
        if holder
        else "it has not yet said which"
    )
    return HeldError(
        f"{output} is being written by another job ({who}): wait for it, stop it, or choose "
        "another --output"
    )


def taken_over(output: str) -> str:
    """Says that the lock of an output was lost."""
    return (
        f"{output} was taken over by another job, because this one was silent for too long: "
        "leave it to that job"
    )
