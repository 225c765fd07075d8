# SPDX-License-Identifier: MIT
"""Every platform's variables give the same cluster; what cannot be one is told."""

import json
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from trainer.distribution import cluster
from trainer.distribution.cluster import Cluster

_CHIEF = {"chief": ["c:1"], "worker": ["a:1", "b:1"]}
_ONE = {"chief": ["c:1"], "ps": ["p:1"]}


def _config(hosts: dict[str, Any], kind: str, index: object, **more: object) -> str:
    return json.dumps({"cluster": hosts, "task": {"type": kind, "index": index}, **more})


_JOBSET = {"CXR14_WORKERS": "2", "JOB_COMPLETION_INDEX": "1", "JOBSET_NAME": "cxr"}
_INDEXED = {
    "CXR14_WORKERS": "2",
    "JOB_COMPLETION_INDEX": "0",
    "CXR14_JOB_NAME": "train",
    "CXR14_SUBDOMAIN": "peers",
}


@pytest.mark.parametrize(
    ("environ", "hosts", "number"),
    [
        ({}, {}, 0),
        ({"TF_CONFIG": ""}, {}, 0),
        ({"TF_CONFIG": _config(_CHIEF, "worker", 1)}, _CHIEF, 2),
        ({"TF_CONFIG": _config(_CHIEF, "chief", 0, job={}, environment="cloud")}, _CHIEF, 0),
        ({"TF_CONFIG": _config({"chief": ["c:1"]}, "chief", 0)}, {}, 0),
        ({"TF_CONFIG": _config({**_CHIEF, "ps": ["p:1"]}, "worker", 0)}, _CHIEF, 1),
        ({"TF_CONFIG": _config(_ONE, "chief", 0)}, {}, 0),
        ({"TF_CONFIG": _config({}, "master", 0)}, {}, 0),
        ({"TF_CONFIG": '{"cluster": {}, "task": {}, "environment": "cloud"}'}, {}, 0),
        ({"TF_CONFIG": _config({"worker": ["localhost"]}, "worker", 0)}, {}, 0),
        (
            {"TF_CONFIG": _config({"worker": {"1": "b:1", "0": "a:1"}}, "worker", 1)},
            {"worker": ["a:1", "b:1"]},
            1,
        ),
        ({"TF_CONFIG": _config(_CHIEF, "worker", "1")}, _CHIEF, 2),
        (
            {
                "CLUSTER_SPEC": _config(
                    {
                        "workerpool0": ["x-0:2222"],
                        "workerpool1": ["x-1:2222"],
                        "workerpool2": ["r:1"],
                    },
                    "workerpool1",
                    0,
                    job={"a": 1},
                )
            },
            {"chief": ["x-0:2222"], "worker": ["x-1:2222"]},
            1,
        ),
        ({"CLUSTER_SPEC": _config({"workerpool0": ["x:1"]}, "workerpool0", 0)}, {}, 0),
        (_JOBSET, {"worker": ["cxr-worker-0-0.cxr:2222", "cxr-worker-0-1.cxr:2222"]}, 1),
        (
            {**_JOBSET, "JOBSET_REPLICATED_JOB": "gpu", "CXR14_PORT": "999"},
            {"worker": ["cxr-gpu-0-0.cxr:999", "cxr-gpu-0-1.cxr:999"]},
            1,
        ),
        (_INDEXED, {"worker": ["train-0.peers:2222", "train-1.peers:2222"]}, 0),
        ({**_JOBSET, "CXR14_WORKERS": "1", "JOB_COMPLETION_INDEX": "0"}, {}, 0),
        ({"JOB_COMPLETION_INDEX": "3"}, {}, 0),
    ],
)
def test_the_cluster_is_found(
    environ: dict[str, str], hosts: dict[str, list[str]], number: int
) -> None:
    found = cluster.find(environ)
    assert {kind: list(names) for kind, names in found.hosts.items()} == hosts
    assert found.number == number


def test_tf_config_is_understood_again() -> None:
    found = cluster.find(_JOBSET)
    assert cluster.find({"TF_CONFIG": found.to_tf_config()}) == found
    assert found == Cluster(found.hosts, "worker", 1)


