# SPDX-License-Identifier: MIT
"""Finds out which processes train together, from what a platform puts into the environment.

Vertex AI writes TF_CONFIG and CLUSTER_SPEC, Kubernetes only an index and names, from which the host
names follow; nothing of this has to be written in YAML.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from preprocessing.contract.errors import ConfigError

# Vertex AI's worker pools, in the words of TensorFlow; pools 2 and 3 do not train.
_POOLS = {"workerpool0": "chief", "workerpool1": "worker"}
_TRAINING = ("chief", "master", "worker")
_PORT = "2222"


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
        ConfigError: a variable that cannot be read, or a process that is none of those that train.
    """
    if environ.get("TF_CONFIG"):
        return _checked(_from_json("TF_CONFIG", environ["TF_CONFIG"]), "TF_CONFIG")
    if environ.get("CLUSTER_SPEC"):
        return _checked(_from_json("CLUSTER_SPEC", environ["CLUSTER_SPEC"]), "CLUSTER_SPEC")
    if environ.get("CXR14_WORKERS"):
        return _checked(_from_kubernetes(environ), "JOB_COMPLETION_INDEX")
    return Cluster()


def _from_json(name: str, text: str) -> Cluster:
    try:
        values: dict[str, Any] = json.loads(text)
        given = {_POOLS.get(kind, kind): hosts for kind, hosts in values.get("cluster", {}).items()}
        hosts = {kind: tuple(map(str, given[kind])) for kind in _TRAINING if given.get(kind)}
        own = values.get("task", {})
        kind = str(own.get("type", "worker"))
        return Cluster(hosts, _POOLS.get(kind, kind), int(own.get("index", 0)))
    except (json.JSONDecodeError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{name} is not what its platform writes: {error}") from error


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
    tasks = cluster.tasks
    if len(tasks) > 1 and (cluster.kind, cluster.index) not in tasks:
        raise ConfigError(
            f"{name} says this is {cluster.kind} {cluster.index}, which does not train"
        )
    return cluster if len(tasks) > 1 else Cluster()
