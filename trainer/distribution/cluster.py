# SPDX-License-Identifier: MIT
"""Finds out which processes train together, from what a platform puts into the environment.

Vertex AI writes TF_CONFIG and CLUSTER_SPEC, Kubernetes only an index and names, from which the host
names follow; nothing of this has to be written in YAML.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from preprocessing.contract.errors import ConfigError, StoppedError

# Vertex AI's worker pools, in the words of TensorFlow; pools 2 and 3 do not train.
_POOLS = {"workerpool0": "chief", "workerpool1": "worker"}
_TRAINING = ("chief", "master", "worker")
_PORT = "2222"
_HOST = re.compile(r"[A-Za-z0-9._-]+:([0-9]{1,5})")
# From a pod's end to the moment at which the Job controller looks, with time to spare.
_UNSEEN_SECONDS = 10.0


class LostPeerError(StoppedError):
    """Another process of the run is gone (exit 75); its own exit code says what follows.

    The Job controller of Kubernetes looks about a second after the first pod has ended. If it finds
    that this process has ended too, its 75 outweighs a code that counts, or that ends the job.
    """

    @staticmethod
    def seconds_to_wait(environ: Mapping[str, str]) -> float:
        """Returns how long the process has to wait for a request to stop before it ends."""
        return _UNSEEN_SECONDS if environ.get("CXR14_WORKERS") else 0.0


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes that train together.

    Attributes:
        hosts: kind of task -> host:port of each, chief first; empty for a process alone.
        kind: of this process: chief, master or worker.
        index: of this process among its kind.
    """

    hosts: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    kind: str = "worker"
    index: int = 0

    @property
    def tasks(self) -> list[tuple[str, int]]:
        """Every task, chief first, in the order of their numbers."""
        return [(kind, at) for kind, hosts in self.hosts.items() for at in range(len(hosts))]

    @property
    def addresses(self) -> list[str]:
        """The host:port of every task, in the order of their numbers."""
        return [host for hosts in self.hosts.values() for host in hosts]

    def names(self, numbers: Iterable[int]) -> list[str]:
        """Returns tasks by their numbers, as "worker 1 at host:port"."""
        named = zip(self.tasks, self.addresses, strict=True)
        lines = [f"{kind} {index} at {address}" for (kind, index), address in named]
        return [lines[number] for number in sorted(numbers)]

    @property
    def number(self) -> int:
        """This process among all that train, from 0, the chief."""
        return self.tasks.index((self.kind, self.index)) if self.hosts else 0

    def to_tf_config(self) -> str:
        """Returns the text of TF_CONFIG that TensorFlow's resolver reads."""
        return json.dumps(
            {
                "cluster": {kind: list(hosts) for kind, hosts in self.hosts.items()},
                "task": {"type": self.kind, "index": self.index},
            }
        )


def find(environ: Mapping[str, str]) -> Cluster:
    """Reads the cluster from the environment.

    In this order: TF_CONFIG; Vertex AI's CLUSTER_SPEC; Kubernetes' JOB_COMPLETION_INDEX together
    with CXR14_WORKERS (how many), and either JOBSET_NAME (and JOBSET_REPLICATED_JOB, "worker" by
    default) or CXR14_JOB_NAME and CXR14_SUBDOMAIN of an Indexed Job with a headless Service.
    CXR14_PORT changes the port 2222.

    Raises:
        ConfigError: a variable that cannot be read, or a process that does not train.
    """
    if environ.get("TF_CONFIG"):
        return _checked(_from_json("TF_CONFIG", environ["TF_CONFIG"]), "TF_CONFIG")
    if environ.get("CLUSTER_SPEC"):
        return _checked(_from_json("CLUSTER_SPEC", environ["CLUSTER_SPEC"]), "CLUSTER_SPEC")
    if environ.get("CXR14_WORKERS"):
        return _checked(_from_kubernetes(environ), "the Job")
    return Cluster()


