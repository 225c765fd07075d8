# SPDX-License-Identifier: MIT
"""What a pod names is looked for before the pod waits for it."""

from typing import Any

from trainer.launch.kubernetes import references
from trainer.launch.kubernetes.namespace import Namespace
from trainer.launch.kubernetes.service import Api

HERE = "/api/v1/namespaces/research"
POD = {
    "imagePullSecrets": [{"name": "registry"}],
    "initContainers": [{"envFrom": [{"secretRef": {"name": "login"}}]}],
    "containers": [
        {
            "env": [
                {"name": "LEVEL", "value": "1"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "a"}}},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ],
            "envFrom": [
                {"configMapRef": {"name": "settings"}},
                {"configMapRef": {"name": "perhaps", "optional": True}},
            ],
        }
    ],
    "volumes": [
        {"name": "tmp", "emptyDir": {}},
        {"name": "films", "persistentVolumeClaim": {"claimName": "films"}},
        {"name": "shards", "persistentVolumeClaim": {"claimName": "shards"}},
        {"name": "runs", "persistentVolumeClaim": {"claimName": "runs"}},
        {"name": "key", "secret": {"secretName": "login"}},
        {"name": "files", "configMap": {"name": "files"}},
    ],
}


def test_all_that_a_pod_names_is_looked_for(kubernetes_api: Any) -> None:
    kubernetes_api.put(f"{HERE}/secrets/registry", {"data": {".dockerconfigjson": "e30="}})
    kubernetes_api.put(f"{HERE}/secrets/token", {"data": {"a": "YQ=="}})
    kubernetes_api.put(f"{HERE}/configmaps/files", {})
    for name, phase in (("films", "Bound"), ("shards", "Pending"), ("runs", "Lost")):
        status = {"phase": phase}
        kubernetes_api.put(f"{HERE}/persistentvolumeclaims/{name}", {"status": status})
    found = list(references.findings(Namespace(Api(), "research"), POD))
    assert {finding.what: finding.ok for finding in found} == {
        "Secret registry": True,
        "Secret login": False,
        "Secret token": True,
        "ConfigMap settings": False,
        "ConfigMap files": True,
        "PersistentVolumeClaim films": True,
        "PersistentVolumeClaim shards": None,
        "PersistentVolumeClaim runs": False,
    }
    fixes = {finding.what: finding.fix for finding in found}
    assert fixes["Secret login"] == (
        "kubectl create secret generic login --namespace=research --from-literal=KEY=VALUE"
    )
    assert fixes["PersistentVolumeClaim shards"] == (
        "kubectl describe pvc shards --namespace=research says why, if a pod has used it before"
    )


def test_a_secret_without_the_key_is_as_good_as_none(kubernetes_api: Any) -> None:
    kubernetes_api.put(f"{HERE}/secrets/token", {"data": {"b": "YQ=="}})
    found = list(references.findings(Namespace(Api(), "research"), POD))
    said = {finding.what: finding.said for finding in found if not finding.ok}
    assert said["Secret token"] == "has no key a"
    [pull] = [finding.fix for finding in found if finding.what == "Secret registry"]
    assert pull.startswith("kubectl create secret docker-registry registry --namespace=research")


def test_who_may_not_read_secrets_does_not_know(kubernetes_api: Any) -> None:
    kubernetes_api.denied = {"secrets"}
    found = list(references.findings(Namespace(Api(), "research"), POD))
    assert {finding.ok for finding in found if finding.what.startswith("Secret")} == {None}
