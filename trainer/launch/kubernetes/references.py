# SPDX-License-Identifier: MIT
"""Looks at the Secrets, ConfigMaps and claims that a pod names, without which it never starts."""

from collections.abc import Iterator

from trainer.launch.kubernetes.namespace import Namespace, path
from trainer.launch.kubernetes.service import Refusal
from trainer.launch.manifests import Spec
from trainer.launch.platform import Finding

# The key of every secret by which an image is pulled.
_PULL = ".dockerconfigjson"
_CLAIM = "PersistentVolumeClaim"
# How each is made, or found.
_MAKE = {
    "Secret": "kubectl create secret generic {name} {within} --from-literal={key}=VALUE",
    "ConfigMap": "kubectl create configmap {name} {within} --from-literal={key}=VALUE",
    _CLAIM: "kubectl get pvc {within} shows those there are",
    _PULL: "kubectl create secret docker-registry {name} {within} --docker-server=REGISTRY "
    "--docker-username=USER --docker-password=PASSWORD",
}
_SOURCES = {
    "secretKeyRef": "Secret",
    "secretRef": "Secret",
    "configMapKeyRef": "ConfigMap",
    "configMapRef": "ConfigMap",
}


def findings(namespace: Namespace, pod: Spec) -> Iterator[Finding]:
    """Yields whether there is what a pod mounts and reads."""
    for kind, name, key in dict.fromkeys(_names(pod)):
        try:
            found = namespace.api.read(path("v1", kind, namespace.name, name))
        except Refusal as error:
            yield Finding(f"{kind} {name}", None, f"you may not look at it ({error.said})")
            continue
        yield _finding(f"--namespace={namespace.name}", kind, name, key, found)


def _finding(within: str, kind: str, name: str, key: str, found: Spec | None) -> Finding:
    what = f"{kind} {name}"
    if found is None:
        fix = _MAKE[key if key == _PULL else kind]
        fix = fix.format(name=name, within=within, key=key or "KEY")
        return Finding(what, False, "is missing: the pods would wait for it", fix)
    if key and key not in (found.get("data") or {}):
        see = f"kubectl describe {kind.lower()} {name} {within} shows its keys"
        return Finding(what, False, f"has no key {key}", see)
    phase = found.get("status", {}).get("phase", "Bound")
    if kind == _CLAIM and phase != "Bound":
        see = f"kubectl describe pvc {name} {within} says why, if a pod has used it before"
        return Finding(what, False if phase == "Lost" else None, f"is {phase}, not bound", see)
    return Finding(what, True, "is there")


def _names(pod: Spec) -> Iterator[tuple[str, str, str]]:
    """Yields kind, name and key of what must be there, the key empty where it does not matter."""
    for secret in pod.get("imagePullSecrets") or []:
        yield "Secret", secret["name"], _PULL
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        sources = [entry.get("valueFrom", {}) for entry in container.get("env") or []]
        for source in [*sources, *(container.get("envFrom") or [])]:
            for way, found in source.items():
                if way in _SOURCES and not found.get("optional"):
                    yield _SOURCES[way], found["name"], found.get("key", "")
    for volume in pod.get("volumes") or []:
        if "persistentVolumeClaim" in volume:
            yield _CLAIM, volume["persistentVolumeClaim"]["claimName"], ""
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"], ""
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], ""
