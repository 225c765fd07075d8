# SPDX-License-Identifier: MIT
"""Runs the pods of a manifest on this machine, and does to them what happens to pods.

A pod gets what its manifest says: variables, volumes, user, grace. An image is this Python with the
sources, and a bucket is a folder: what begins with gs:// is looked for below /gs.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from cxr14_network import Network
from cxr14_sandbox import IMAGE_ENV, IMAGE_USER, Container, Mount, Process

Spec = Mapping[str, Any]

_PROGRAM = "cxr14-train"  # the entry point of the image
_PROGRAMS = {
    "cxr14-predict": (sys.executable, "-m", "trainer.inference.task"),
    "cxr14-preprocess": (sys.executable, "-m", "preprocessing.task"),
    "python": (sys.executable,),
}
_FIELD = re.compile(r"metadata\.(annotations|labels)\['([^']+)'\]")
# Without it, workers on one machine take the cores from each other most of the time.
_SHARED_CORES = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where the pods run.

    Attributes:
        network: that connects them.
        folder: for logs and what pods write; `buckets/NAME` and `volumes/NAME` outlive a pod.
        program: what is run as cxr14-train.
        secrets: name of a Secret or ConfigMap -> its keys and values.
    """

    network: Network
    folder: pathlib.Path
    program: Sequence[str] = (sys.executable, "-m", "trainer.task")
    secrets: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def bucket(self, name: str) -> pathlib.Path:
        """Returns the folder of a bucket, which anyone may write to."""
        return _made(self.folder / "buckets" / name)

    def volume(self, name: str, fs_group: int | None = None) -> pathlib.Path:
        """Returns the folder of a volume that outlives the pods."""
        return _made(self.folder / "volumes" / name, fs_group)


def _made(folder: pathlib.Path, group: int | None = None) -> pathlib.Path:
    if not folder.exists():
        folder.mkdir(parents=True)
        os.chown(folder, 0, group or 0)
        folder.chmod(0o2777 if group else 0o777)
    return folder


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a pod is called and marked with."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def field(self, path: str) -> str:
        """Returns what a fieldRef asks for; nothing where there is no such label or annotation."""
        if found := _FIELD.fullmatch(path):
            return getattr(self, found[1]).get(found[2], "")
        return {"metadata.name": self.name, "metadata.namespace": self.namespace}[path]


