# SPDX-License-Identifier: MIT
"""Two workers on two machines, as a JobSet starts them: names in DNS, one port, nothing else.

Network namespaces stand in for the machines. They need root, and `ip` of iproute2.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from cxr14_workers import STOPPED, Cluster, Place, newest_step

pytestmark = [
    pytest.mark.slow,
    pytest.mark.distributed,
    pytest.mark.skipif(
        not os.environ.get("CXR14_LONG"),
        reason="hosts of their own: CXR14_LONG=1 runs it, in some five minutes",
    ),
]

_PATIENCE = 300  # seconds to a moment, or to the end
_NOTICED = 60  # seconds in which both ends of a cut line have to notice it


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Network:
    """Machines of their own network, at a switch that no other network is connected to.

    Args:
        jobset: whose workers the machines are to run.
        count: of the machines.
    """

    def __init__(self, jobset: str, count: int) -> None:
        self._jobset, self._count = jobset, count
        # Links into other namespaces are made here, under names of at most 15 characters.
        self._token = uuid.uuid4().hex[:8]
        self._switch = f"cxr14-{self._token}-switch"
        self.machines = [f"cxr14-{self._token}-{at}" for at in range(count)]

    def build(self) -> None:
        """Connects the machines.

        Raises:
            OSError: it is not allowed here.
        """
        for name in (self._switch, *self.machines):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        for at, name in enumerate(self.machines):
            port = f"c{self._token}{at}"
            _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", port, "netns", self._switch)
            _ip("-n", self._switch, "link", "set", port, "master", "bridge", "up")
            _ip("-n", name, "address", "add", f"10.77.0.{at + 1}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            # `ip netns exec` puts this file in the place of /etc/hosts.
            folder = pathlib.Path("/etc/netns") / name
            folder.mkdir(parents=True)
            (folder / "hosts").write_text(self._hosts())

    def _hosts(self) -> str:
        names = [f"{self._jobset}-worker-0-{at}.{self._jobset}" for at in range(self._count)]
        lines = [f"10.77.0.{at + 1} {name}" for at, name in enumerate(names)]
        return "\n".join(["127.0.0.1 localhost", *lines, ""])

    def places(self) -> list[Place]:
        """Returns where the workers run: they learn what JobSet's manifest says, and no more."""
        return [
            Place(
                {
                    "CXR14_WORKERS": str(self._count),
                    "JOBSET_NAME": self._jobset,
                    "JOB_COMPLETION_INDEX": str(at),
                },
                ("ip", "netns", "exec", machine),
            )
            for at, machine in enumerate(self.machines)
        ]

    def cut(self, machine: int) -> None:
        """Takes a machine off the network: nothing it sends arrives, nobody tells the others."""
        _ip("-n", self.machines[machine], "link", "set", "eth0", "down")

    def mend(self, machine: int) -> None:
        """Connects it again."""
        _ip("-n", self.machines[machine], "link", "set", "eth0", "up")

    def remove(self) -> None:
        """Leaves nothing of it behind."""
        for name in (*self.machines, self._switch):
            with contextlib.suppress(OSError):
                _ip("netns", "delete", name)
            shutil.rmtree(pathlib.Path("/etc/netns") / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            pathlib.Path("/etc/netns").rmdir()  # only if it is empty


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    if os.geteuid() != 0:
        pytest.skip("only root makes network namespaces")
    if shutil.which("ip") is None:
        pytest.skip("no `ip`: install iproute2 to try workers in network namespaces")
    made = Network("cxr-train", 2)
    try:
        try:
            made.build()
        except OSError as error:
            pytest.skip(f"no network namespaces here: {error}")
        yield made
    finally:
        made.remove()


@dataclasses.dataclass
class History:
    """What happened to the run.

    Attributes:
        output: its folder.
        cut_at: the newest checkpoint's step when the line was cut.
        lost: exit codes of the workers that lost each other.
        seconds: from the cut to each worker's end.
        lost_text: what they printed.
        finished: exit codes of the next start, with the line mended.
        text: what that printed.
    """

    output: pathlib.Path
    cut_at: int
    lost: list[int | None]
    seconds: list[float]
    lost_text: str
    finished: list[int | None]
    text: str


@pytest.fixture(scope="module")
def history(
    network: Network,
    cluster: Cluster,
    train_flags: Callable[..., list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> History:
    """Cuts the line between the workers in mid-training, mends it, and starts all again."""
    output = tmp_path_factory.mktemp("namespaces") / "out"
    flags = train_flags(
        str(output),
        train__epochs=2,
        train__checkpoint_every_steps=2,
        train__steps_per_call=1,
        runtime__formation_seconds=60,
    )
    job = cluster.job(["--mode=train", *flags], places=network.places()).start()
    assert job.until(lambda: newest_step(output) >= 4, _PATIENCE), job.text()
    began = time.monotonic()
    network.cut(1)
    lost = job.wait(_NOTICED)
    cut_at, seconds = newest_step(output), [worker.ended - began for worker in job.workers]
    text = job.text()
    network.mend(1)
    finished = job.start().wait(_PATIENCE)
    return History(output, cut_at, lost, seconds, text, finished, job.text())


def test_both_ends_of_a_cut_line_notice_it_and_end_with_75(history: History) -> None:
    assert history.lost == [STOPPED, STOPPED], (history.seconds, history.lost_text)
    assert max(history.seconds) < _NOTICED


def test_the_same_command_goes_on_when_the_line_is_mended(history: History) -> None:
    assert history.finished == [0, 0], history.text
    assert f"going on from {history.output}/checkpoints/ckpt-" in history.text


def test_the_workers_have_found_each_other_by_their_names_alone(history: History) -> None:
    note = json.loads((history.output / "training.json").read_text())
    assert (note["strategy"], note["replicas"]) == ("multi_worker", 2)
    assert note["steps"] > history.cut_at


def test_sigterm_reaches_all_workers_over_the_network(
    network: Network,
    cluster: Cluster,
    train_flags: Callable[..., list[str]],
    tmp_path: pathlib.Path,
) -> None:
    output = tmp_path / "out"
    flags = train_flags(str(output), train__epochs=8, train__checkpoint_every_steps=2)
    job = cluster.job(["--mode=train", *flags], places=network.places()).start()
    assert job.until(lambda: newest_step(output) >= 2, _PATIENCE), job.text()
    job.send(signal.SIGTERM, 1)
    assert job.wait(15) == [STOPPED, STOPPED], job.text()
