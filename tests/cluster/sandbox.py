# SPDX-License-Identifier: MIT
"""Runs a command as a container of a pod: in its own network, root folder, process list and name.

Linux namespaces by `unshare`, `mount` and `ip`, for which it takes root. Nothing of it outlives the
process: networks, mounts and everything that was started go with it.
"""

import contextlib
import dataclasses
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import psutil
from cxr14_network import MORTAL, Network

ROOT = pathlib.Path(__file__).parents[2]
# The image, as far as a test needs it: this Python, the sources, and what the Dockerfile sets.
IMAGE_USER = 10001
IMAGE_ENV = {
    "PATH": f"{sys.prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",
    # Instead of what pip compiles when it installs: else each pod would compile TensorFlow.
    "PYTHONPYCACHEPREFIX": "/bytecode",
    "PYTHONUNBUFFERED": "1",
    "PYTHONPATH": str(ROOT),
}
WORKDIR = "/tmp"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/sys")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_PATIENCE = 30  # seconds in which a container must be set up


@dataclasses.dataclass(frozen=True)
class Mount:
    """A volume in a container: a folder of this machine, or so many bytes of memory."""

    path: str
    source: pathlib.Path | None = None
    size: str = ""
    read_only: bool = False


@dataclasses.dataclass(frozen=True)
class Container:
    """What is run, and what it is allowed to."""

    command: Sequence[str]
    environ: Mapping[str, str]
    mounts: Sequence[Mount] = ()
    hostname: str = "pod"
    user: int = IMAGE_USER
    group: int = IMAGE_USER
    fs_group: int | None = None
    read_only_root: bool = False
    no_new_privileges: bool = False
    drop_capabilities: bool = False