def environment(
    container: Spec, metadata: Metadata, secrets: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Returns the variables that a manifest gives a container, later ones in front.

    Raises:
        KeyError: a Secret, a ConfigMap or one of its keys is missing: such a pod never starts.
    """
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        values = secrets[(source.get("secretRef") or source["configMapRef"])["name"]]
        found |= {source.get("prefix", "") + name: value for name, value in values.items()}
    for variable in container.get("env", []):
        source = variable.get("valueFrom", {})
        if "fieldRef" in source:
            found[variable["name"]] = metadata.field(source["fieldRef"]["fieldPath"])
        elif source:
            key = source.get("secretKeyRef") or source["configMapKeyRef"]
            found[variable["name"]] = secrets[key["name"]][key["key"]]
        else:
            found[variable["name"]] = variable.get("value", "")
    return found


class RunningPod:
    """A pod, as `jobs.Pod`; what happens to it is done by the methods.

    Args:
        metadata: its name and marks.
        spec: from the manifest.
        machine: where it runs.
        index: its completion index.
        names: that others find it by.
        hostname: its own.
    """

    def __init__(
        self,
        metadata: Metadata,
        spec: Spec,
        machine: Machine,
        *,
        index: int | None,
        names: tuple[str, ...],
        hostname: str,
    ) -> None:
        [container] = spec["containers"]
        self.name, self.container, self.index = metadata.name, container["name"], index
        self.phase, self.exit_code = "Running", None
        self.conditions: dict[str, str] = {}
        self.is_terminating = False
        self._grace = spec.get("terminationGracePeriodSeconds", 30)
        self._kill_at = self._gone_at = float("inf")
        self._folder = pathlib.Path(tempfile.mkdtemp(dir=machine.folder, prefix=metadata.name))
        self.began = time.monotonic()
        self.seconds = 0.0  # that it lived
        self._process = Process(
            _container(spec, metadata, machine, self._folder, index, hostname),
            machine.network,
            names,
            self._folder,
        )

    def observe(self) -> bool:
        """Returns whether the pod has ended since the last look; kills it if it is overdue."""
        now = time.monotonic()
        if self.phase != "Running":
            return False
        if now >= self._kill_at:
            self.kill()
        if self._gone_at < float("inf"):
            if now < self._gone_at:
                return False
            self.phase, self.conditions = "Failed", {"DisruptionTarget": "True"}
        elif (code := self._process.exit_code) is None:
            return False
        else:
            self.phase, self.exit_code = "Failed" if code else "Succeeded", code
        self.seconds = now - self.began
        self._process.forget()
        for path in self._folder.glob("volume-*"):
            shutil.rmtree(path)
        return True

    def delete(self) -> None:
        """SIGTERM, and SIGKILL after the grace; only from a node that is there to hear of it."""
        if not self.is_terminating:
            self.is_terminating = True
            if self._gone_at == float("inf"):
                self._kill_at = time.monotonic() + self._grace
                self._process.send(signal.SIGTERM)

    def evict(self) -> None:
        """Preempted, drained or evicted: marked as no fault of its own, and deleted."""
        self.conditions["DisruptionTarget"] = "True"
        self.delete()

    def signal(self, number: int) -> None:
        """Sends a signal to its first process, as somebody on its node may."""
        self._process.send(number)

    def kill(self) -> None:
        """SIGKILL, as from a kernel that is out of memory."""
        self._process.send(signal.SIGKILL)

    def cut(self) -> None:
        """Takes its node off the network."""
        self._process.cut()

    def lose_node(self, seconds: float) -> None:
        """Its node is gone from one moment to the next, which the cluster sees after a time."""
        self._process.cut()
        self._process.kill()
        self._gone_at = time.monotonic() + seconds

    def asked(self, path: str, port: int) -> int:
        """Returns the status of an answer to GET, as a probe of its node sees it; 0 for none."""
        return self._process.asked(path, port)

    def text(self) -> str:
        """Returns what it has printed."""
        return self._process.log.read_text(errors="replace")

    def stop(self) -> None:
        """Leaves nothing of it behind."""
        self._process.stop()


def _container(
    spec: Spec,
    metadata: Metadata,
    machine: Machine,
    folder: pathlib.Path,
    index: int | None,
    hostname: str,
) -> Container:
    [given] = spec["containers"]
    security = {**spec.get("securityContext", {}), **given.get("securityContext", {})}
    user = security.get("runAsUser", IMAGE_USER)
    if security.get("runAsNonRoot") and user == 0:
        raise ValueError("the manifest asks for another user than root, and for root")
    place = {} if index is None else {"JOB_COMPLETION_INDEX": str(index)}
    environ = {
        **IMAGE_ENV,
        **_SHARED_CORES,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONFAULTHANDLER": "1",  # SIGABRT shows where a worker hangs
        **environment(given, metadata, machine.secrets),
        **place,
    }
    [program, *more] = given.get("command", [_PROGRAM])
    own = {**_PROGRAMS, _PROGRAM: machine.program}
    command = [*own.get(program, (program,)), *more]
    return Container(
        [_in_folder(word) for word in [*command, *given.get("args", [])]],
        {name: _in_folder(value) for name, value in environ.items()},
        [
            *_mounts(spec, machine, folder),
            Mount("/gs", _made(machine.folder / "buckets")),
            Mount("/bytecode", _made(machine.folder / "bytecode")),
        ],
        hostname=hostname,
        user=user,
        group=security.get("runAsGroup", IMAGE_USER),
        fs_group=security.get("fsGroup"),
        read_only_root=security.get("readOnlyRootFilesystem", False),
        no_new_privileges=not security.get("allowPrivilegeEscalation", True),
        drop_capabilities="capabilities" in security,
    )


def _in_folder(text: str) -> str:
    return text.replace("gs://", "/gs/")


def _mounts(spec: Spec, machine: Machine, folder: pathlib.Path) -> list[Mount]:
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    group = spec.get("securityContext", {}).get("fsGroup")
    found = []
    for mount in spec["containers"][0].get("volumeMounts", []):
        name, path, read_only = mount["name"], mount["mountPath"], mount.get("readOnly", False)
        empty = volumes[name].get("emptyDir")
        if empty is not None and empty.get("medium") == "Memory":
            # As mount spells it: 8g for 8Gi.
            size = empty.get("sizeLimit", "").removesuffix("i").lower()
            found.append(Mount(path, None, size))
            continue
        claim = volumes[name].get("persistentVolumeClaim", {}).get("claimName", name)
        bucket = volumes[name].get("csi", {}).get("volumeAttributes", {}).get("bucketName")
        if empty is not None:
            source = _made(folder / f"volume-{name}", group)
        else:
            source = machine.bucket(bucket) if bucket else machine.volume(claim, group)
        if "subPath" in mount:
            source = _made(source / mount["subPath"], group)
        found.append(Mount(path, source, "", read_only))
    return found
