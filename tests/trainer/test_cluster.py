# SPDX-License-Identifier: MIT
"""Every platform's variables give the same cluster; what cannot be one is told."""

import json

import pytest

from preprocessing.contract.errors import ConfigError
from trainer import cluster
from trainer.cluster import Cluster

_CHIEF = {"chief": ["c:1"], "worker": ["a:1", "b:1"]}


def _config(hosts: dict[str, list[str]], kind: str, index: int, **more: object) -> str:
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
        ({"TF_CONFIG": _config(_CHIEF, "ps", 0)}, "this is ps 0, which does not train"),
        ({"TF_CONFIG": _config(_CHIEF, "worker", 2)}, "this is worker 2, which does not train"),
        ({**_JOBSET, "JOB_COMPLETION_INDEX": "2"}, "this is worker 2, which does not train"),
        ({**_JOBSET, "JOB_COMPLETION_INDEX": ""}, "JOB_COMPLETION_INDEX is ''"),
        ({**_JOBSET, "CXR14_WORKERS": "two"}, "CXR14_WORKERS is 'two'"),
        ({"CXR14_WORKERS": "2", "JOB_COMPLETION_INDEX": "0"}, "set JOBSET_NAME, or"),
    ],
)
def test_what_is_no_cluster_is_told(environ: dict[str, str], part: str) -> None:
    with pytest.raises(ConfigError, match=part.replace("{", r"\{")):
        cluster.find(environ)
