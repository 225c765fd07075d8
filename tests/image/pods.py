# SPDX-License-Identifier: MIT
"""Turns the pod of a Kubernetes Job into flags of podman, as a node of the cluster would."""

from collections.abc import Mapping
from typing import Any

_PLAIN = {"name", "image", "args", "command", "env", "volumeMounts", "securityContext", "resources"}


def podman(job: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Returns the flags and the arguments with which the only container of a Job runs.

    Security context, volumes, variables and command are the manifest's own; there is no network.
    Processors, memory and the choice of a node are left to this machine.

    Raises:
        ValueError: the manifest asks for what is not done here.
    """
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    if unknown := container.keys() - _PLAIN:
        raise ValueError(f"the container has keys that are not known here: {sorted(unknown)}")
    flags = ["--network=none", *_security(pod["securityContext"], container["securityContext"])]
    flags += [f"--env={one['name']}={one['value']}" for one in container.get("env", [])]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        volume = dict(volumes[mount["name"]])
        empty = volume.pop("emptyDir")  # a KeyError for any other kind
        size = {"Gi": "g", "Mi": "m"}
        amount = empty["sizeLimit"][:-2] + size[empty["sizeLimit"][-2:]]
        flags.append(f"--tmpfs={mount['mountPath']}:rw,mode=1777,size={amount}")
    command = container.get("command", [])
    flags += [f"--entrypoint={command[0]}"] if command else []
    return flags, [*command[1:], *container["args"]]


def _security(pod: Mapping[str, Any], container: Mapping[str, Any]) -> list[str]:
    assert pod["runAsNonRoot"] and pod["runAsUser"] and pod["fsGroup"] == pod["runAsGroup"]
    flags = [f"--user={pod['runAsUser']}:{pod['runAsGroup']}"]
    # Nothing is writable but what the manifest mounts.
    flags += ["--read-only", "--read-only-tmpfs=false"]
    assert container["readOnlyRootFilesystem"]
    assert container["allowPrivilegeEscalation"] is False
    flags += ["--security-opt=no-new-privileges"]
    return flags + [f"--cap-drop={name.lower()}" for name in container["capabilities"]["drop"]]
