# SPDX-License-Identifier: MIT
"""Folders of a pod that are not the container's own: a claim, an NFS share, a bucket as files."""

import dataclasses
import posixpath
from collections.abc import Iterator, Sequence

from preprocessing.contract.settings.declaration import FREE, REQUIRED, setting
from trainer.launch.description import patterns, serve

# What the image and Kubernetes fill themselves; a volume over it would hide the program.
_TAKEN = (
    *("bin", "boot", "dev", "etc", "lib", "lib64", "opt", "proc", "root", "run", "sbin", "sys"),
    *("tmp", "usr", "var"),
)
# Names of the volumes and folders that every pod has.
_OWN = ("tmp", "shared-memory", "model")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Volume:
    """One folder, from exactly one of claim, nfs and bucket."""

    name: str = setting(REQUIRED, FREE, pattern=patterns.LABEL, form=patterns.LABEL_FORM)
    """Name of the volume within the pod."""
    mount: str = setting(
        REQUIRED,
        FREE,
        pattern=r"(/(?!\.\.?(/|$))[A-Za-z0-9._-]+)+",
        form="an absolute path such as /mnt/data, without . and .. and a / at its end",
    )
    """Where the containers see it; `output` and paths in `args` may be below."""
    claim: str | None = setting(
        None, FREE, pattern=patterns.SUBDOMAIN, form=patterns.SUBDOMAIN_FORM
    )
    """PersistentVolumeClaim of the namespace, such as one of Filestore; several pods at a time need
    one that is ReadWriteMany."""
    nfs: str | None = setting(
        None, FREE, pattern=r"[A-Za-z0-9.-]+:/\S*", form="SERVER:/PATH of an NFS share"
    )
    """NFS share, such as that of a Filestore instance without a claim; user 10001 needs to be
    allowed to write to it. Namespaces with restricted pod security take claims only."""
    bucket: str | None = setting(
        None, FREE, pattern=r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]|BUCKET", form="a bucket's name"
    )
    """Bucket that GKE's Cloud Storage FUSE driver shows as files; the service account must be
    allowed to use it. A gs:// path needs no driver and is faster."""
    options: str = setting("", FREE, pattern=r"[^\s,]+(,[^\s,]+)*|", form="OPTION,OPTION=VALUE")
    """More mount options of the driver for `bucket`, such as only-dir=runs."""
    read_only: bool = setting(False, FREE)
    """Refuse to write."""


def of_path(path: str, volumes: Sequence[Volume]) -> Volume | None:
    """Returns the volume that a path of the container lies on, None if on none.

    >>> of_path("/mnt/data/shards", [Volume(name="d", mount="/mnt/data", claim="c")]).name
    'd'
    >>> of_path("/mnt/data/../x", [Volume(name="d", mount="/mnt/data", claim="c")])
    """
    if path.rstrip("/") != posixpath.normpath(path):
        return None
    on = [one for one in volumes if f"{path}/".startswith(f"{one.mount}/")]
    return max(on, key=lambda one: len(one.mount), default=None)


def problems(volumes: Sequence[Volume], *, serves: bool) -> Iterator[str]:
    """Yields why a pod could not have its volumes, the key in the job file first.

    Args:
        volumes: of all stages of the job.
        serves: whether pods that copy a model to serve it are one of them.
    """
    for at, one in enumerate(volumes):
        key = f"kubernetes.volumes.{at}"
        sources = [name for name in ("claim", "nfs", "bucket") if getattr(one, name) is not None]
        before = volumes[:at]
        if len(sources) != 1:
            has = " and ".join(sources) or "none of them"
            yield f"{key} has {has}, but a volume is one of claim, nfs and bucket: name one"
        if one.options and one.bucket is None:
            yield f"{key}.options is for a bucket: leave it out"
        if one.name in _OWN or one.name in (other.name for other in before):
            yield f"{key}.name is {one.name!r}, which another volume of the pod has: change it"
        if one.mount in (other.mount for other in before):
            yield f"{key}.mount is {one.mount}, which another volume has: change it"
        if one.mount.split("/")[1] in _TAKEN:
            yield f"{key}.mount is {one.mount}, which hides the container's own: use /mnt/data"
        paths = sorted([f"{one.mount}/", f"{serve.COPY}/"])
        if serves and paths[1].startswith(paths[0]):
            meets = f"which meets {serve.COPY} of --stage=serve"
            yield f"{key}.mount is {one.mount}, {meets}: use /mnt/data"