class Process:
    """A running container.

    Args:
        container: what to run.
        network: where to.
        names: that the network knows it by.
        folder: an empty one, for what it prints and its root.

    Raises:
        OSError: it could not be set up; what the system said.
    """

    def __init__(
        self,
        container: Container,
        network: Network,
        names: tuple[str, ...],
        folder: pathlib.Path,
    ) -> None:
        self.log, self._network = folder / "log", network
        started = folder / "started"
        self.address, line = network.connect(names)
        script = "\n".join(["set -e", *line, *_setup(container, network, folder)])
        namespaces = ("unshare", "--net", "--mount", "--uts", "--ipc", "--propagation", "private")
        with self.log.open("wb") as file:
            self._outer = subprocess.Popen(
                [*MORTAL, *namespaces, "bash", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _PATIENCE
        while not started.exists() and self._outer.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        if not started.exists():
            self.stop()
            raise OSError(f"{container.hostname} was not set up: {self.log.read_text()}")
        found = [child.pid for child in _children(self._outer.pid)]
        self._pid = found[0] if found else self._outer.pid  # it may be over by now

    @property
    def exit_code(self) -> int | None:
        """As a container has it, 128 more than the signal that ended it; None while it runs."""
        code = self._outer.poll()
        return 128 - code if code is not None and code < 0 else code

    def send(self, number: int) -> None:
        """Sends a signal to the container's first process, if it is still there."""
        if self.exit_code is None:  # else the number may be another process's by now
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def asked(self, path: str, port: int) -> int:
        """Returns the status of an answer to GET in its network; 0 for none."""
        program = "import sys, http.client as c; c = c.HTTPConnection(*sys.argv[1:3], timeout=5); "
        program += "c.request('GET', sys.argv[3]); print(c.getresponse().status)"
        command = [sys.executable, "-c", program, self.address, str(port), path]
        within = ["nsenter", f"--net=/proc/{self._outer.pid}/ns/net", *command]
        done = subprocess.run(within, capture_output=True, text=True, check=False)
        return int(done.stdout or 0)

    def cut(self) -> None:
        """Takes it off the network."""
        self._network.cut(self._outer.pid)

    def forget(self) -> None:
        """Takes its names away."""
        self._network.forget(self.address)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.send(signal.SIGKILL)
        self._outer.wait()

    def stop(self) -> None:
        """Leaves nothing of it behind."""
        for child in _children(self._outer.pid) if self.exit_code is None else []:
            child.kill()
        self._outer.kill()
        self._outer.wait()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []


def _setup(container: Container, network: Network, folder: pathlib.Path) -> list[str]:
    """Returns the shell commands that make the root folder, and run the command in it."""
    root = folder / "root"
    root.mkdir()
    (folder / "passwd").write_text(f"cxr14:x:{IMAGE_USER}:{IMAGE_USER}::/tmp:/bin/sh\n")
    (folder / "resolv.conf").touch()  # whoever is not in the file of names is not known
    lines = [f"hostname {container.hostname}", f"mount -t tmpfs -o mode=755 none {root}"]
    for path in _SYSTEM:
        if os.path.islink(path):
            lines.append(f"ln -s {os.readlink(path)} {root}{path}")
        elif os.path.isdir(path):
            lines += _bind(root, path, path, read_only=True)
    lines += [f"mkdir -p {root}/proc {root}/dev", f"mount -t tmpfs -o mode=755 none {root}/dev"]
    for name in _DEVICES:
        lines += _bind(root, f"/dev/{name}", f"/dev/{name}", file=True)
    lines += _memory(root, Mount("/dev/shm", size="64m"), None)
    for path in dict.fromkeys([sys.base_prefix, os.path.realpath(sys.prefix), str(ROOT)]):
        lines += _bind(root, path, path, read_only=True)
    for name in ("passwd", "resolv.conf"):
        lines += _bind(root, str(folder / name), f"/etc/{name}", file=True)
    lines += _bind(root, str(network.hosts), "/etc/hosts", file=True)
    lines.append(f"mkdir -p -m 1777 {root}/tmp")
    for mount in container.mounts:
        if mount.source is None:
            lines += _memory(root, mount, container.fs_group)
        else:
            lines += _bind(root, str(mount.source), mount.path, read_only=mount.read_only)
    if container.read_only_root:
        lines.append(f"mount -o remount,ro {root}")
    inner = f"mount -t proc proc {root}/proc; touch {folder}/started; exec {_run(root, container)}"
    # Not by its --fork, which in util-linux 2.38 leaves SIGTERM blocked: the shell's child is
    # process 1 of the new list, and the shell ends as it did.
    outer = f"exec 3>&2 2>/dev/null; bash -ec {shlex.quote(inner)} 2>&3 3>&-; exit $?"
    return [*lines, f"exec unshare --pid bash -c {shlex.quote(outer)}"]


def _bind(
    root: pathlib.Path, source: str, path: str, *, read_only: bool = False, file: bool = False
) -> list[str]:
    source, target = shlex.quote(source), shlex.quote(f"{root}{path}")
    make = f"[ -e {target} ] || touch {target}" if file else f"mkdir -p {target}"
    lines = [make, f"mount --bind {source} {target}"]
    return [*lines, f"mount -o remount,bind,ro {target}"] if read_only else lines


def _memory(root: pathlib.Path, mount: Mount, group: int | None) -> list[str]:
    options = "mode=1777" if group is None else f"mode=2777,gid={group}"
    options += f",size={mount.size}" if mount.size else ""
    target = shlex.quote(f"{root}{mount.path}")
    return [f"mkdir -p {target}", f"mount -t tmpfs -o {options} none {target}"]


def _run(root: pathlib.Path, container: Container) -> str:
    """Returns the command line that gives up root, and everything else that is not asked for."""
    groups = "--clear-groups" if container.fs_group is None else f"--groups={container.fs_group}"
    words = ["chroot", str(root), "setpriv", f"--reuid={container.user}"]
    words += [f"--regid={container.group}", groups, "--inh-caps=-all", "--pdeathsig=KILL"]
    words += ["--no-new-privs"] if container.no_new_privileges else []
    words += ["--bounding-set=-all"] if container.drop_capabilities else []
    variables = [f"{name}={value}" for name, value in container.environ.items()]
    return shlex.join([*words, "env", "-i", f"--chdir={WORKDIR}", *variables, *container.command])