def _from_json(name: str, text: str) -> Cluster:
    try:
        values: dict[str, Any] = json.loads(text)
        given = {_POOLS.get(kind, kind): hosts for kind, hosts in values.get("cluster", {}).items()}
        own = values.get("task", {})
        kind, index = str(own.get("type", "")), str(own.get("index", 0))
    except (json.JSONDecodeError, AttributeError, TypeError) as error:
        raise ConfigError(f"{name} is not what its platform writes: {error}") from error
    hosts = {kind: _hosts(name, kind, given[kind]) for kind in _TRAINING if given.get(kind)}
    if not kind:
        if sum(map(len, hosts.values())) > 1:
            raise ConfigError(f"{name} names several tasks, and not which of them this one is")
        return Cluster()
    if not index.isdecimal():
        raise ConfigError(f"{name} gives its task the index {index!r}, which is not a number")
    return Cluster(hosts, _POOLS.get(kind, kind), int(index))


def _hosts(name: str, kind: str, given: Any) -> tuple[str, ...]:
    """Reads the hosts of one kind of task: a list, or TensorFlow's map of index -> host."""
    if isinstance(given, dict):
        numbers = sorted(map(str, range(len(given))), key=int)
        if set(given) != set(numbers):
            raise ConfigError(
                f"{name} names the tasks {', '.join(given)} of {kind}: all processes of a run must "
                f"be named, from 0 to {len(given) - 1} where there are {len(given)}"
            )
        given = [given[number] for number in numbers]
    if not isinstance(given, list):
        raise ConfigError(f"{name} gives {kind} {given!r}: it must be a list of host:port")
    return tuple(map(str, given))


def _from_kubernetes(environ: Mapping[str, str]) -> Cluster:
    workers = _number(environ, "CXR14_WORKERS")
    port = environ.get("CXR14_PORT") or _PORT
    if environ.get("JOBSET_NAME"):
        jobset = environ["JOBSET_NAME"]
        job = environ.get("JOBSET_REPLICATED_JOB") or "worker"
        # JobSet's own host names: <jobset>-<replicated job>-<job index>-<pod index>.<subdomain>.
        names = [f"{jobset}-{job}-0-{at}.{jobset}" for at in range(workers)]
    elif environ.get("CXR14_JOB_NAME") and environ.get("CXR14_SUBDOMAIN"):
        job, subdomain = environ["CXR14_JOB_NAME"], environ["CXR14_SUBDOMAIN"]
        names = [f"{job}-{at}.{subdomain}" for at in range(workers)]
    else:
        raise ConfigError(
            "CXR14_WORKERS is set without names: set JOBSET_NAME, or CXR14_JOB_NAME and "
            "CXR14_SUBDOMAIN"
        )
    hosts = {"worker": tuple(f"{name}:{port}" for name in names)}
    return Cluster(hosts, "worker", _number(environ, "JOB_COMPLETION_INDEX"))


def _number(environ: Mapping[str, str], name: str) -> int:
    text = environ.get(name, "")
    if not text.isdecimal():
        raise ConfigError(f"{name} is {text!r}: it must be a number that the Job sets")
    return int(text)


def _checked(cluster: Cluster, name: str) -> Cluster:
    """Returns what can work: also of a cluster of one task, any other process is refused."""
    tasks = cluster.tasks
    # Without hosts a platform says no more than that there is one process.
    if (cluster.kind, cluster.index) not in (tasks or [(kind, 0) for kind in _TRAINING]):
        raise ConfigError(
            f"{name} says that this process is {cluster.kind} {cluster.index}, which does not "
            f"train: there {_are(tasks)}; start no other replicas (evaluator, ps), and every task "
            "under an index of its own"
        )
    if len(tasks) < 2:
        return Cluster()
    if sum(len(cluster.hosts.get(kind, ())) for kind in ("chief", "master")) > 1:
        raise ConfigError(f"{name} names more than one chief or master: there can be only one")
    for host in cluster.addresses:
        found = _HOST.fullmatch(host)
        if not found or not 0 < int(found[1]) < 65536:
            raise ConfigError(
                f"{name} names {host!r}: it must be a host name or an IPv4 address, a colon and a "
                "port from 1 to 65535"
            )
        if cluster.addresses.count(host) > 1:
            raise ConfigError(f"{name} names {host} twice: every task needs an address of its own")
    return cluster


def _are(tasks: list[tuple[str, int]]) -> str:
    if not tasks:
        return "is one process, which is alone"
    named = ", ".join(f"{kind} {index}" for kind, index in tasks[:4])
    return f"are {named}{' and so on' if len(tasks) > 4 else ''}"
