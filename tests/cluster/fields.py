# SPDX-License-Identifier: MIT
"""Which fields of a Kubernetes manifest the tests execute; any other field is refused.

To let a new field through, execute it (`jobs.py`, `jobsets.py`, `pods.py`) and name it here, or
name it as one of those that change nothing on this machine.
"""

from typing import Any

from preprocessing.contract.errors import ConfigError

# What a field may hold: anything; or a set of values; or a mapping of further fields; or a list.
ANY: Any = None
# Read by a scheduler, a registry or a quota, which this machine does not have.
ELSEWHERE = ANY

_METADATA = {"name": ANY, "namespace": ANY, "labels": ANY, "annotations": ANY}
_KEY = {"name": ANY, "key": ANY}
_ENV = {
    "name": ANY,
    "value": ANY,
    "valueFrom": {"fieldRef": {"fieldPath": ANY}, "secretKeyRef": _KEY, "configMapKeyRef": _KEY},
}
_ENV_FROM = {"secretRef": {"name": ANY}, "configMapRef": {"name": ANY}, "prefix": ANY}
_CONTAINER = {
    "name": ANY,
    "image": ELSEWHERE,
    "imagePullPolicy": ELSEWHERE,
    "command": ANY,
    "args": ANY,
    "env": [_ENV],
    "envFrom": [_ENV_FROM],
    "resources": ELSEWHERE,
    "securityContext": {
        "allowPrivilegeEscalation": {False},
        "readOnlyRootFilesystem": {True, False},
        "capabilities": {"drop": [{"ALL"}]},
    },
    "volumeMounts": [{"name": ANY, "mountPath": ANY, "readOnly": {True, False}, "subPath": ANY}],
}
_VOLUME = {
    "name": ANY,
    "emptyDir": {"medium": {"", "Memory"}, "sizeLimit": ANY},
    # A folder of the test is in the place of these.
    "persistentVolumeClaim": ANY,
    "csi": ANY,
    "nfs": ANY,
    "hostPath": ANY,
}
_POD = {
    "restartPolicy": {"Never"},
    "terminationGracePeriodSeconds": ANY,
    "enableServiceLinks": {False},  # no Service adds a variable here
    "automountServiceAccountToken": {False},
    "securityContext": {
        "runAsNonRoot": {True, False},
        "runAsUser": ANY,
        "runAsGroup": ANY,
        "fsGroup": ANY,
        "fsGroupChangePolicy": ELSEWHERE,
        "seccompProfile": {"type": {"RuntimeDefault"}},  # the tests run without seccomp
    },
    "serviceAccountName": ELSEWHERE,
    "nodeSelector": ELSEWHERE,
    "tolerations": ELSEWHERE,
    "priorityClassName": ELSEWHERE,
    "imagePullSecrets": ELSEWHERE,
    "containers": [_CONTAINER],
    "volumes": [_VOLUME],
}
_RULE = {
    "action": {"FailJob", "Ignore", "Count", "FailIndex"},
    "onExitCodes": {"containerName": ANY, "operator": {"In", "NotIn"}, "values": ANY},
    "onPodConditions": [{"type": ANY, "status": {"True", "False"}}],
}
_JOB = {
    "completionMode": {"Indexed", "NonIndexed"},
    "completions": ANY,
    "parallelism": ANY,
    "activeDeadlineSeconds": ANY,
    "backoffLimit": ANY,
    "backoffLimitPerIndex": ANY,
    "maxFailedIndexes": ANY,
    "podReplacementPolicy": {"Failed", "TerminatingOrFailed"},
    "podFailurePolicy": {"rules": [_RULE]},
    "suspend": {True, False},
    "ttlSecondsAfterFinished": ELSEWHERE,  # what is over is only looked at
    "template": {"metadata": _METADATA, "spec": _POD},
}
_JOBSET = {
    "network": {"enableDNSHostnames": {True}, "publishNotReadyAddresses": {True}, "subdomain": ANY},
    "failurePolicy": {
        "maxRestarts": ANY,
        "restartStrategy": {"Recreate", "BlockingRecreate"},
        "rules": [
            {
                "name": ANY,
                "action": {"FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts"},
                "onJobFailureReasons": ANY,
                "onJobFailureMessagePatterns": ANY,
                "targetReplicatedJobs": ANY,
            }
        ],
    },
    "replicatedJobs": [
        {"name": ANY, "replicas": ANY, "template": {"metadata": _METADATA, "spec": _JOB}}
    ],
    "suspend": {True, False},
    "ttlSecondsAfterFinished": ELSEWHERE,
}
_KINDS = {
    ("batch/v1", "Job"): _JOB,
    ("jobset.x-k8s.io/v1alpha2", "JobSet"): _JOBSET,
}


def check(manifest: dict[str, Any]) -> None:
    """Refuses a manifest of which something would not be executed.

    Raises:
        ConfigError: names each field, or the kind, that is not in the lists above.
    """
    kind = manifest.get("apiVersion"), manifest.get("kind")
    if kind not in _KINDS:
        raise ConfigError(f"the tests execute no {kind[1]} of {kind[0]}")
    top = {"apiVersion": ANY, "kind": ANY, "metadata": _METADATA, "spec": _KINDS[kind]}
    if found := _unknown(manifest, top, ""):
        raise ConfigError(f"the tests do not execute {', '.join(found)}: see {__file__}")


def _unknown(value: Any, known: Any, path: str) -> list[str]:
    if known is ANY:
        return []
    if isinstance(known, set):
        return [] if value in known else [f"{path}: {value!r}"]
    if isinstance(known, list) and isinstance(value, list):
        pairs = [(item, known[0], f"{path}[{at}]") for at, item in enumerate(value)]
    elif isinstance(known, dict) and isinstance(value, dict):
        if extra := [f"{path}.{key}".lstrip(".") for key in value if key not in known]:
            return extra
        pairs = [(item, known[key], f"{path}.{key}".lstrip(".")) for key, item in value.items()]
    else:
        return [f"{path}: {value!r}"]
    return [line for pair in pairs for line in _unknown(*pair)]