@pytest.mark.parametrize(
    ("environ", "part"),
    [
        ({"TF_CONFIG": "{"}, "TF_CONFIG is not what its platform writes"),
        ({"TF_CONFIG": "[]"}, "TF_CONFIG is not what its platform writes"),
        ({"CLUSTER_SPEC": '{"cluster": 3}'}, "CLUSTER_SPEC is not what its platform writes"),
        ({"TF_CONFIG": _config(_CHIEF, "ps", 0)}, "process is ps 0, which does not train"),
        ({"TF_CONFIG": _config(_CHIEF, "worker", 2)}, "process is worker 2, which does not train"),
        ({**_JOBSET, "JOB_COMPLETION_INDEX": "2"}, "the Job says .* worker 2, which does not"),
        # Beside a single training task, and beside none.
        ({"TF_CONFIG": _config(_ONE, "evaluator", 0)}, "evaluator 0, .* there are chief 0;"),
        ({"TF_CONFIG": _config(_ONE, "ps", 0)}, "ps 0, which does not train"),
        (
            {"TF_CONFIG": _config({"worker": ["a:1"]}, "worker", 5)},
            "worker 5, which does not train",
        ),
        ({"TF_CONFIG": _config({"worker": ["a:1"]}, "chief", 0)}, "chief 0, which does not train"),
        ({"TF_CONFIG": _config({}, "evaluator", 0)}, "there is one process, which is alone"),
        ({"TF_CONFIG": _config({"ps": ["p:1"]}, "worker", 1)}, "worker 1, which does not train"),
        (
            {"CLUSTER_SPEC": _config({"workerpool0": ["x:1"]}, "workerpool2", 0)},
            "workerpool2 0, wh",
        ),
        ({**_JOBSET, "CXR14_WORKERS": "1"}, "worker 1, which does not train"),
        # Hosts that are none.
        ({"TF_CONFIG": _config({"worker": "a:1"}, "worker", 0)}, "worker 'a:1': it must be a list"),
        ({"TF_CONFIG": _config({"worker": 3}, "worker", 0)}, "worker 3: it must be a list"),
        ({"TF_CONFIG": _config({"worker": ["a", "b:1"]}, "worker", 0)}, "names 'a': it must be a"),
        ({"TF_CONFIG": _config({"worker": [":1", "b:1"]}, "worker", 0)}, "names ':1': it must be"),
        ({"TF_CONFIG": _config({"worker": ["a:0", "b:1"]}, "worker", 0)}, "names 'a:0'"),
        ({"TF_CONFIG": _config({"worker": ["a:65536", "b:1"]}, "worker", 0)}, "names 'a:65536'"),
        ({"TF_CONFIG": _config({"worker": ["[::1]:1", "b:1"]}, "worker", 0)}, "or an IPv4 address"),
        ({"TF_CONFIG": _config({"worker": [None, "b:1"]}, "worker", 0)}, "names 'None'"),
        ({"TF_CONFIG": _config({"worker": ["a:1", "a:1"]}, "worker", 0)}, "names a:1 twice"),
        ({"TF_CONFIG": _config({"chief": ["a:1"], "worker": ["a:1"]}, "chief", 0)}, "a:1 twice"),
        ({"TF_CONFIG": _config({"chief": ["a:1", "b:1"]}, "chief", 0)}, "more than one chief"),
        (
            {"TF_CONFIG": _config({"worker": {"0": "a:1", "2": "b:1"}}, "worker", 0)},
            "tasks 0, 2 of",
        ),
        ({**_JOBSET, "CXR14_PORT": "http"}, "names 'cxr-worker-0-0.cxr:http'"),
        # Tasks that are none.
        ({"TF_CONFIG": json.dumps({"cluster": _CHIEF})}, "and not which of them this one is"),
        ({"TF_CONFIG": _config(_CHIEF, "worker", "one")}, "index 'one', which is not a number"),
        ({"TF_CONFIG": _config(_CHIEF, "worker", -1)}, "index '-1', which is not a number"),
        ({"TF_CONFIG": '{"cluster": {}, "task": null}'}, "TF_CONFIG is not what its platform"),
        ({**_JOBSET, "JOB_COMPLETION_INDEX": ""}, "JOB_COMPLETION_INDEX is ''"),
        ({**_JOBSET, "CXR14_WORKERS": "two"}, "CXR14_WORKERS is 'two'"),
        ({"CXR14_WORKERS": "2", "JOB_COMPLETION_INDEX": "0"}, "set JOBSET_NAME, or"),
    ],
)
def test_what_is_no_cluster_is_told(environ: dict[str, str], part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        cluster.find(environ)


@pytest.mark.parametrize(
    ("environ", "waits"),
    [(_JOBSET, True), (_INDEXED, True), ({"TF_CONFIG": "{}"}, False), ({}, False)],
)
def test_only_where_a_peers_exit_code_comes_first_is_it_waited_for(
    environ: dict[str, str], waits: bool
) -> None:
    error = cluster.LostPeerError("lost a peer")
    assert error.exit_code == 75
    assert (error.seconds_to_wait(environ) > 5) == waits
