# SPDX-License-Identifier: MIT
"""A network of this machine's own for pods: a switch, addresses and names, and lines to cut.

Linux namespaces by `unshare` and `ip`, for which it takes root. The network goes with the process
that holds it.
"""

import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import time

# Whatever becomes of the process that started it, it ends with that.
MORTAL = ("setpriv", "--pdeathsig", "KILL")
_TOOLS = ("ip", "unshare", "nsenter", "setpriv", "mount", "chroot")


def missing() -> str:
    """Returns what is missing here for running pods, or "" if they can be run."""
    if os.geteuid() != 0:
        return "only root makes the namespaces of a pod"
    if tools := [name for name in _TOOLS if shutil.which(name) is None]:
        return f"no {', '.join(tools)}: install iproute2 and util-linux to run pods"
    if pathlib.Path(sys.prefix).is_relative_to("/tmp"):
        return "pods have a /tmp of their own, and hide this environment: keep it elsewhere"
    namespaces = ("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork")
    link = "mount -t tmpfs none /mnt && ip link add port0 type veth peer name port1"
    done = subprocess.run([*namespaces, "sh", "-c", link], capture_output=True, text=True)
    return f"no namespaces for pods here: {done.stderr.strip()}" if done.returncode else ""


class Network:
    """A switch that pods are connected to, and the names that they know each other by.

    Args:
        folder: for the file of names, which all pods read.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.hosts, self._names = folder / "hosts", dict[str, tuple[str, ...]]()
        self._numbers = itertools.count(1)
        self._switch = subprocess.Popen([*MORTAL, "unshare", "--net", "sleep", "infinity"])
        self.namespace = f"/proc/{self._switch.pid}/ns/net"
        while os.readlink(self.namespace) == os.readlink("/proc/self/ns/net"):
            time.sleep(0.001)
        self._ip("link", "add", "bridge", "type", "bridge")
        self._ip("link", "set", "bridge", "up")
        self._write()

    def _ip(self, *words: str, namespace: str = "") -> None:
        where = f"--net={namespace or self.namespace}"
        subprocess.run(["nsenter", where, "ip", *words], check=True)

    def connect(self, names: tuple[str, ...]) -> tuple[str, list[str]]:
        """Returns a new pod's address, known by its names from now on, and how it gets a line."""
        number = next(self._numbers)
        address, port = f"10.77.{number // 200}.{number % 200 + 1}", f"pod{number}"
        self._names[address] = names
        self._write()
        return address, [
            f"ip link add eth0 type veth peer name {port} netns {self._switch.pid}",
            "ip link set lo up",
            f"ip address add {address}/16 dev eth0",
            "ip link set eth0 up",
            f"nsenter --net={self.namespace} ip link set {port} master bridge up",
        ]

    def forget(self, address: str) -> None:
        """Takes the names of a pod that is gone away."""
        self._names.pop(address, None)
        self._write()

    def cut(self, pid: int) -> None:
        """Takes a pod off the network: nothing arrives, and nobody tells the others."""
        self._ip("link", "set", "eth0", "down", namespace=f"/proc/{pid}/ns/net")

    def _write(self) -> None:
        lines = [" ".join((address, *names)) for address, names in self._names.items()]
        with self.hosts.open("a") as file:  # the same file for ever: the pods have it mounted
            file.truncate(0)
            file.write("\n".join(["127.0.0.1 localhost", *lines, ""]))

    def remove(self) -> None:
        """Ends it."""
        self._switch.kill()
        self._switch.wait()
