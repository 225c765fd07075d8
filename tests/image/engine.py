# SPDX-License-Identifier: MIT
"""Builds images and runs containers, in a store of its own that is deleted in the end.

Needs root and buildah, podman, runc and mmdebstrap, of Debian's packages of these names.
"""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT = pathlib.Path(__file__).parents[2]
PROGRAMS = ("buildah", "podman", "runc", "mmdebstrap")
# What a careful cluster asks for.
SECURE = ("--network=none", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")
# Within what a container of containers may ask for.
_LIMITS = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")
_CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


def arguments_of_dockerfile() -> dict[str, str]:
    """Returns the build arguments that have a default -> their defaults."""
    text = (ROOT / "Dockerfile").read_text()
    return dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))


@dataclasses.dataclass
class Container:
    """A container that was started; `name` is its own."""

    engine: "Engine"
    name: str
    started: float

    def text(self) -> str:
        """Returns what it has printed so far."""
        return self.engine.podman("logs", self.name, merged=True)

    def until(self, reached: Callable[[str], object], seconds: float = 300) -> None:
        """Waits until its log, and whatever else is looked at, says so."""
        end = time.monotonic() + seconds
        while not reached(self.text()):
            if time.monotonic() > end or not self._runs():
                raise RuntimeError(f"{self.name} never got there:\n{self.text()}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Sends what a node sends that is about to go."""
        self.engine.podman("kill", "--signal=TERM", self.name)

    def end(self) -> tuple[int, float, str]:
        """Waits for its end; returns exit code, seconds since its start, and its log."""
        code = int(self.engine.podman("wait", self.name))
        seconds, text = time.monotonic() - self.started, self.text()
        self.engine.podman("rm", "--force", self.name)
        return code, seconds, text

    def _runs(self) -> bool:
        state = self.engine.podman("inspect", "--format={{.State.Status}}", self.name)
        return state.strip() == "running"


class Engine:
    """One store of images; a context manager that leaves nothing behind."""

    def __init__(self) -> None:
        if missing := [name for name in PROGRAMS if not shutil.which(name, path=_path())]:
            raise SystemExit(f"image test: apt-get install {' '.join(missing)}")
        if os.geteuid() != 0:
            raise SystemExit("image test: mmdebstrap and users of containers need root")
        # Not /tmp, which may be memory.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cxr14-image-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        self._count = 0

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *error: object) -> None:
        for command in ("rm --all --force", "image unmount --all --force", "rmi --all --force"):
            subprocess.run([*self.program(), *command.split()], capture_output=True, check=False)
        # What an interrupted build has left.
        mounted = pathlib.Path("/proc/mounts").read_text().splitlines()
        for place in sorted((line.split()[1] for line in mounted), reverse=True):
            if place.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", place], check=False)
        shutil.rmtree(self.folder)

    def program(self) -> list[str]:
        """Returns podman with the flags that every call needs."""
        runc = shutil.which("runc", path=_path())
        return [*self._store("podman"), "--cgroup-manager=cgroupfs", "--events-backend=file",
                f"--runtime={runc}"]  # fmt: skip

    def podman(self, *arguments: str, merged: bool = False) -> str:
        """Runs a command of podman and returns what it prints."""
        errors = subprocess.STDOUT if merged else subprocess.PIPE
        done = subprocess.run(
            [*self.program(), *arguments], stdout=subprocess.PIPE, stderr=errors, check=False
        )
        text = done.stdout.decode(errors="replace")
        if done.returncode:
            raise RuntimeError(f"podman {' '.join(arguments)}: {text}{done.stderr}")
        return text

    def import_tree(self, archive: pathlib.Path, name: str, **environment: str) -> None:
        """Makes an image of one layer of an archive."""
        changes = [f"--change=ENV {key}={value}" for key, value in environment.items()]
        self.podman("import", *changes, str(archive), name)

    def make_base(self, name: str) -> None:
        """Makes a stand-in for Python's own image, which needs a registry, of Debian's packages."""
        archive = self.folder / "base.tar"
        hooks = ['ln -s python3 "$1/usr/bin/python"']
        trusted = {}
        if _CERTIFICATES.exists():  # a proxy's may be among them
            hooks.append(f'cp {_CERTIFICATES} "$1{_CERTIFICATES}"')
            trusted = {"PIP_CERT": str(_CERTIFICATES)}
        packages = "python3,python3-venv,python3-pip,ca-certificates"
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}"]
        command += [f"--customize-hook={hook}" for hook in hooks]
        temporary = {**os.environ, "TMPDIR": str(self.folder)}
        subprocess.run([*command, "bookworm", str(archive)], env=temporary, check=True)
        self.import_tree(archive, f"docker.io/library/{name}", **trusted)
        archive.unlink()

    def build(self, flavor: str) -> str:
        """Builds the Dockerfile as it is and returns the name of the image."""
        name = f"localhost/cxr14:{flavor}"
        command = [*self._store("buildah"), "bud", "--isolation=chroot", "--pull-never"]
        # Debian's buildah does not see by itself which stages a FROM with an argument needs.
        command += ["--network=host", f"--target=flavor-{flavor}", f"--build-arg=FLAVOR={flavor}"]
        command += [f"--tag={name}", "--file=Dockerfile", "."]
        environment = {**os.environ, "TMPDIR": str(self.folder)}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"buildah: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return name

    def start(self, image: str, flags: Iterable[str], arguments: Sequence[str]) -> Container:
        """Starts a container and returns when its first process runs."""
        self._count += 1
        name = f"cxr14-{os.getpid()}-{self._count}"
        begun = time.monotonic()
        self.podman("run", "--detach", f"--name={name}", *_LIMITS, *flags, image, *arguments)
        return Container(self, name, begun)

    def sizes(self, image: str) -> tuple[int, int]:
        """Returns the bytes of the base image's layers, and of all others."""
        found = json.loads(self.podman("history", "--format=json", image))
        sizes = [int(layer["size"]) for layer in found]
        return sizes[-1], sum(sizes[:-1])

    def packages(self, image: str, most: int) -> list[tuple[str, int]]:
        """Returns the largest things that are installed -> their bytes, and that of all *.pyc."""
        root = pathlib.Path(self.podman("image", "mount", image).strip())
        sizes: dict[str, int] = {}
        for path in (root / "opt/venv").rglob("*"):
            if path.is_file() and not path.is_symlink():
                place = path.parts[path.parts.index("venv") + 1 :]
                top = place[3] if len(place) > 3 and place[2] == "site-packages" else place[0]
                for key in (top, *(["all *.pyc"] if path.suffix == ".pyc" else [])):
                    sizes[key] = sizes.get(key, 0) + path.stat().st_size
        self.podman("image", "unmount", image)
        return sorted(sizes.items(), key=lambda package: -package[1])[:most]

    def data(self, name: str, user: int) -> pathlib.Path:
        """Makes a folder that belongs to a user."""
        folder = self.folder / "data" / name
        folder.mkdir(parents=True)
        os.chown(folder, user, user)
        return folder

    def _store(self, program: str) -> list[str]:
        places = [f"--root={self.folder}/images", f"--runroot={self.folder}/run"]
        return [program, "--storage-driver=overlay", *places]


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def own(folder: pathlib.Path, user: int) -> None:
    """Gives a folder and what is in it to a user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)


def mounts(places: Mapping[pathlib.Path, str]) -> list[str]:
    """Returns the flags for folders of this machine -> where containers see them."""
    return [f"--volume={here}:{there}" for here, there in places.items()]
