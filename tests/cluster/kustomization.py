# SPDX-License-Identifier: MIT
"""Makes the files of configs/kubernetes/ from the shipped job files, by the launcher's own code.

The base is the Job of one GPU; what another job file has beside that becomes a patch, in a
component if it can be added to other overlays. `make golden` writes the files.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

from trainer.launch import manifests
from trainer.launch.description import job_file
from trainer.launch.kubernetes import render
from trainer.launch.platform import OUTPUT

ROOT = pathlib.Path(__file__).parents[2]
# Overlay -> its job file, and the stage of it.
OVERLAYS = {
    "gpu1": ("gpu1", "train"),
    "spot": ("spot", "train"),
    "kueue": ("kueue", "train"),
    "mounted": ("mounted", "train"),
    "tpu-v5e": ("tpu_v5e", "train"),
    "jobset": ("jobset", "train"),
    "preprocess": ("gpu1", "preprocess"),
    "serve": ("gpu1", "serve"),
}
_BASE, _COMPONENTS = "gpu1", ("spot", "kueue")
_MADE = """# SPDX-License-Identifier: MIT
# Made from {origin} by `make golden`: change that.
"""
_USE = """#
#   kubectl kustomize configs/kubernetes/{folder}   # prints it
#   kubectl create -k configs/kubernetes/{folder}   # sends it
#
# Prints what `cxr14-launch kubernetes --job={origin}{stage} --dry_run`
# does, but for the label by which that finds a second writer. The comments of the job file count
# here too. In a copy of configs/kubernetes replace PROJECT, REGION, BUCKET and DIGEST, as in
#   grep -rl BUCKET . | xargs sed -i s/BUCKET/my-bucket/g
# or name folders as resources of your own kustomization, which sets namespace, images and patches.
"""
_ADDED = """#
# Of an overlay that trains: add `components: [../../components/{name}]` to its kustomization.
"""


def files() -> dict[str, str]:
    """Returns the path below configs/kubernetes/ -> text of every file."""
    base = manifest_of(_BASE, "train")
    made = dict(_resources("base", _BASE, [base]))
    for name in _COMPONENTS:
        folder, patches = f"components/{name}", _patches(base, manifest_of(name, "train"))
        values = {"apiVersion": _api("v1alpha1"), "kind": "Component"} | _listed(patches)
        head = _MADE.format(origin=_path(name)) + _ADDED.format(name=name)
        made[f"{folder}/kustomization.yaml"] = head + manifests.dump(values)
        made |= _written(folder, name, patches)
    for overlay, (name, stage) in OVERLAYS.items():
        made |= dict(_overlay(overlay, name, stage, base))
    return made


def manifest_of(name: str, stage: str) -> dict[str, Any]:
    """Returns what the launcher sends for a shipped job file, as kustomize is to print it.

    The label of the output is left out: it is that of the word BUCKET, not of what replaces it.
    """
    manifest = render.render(job_file.load(str(ROOT / _path(name))), stage)
    _drop(manifest, OUTPUT)
    return manifest


def _overlay(
    overlay: str, name: str, stage: str, base: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    folder, manifest = f"overlays/{overlay}", manifest_of(name, stage)
    values: dict[str, Any] = {}
    if stage != "train" or manifest["kind"] != base["kind"]:
        objects = manifest.get("items", [manifest])
        made = dict(_resources(folder, name, objects))
        yield from ((path, text) for path, text in made.items() if "kustomization" not in path)
        values["resources"] = [f"{one['kind'].lower()}.yaml" for one in objects]
    else:
        values["resources"] = ["../../base"]
        if name in _COMPONENTS:
            values["components"] = [f"../../components/{name}"]
        elif operations(base, manifest):
            patches = {"Job": _patches(base, manifest)["Job"]}
            values |= _listed(patches)
            yield from _written(folder, name, patches).items()
    use = _USE.format(
        folder=folder, origin=_path(name), stage="" if stage == "train" else f" --stage={stage}"
    )
    head = _MADE.format(origin=_path(name)) + use
    values = {"apiVersion": _api("v1beta1"), "kind": "Kustomization", **values}
    yield f"{folder}/kustomization.yaml", head + manifests.dump(values)


def _resources(folder: str, name: str, objects: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    head = _MADE.format(origin=_path(name))
    for one in objects:
        yield f"{folder}/{one['kind'].lower()}.yaml", head + manifests.dump(one)
    names = [f"{one['kind'].lower()}.yaml" for one in objects]
    values = {"apiVersion": _api("v1beta1"), "kind": "Kustomization", "resources": names}
    yield f"{folder}/kustomization.yaml", head + manifests.dump(values)


def _patches(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Returns what makes the one Job of the other, by kind: of a Job, and likewise of a JobSet."""
    changes = operations(before, after)
    inner = "/spec/replicatedJobs/0/template"
    moved = [
        {**one, "path": inner + one["path"]} if one["path"].startswith("/spec/template/") else one
        for one in changes
    ]
    return {"Job": changes, "JobSet": moved}


def _listed(patches: dict[str, Any]) -> dict[str, Any]:
    listed = [{"target": {"kind": k}, "path": f"{k.lower()}-patch.yaml"} for k in patches]
    return {"patches": listed}


def _written(folder: str, name: str, patches: dict[str, Any]) -> dict[str, str]:
    head = _MADE.format(origin=_path(name))
    return {
        f"{folder}/{kind.lower()}-patch.yaml": head + manifests.dump(patch)
        for kind, patch in patches.items()
    }


def operations(before: Any, after: Any, path: str = "") -> list[dict[str, Any]]:
    """Returns the JSON patch (RFC 6902) that makes one value of another."""
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        found = [
            {"op": "remove", "path": _pointer(path, key)} for key in before if key not in after
        ]
        for key, value in after.items():
            place = _pointer(path, key)
            added = [{"op": "add", "path": place, "value": value}]
            found += operations(before[key], value, place) if key in before else added
        return found
    if isinstance(before, list) and isinstance(after, list):
        if before == after[: len(before)]:
            return [{"op": "add", "path": f"{path}/-", "value": v} for v in after[len(before) :]]
        if len(before) == len(after) and all(isinstance(item, dict) for item in [*before, *after]):
            pairs = zip(before, after, strict=True)
            return [o for at, pair in enumerate(pairs) for o in operations(*pair, f"{path}/{at}")]
    return [{"op": "replace", "path": path, "value": after}]


def _pointer(path: str, key: str) -> str:
    return f"{path}/{key.replace('~', '~0').replace('/', '~1')}"


def _drop(value: Any, label: str) -> None:
    if isinstance(value, dict):
        value.pop(label, None)
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _drop(item, label)


def _path(name: str) -> str:
    return f"configs/jobs/kubernetes_{name}.yaml"


def _api(version: str) -> str:
    return f"kustomize.config.k8s.io/{version}"
